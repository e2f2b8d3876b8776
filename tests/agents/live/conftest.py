from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import live


@pytest.fixture(scope="module")
def server(django_db_setup: None, redis: str) -> Iterator[live.Server]:
    """A real web process."""
    yield from live.running(redis)
