from pathlib import Path

import pytest

from apps.agents.worktrees import trees
from tests import git_world


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A person's own clone, on main."""
    return git_world.repository(
        tmp_path / "my répo", {"a.txt": "one\ntwo\nthree\n", "src/b.py": "b = 1\n" * 20}
    )


@pytest.fixture
def worktree(tmp_path: Path, repository: Path) -> trees.Worktree:
    """The worktree of an attempt on the branch KB/1."""
    return trees.create(
        repository=repository,
        path=tmp_path / "worktrees" / "sess_1",
        branch="KB/1",
        base_branch="main",
    )


@pytest.fixture
def tree(worktree: trees.Worktree) -> trees.Tree:
    return worktree.tree
