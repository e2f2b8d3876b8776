from pathlib import Path

import pytest

from apps.agents.worktrees import status, trees
from apps.agents.worktrees.errors import BranchMissing
from tests import git_world


def letters(found: status.GitStatus) -> dict[str, str]:
    return {one["path"]: one["status"] for one in found["files"]}


def test_a_fresh_worktree_has_no_changes(tree: trees.Tree) -> None:
    assert status.read(tree, base_branch="main") == status.empty("KB/1")
    assert not status.has_uncommitted(tree)


def test_every_kind_of_change_is_told(tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"committed.txt": "c\n", "src/c.py": "c = 1\n" * 5})
    git_world.write(tree.path, {"a.txt": "one\nTWO\nthree\nfour\n", "new.txt": "x\ny"})
    git_world.write(tree.path, {"staged.txt": "s\n"})
    git_world.git(tree.path, "add", "staged.txt")
    (tree.path / "src/b.py").rename(tree.path / "src/moved.py")
    (tree.path / "src/c.py").unlink()
    (tree.path / "binary").write_bytes(b"\0\1\2")
    found = status.read(tree, base_branch="main")
    assert found == {
        "branch": "KB/1",
        "ahead": 1,
        "behind": 0,
        "hasUncommitted": True,
        "files": [
            changed("a.txt", "M", insertions=2, deletions=1),
            changed("binary", "?", binary=True),
            changed("committed.txt", "A", insertions=1),
            changed("new.txt", "?", insertions=2),
            changed("src/moved.py", "R") | {"oldPath": "src/b.py"},
            changed("staged.txt", "A", insertions=1, staged=True),
        ],
        "summary": {"added": 2, "modified": 2, "deleted": 0, "untracked": 2, "staged": 1},
        "truncated": False,
    }


def changed(
    path: str,
    letter: status.Letter,
    *,
    insertions: int = 0,
    deletions: int = 0,
    staged: bool = False,
    binary: bool = False,
) -> status.ChangedFile:
    return {
        "path": path,
        "status": letter,
        "staged": staged,
        "binary": binary,
        "insertions": insertions,
        "deletions": deletions,
    }


def test_looking_changes_nothing(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "other\n", "new.txt": "x\n"})
    before = (tree.git_directory / "index").read_bytes()
    status.read(tree, base_branch="main")
    assert (tree.git_directory / "index").read_bytes() == before
    assert not (tree.git_directory / "index.lock").exists()


def test_names_may_be_anything(tree: trees.Tree) -> None:
    strange = {"ü b/日本.txt", "line\nbreak", 'quo"te', "tab\t", "-dash", ":(top)x", "back\\slash"}
    git_world.write(tree.path, dict.fromkeys(strange, "x\n"))
    (tree.path / "caf\udce9").write_text("x\n")
    found = status.read(tree, base_branch="main")
    assert letters(found) == dict.fromkeys(strange | {"caf\\xe9"}, "?")
    assert {one["insertions"] for one in found["files"]} == {1}
    git_world.git(tree.path, "add", "--all")
    assert letters(status.read(tree, base_branch="main")) == dict.fromkeys(
        strange | {"caf\\xe9"}, "A"
    )


def test_the_fork_point_is_the_measure(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(repository, {"theirs.txt": "t\n"})
    git_world.commit(tree.path, {"ours.txt": "o\n"})
    found = status.read(tree, base_branch="main")
    assert (found["ahead"], found["behind"], letters(found)) == (1, 1, {"ours.txt": "A"})


def test_a_base_branch_that_is_gone_is_replaced_by_its_commit(
    repository: Path, worktree: trees.Worktree
) -> None:
    git_world.git(repository, "branch", "-m", "main", "trunk")
    git_world.write(worktree.path, {"new.txt": "x\n"})
    found = status.read(worktree.tree, base_branch="main", base_sha=worktree.base_sha)
    assert letters(found) == {"new.txt": "?"}
    with pytest.raises(BranchMissing):
        status.read(worktree.tree, base_branch="main")


def test_conflicts_are_told(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(repository, {"a.txt": "theirs\n"})
    git_world.commit(tree.path, {"a.txt": "ours\n"})
    with pytest.raises(Exception, match="non-zero"):
        git_world.git(tree.path, "merge", "main")
    found = status.read(tree, base_branch="main")
    assert letters(found) == {"a.txt": "U"}
    assert found["hasUncommitted"]


def test_ignored_files_are_not_listed(tree: trees.Tree) -> None:
    git_world.write(tree.path, {".gitignore": "/out/\n", "out/x": "x"})
    assert letters(status.read(tree, base_branch="main")) == {".gitignore": "?"}


def test_a_detached_head_has_no_branch(tree: trees.Tree) -> None:
    git_world.git(tree.path, "checkout", "--quiet", "--detach")
    git_world.commit(tree.path, {"x.txt": "x\n"})
    found = status.read(tree, base_branch="main")
    assert (found["branch"], found["ahead"]) == (None, 1)


def test_a_branch_without_commits_is_compared_too(tree: trees.Tree) -> None:
    git_world.git(tree.path, "switch", "--quiet", "--orphan", "fresh")
    git_world.write(tree.path, {"x.txt": "x\n"})
    found = status.read(tree, base_branch="main")
    assert letters(found) == {"a.txt": "D", "src/b.py": "D", "x.txt": "?"}
    git_world.commit(tree.path, {"x.txt": "x\n"})
    found = status.read(tree, base_branch="main")
    assert letters(found) == {"x.txt": "A"}


def test_planted_repositories_are_shown_and_never_entered(tmp_path: Path, tree: trees.Tree) -> None:
    mark = tmp_path / "mark"
    git_world.trapped(tree.path / "planted", mark)
    git_world.trapped(tree.path / "added", mark)
    git_world.git(tree.path, "init", "--quiet", "unborn")
    git_world.git(tree.path, "add", "added")
    git_world.write(
        tree.path,
        {".gitmodules": '[submodule "added"]\n\tpath = added\n\turl = x\n\tignore = none\n'},
    )
    mark.unlink(missing_ok=True)
    found = status.read(tree, base_branch="main")
    assert letters(found) == {".gitmodules": "?", "added": "A", "planted": "?", "unborn": "?"}
    assert not mark.exists()


def test_a_long_list_is_cut(tree: trees.Tree) -> None:
    git_world.write(tree.path, {f"{number}.txt": "x\n" for number in range(5)})
    found = status.read(tree, base_branch="main", limit=2)
    assert (len(found["files"]), found["truncated"]) == (2, True)
    assert found["summary"]["untracked"] == 5


def test_the_files_of_a_worktree_are_listed(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"new ü.txt": "x"})
    assert status.tracked_files(tree) == ["a.txt", "new ü.txt", "src/b.py"]
