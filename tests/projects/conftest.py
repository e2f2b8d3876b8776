"""Folders that projects may lie in, for each test its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings


@pytest.fixture
def grounds(tmp_path: Path, settings: Settings) -> Path:
    """The one folder under which people may make projects; the data folder lies beside it."""
    root = tmp_path / "grounds"
    root.mkdir()
    data = tmp_path / "data"
    data.mkdir()
    settings.KANBANAI_PROJECT_ROOTS = (root,)
    settings.KANBANAI_DATA_DIR = data
    return root
