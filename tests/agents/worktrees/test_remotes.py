from pathlib import Path

import pytest

from apps.agents.worktrees import remotes, trees
from apps.agents.worktrees.errors import BranchMissing
from apps.core import git
from tests import git_world


@pytest.fixture
def upstream(tmp_path: Path, repository: Path) -> Path:
    """A bare repository that the person's clone has as its origin."""
    path = tmp_path / "upstream.git"
    git_world.git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(path))
    git_world.git(repository, "remote", "add", "origin", f"file://{path}")
    return path


def push(tree: trees.Tree, *, set_upstream: bool = False) -> remotes.Pushed:
    return remotes.push(tree, remote="origin", set_upstream=set_upstream, allow_files=True)


def test_a_fetch_touches_no_local_branch(tmp_path: Path, repository: Path, upstream: Path) -> None:
    git_world.git(tmp_path, "clone", "--quiet", str(upstream), "other")
    theirs = git_world.commit(tmp_path / "other", {"x.txt": "x\n"})
    git_world.git(tmp_path / "other", "tag", "v1")
    git_world.git(tmp_path / "other", "push", "--quiet", "--tags", "origin", "main")
    main = git_world.git(repository, "rev-parse", "main")
    git_world.git(repository, "config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*")
    remotes.fetch(repository, remote="origin", allow_files=True)
    assert git_world.git(repository, "rev-parse", "main") == main
    assert git_world.git(repository, "rev-parse", "origin/main") == theirs
    assert git_world.git(repository, "tag") == ""
    assert git_world.git(repository, "status", "--porcelain") == ""


def test_a_branch_is_pushed_under_its_name(
    repository: Path, upstream: Path, tree: trees.Tree
) -> None:
    sha = git_world.commit(tree.path, {"x.txt": "x\n"})
    git_world.set_hook(repository, "pre-push", "sleep 600")
    assert push(tree, set_upstream=True) == {"remote": "origin", "branch": "KB/1"}
    assert git_world.git(upstream, "rev-parse", "KB/1") == sha
    assert git_world.git(repository, "config", "branch.KB/1.remote") == "origin"


def test_nothing_is_pushed_by_force(repository: Path, upstream: Path, tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"x.txt": "x\n"})
    push(tree)
    theirs = git_world.git(upstream, "rev-parse", "KB/1")
    git_world.git(tree.path, "commit", "--quiet", "--amend", "-m", "other")
    with pytest.raises(remotes.PushRejected, match="did not take"):
        push(tree)
    assert git_world.git(upstream, "rev-parse", "KB/1") == theirs


def test_what_cannot_be_pushed_is_said(upstream: Path, tree: trees.Tree) -> None:
    with pytest.raises(remotes.RemoteMissing):
        remotes.push(tree, remote="--mirror")
    with pytest.raises(remotes.RemoteMissing):
        remotes.fetch(tree.repository, remote="nope")
    with pytest.raises(git.GitError, match="not allowed"):
        remotes.push(tree, remote="origin")
    git_world.git(tree.path, "checkout", "--quiet", "--detach")
    with pytest.raises(BranchMissing, match="no branch"):
        push(tree)


def test_the_remote_is_the_preferred_the_branchs_own_origin_or_any(
    repository: Path, tree: trees.Tree
) -> None:
    with pytest.raises(remotes.RemoteMissing):
        remotes.choose(repository)
    git_world.git(repository, "remote", "add", "fork", "https://example.org/x.git")
    assert remotes.choose(repository) == "fork"
    git_world.git(repository, "remote", "add", "origin", "https://example.org/y.git")
    assert remotes.choose(repository, preferred="nope") == "origin"
    git_world.git(repository, "config", "branch.KB/1.remote", "fork")
    assert remotes.choose(repository, branch="KB/1") == "fork"
    assert remotes.choose(repository, preferred="origin", branch="KB/1") == "origin"
