from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.agents import processes
from tests.agents.adapters import stage


@pytest.fixture
def world(tmp_path: Path) -> Iterator[stage.World]:
    made = stage.make_world(tmp_path)
    made.home.mkdir(parents=True)
    yield made
    processes.kill_under(tmp_path)
