import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.agents.worktrees import backups, merges, trees
from apps.agents.worktrees.errors import BackupMissing, NoWorktree
from apps.core import git
from tests import git_world

REF = "refs/kanbanai/backup/sess_1"


def remove(tree: trees.Tree, base: str | None = "main") -> backups.Removal:
    return backups.remove(
        repository=tree.repository, path=tree.path, backup_ref=REF, base_branch=base
    )


def restore(tree: trees.Tree, branch: str = "KB/1") -> trees.Worktree:
    return backups.restore(
        repository=tree.repository, backup_ref=REF, path=tree.path, branch=branch
    )


def saved(repository: Path) -> list[str]:
    listed = git_world.git(repository, "ls-tree", "-r", "-z", "--name-only", REF)
    return listed.split("\0")[:-1]


def branches(repository: Path) -> list[str]:
    return git_world.git(repository, "branch", "--format=%(refname:short)").splitlines()


def test_a_worktree_with_nothing_of_its_own_goes_without_a_trace(
    repository: Path, tree: trees.Tree
) -> None:
    assert remove(tree) == backups.Removal(None, "KB/1", branch_deleted=True)
    assert not tree.path.exists()
    assert branches(repository) == ["main"]
    assert git_world.git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert not backups.exists(repository=repository, backup_ref=REF)


def test_uncommitted_work_comes_back_uncommitted(repository: Path, tree: trees.Tree) -> None:
    head = git_world.commit(tree.path, {"c.txt": "c\n", ".gitignore": "out\n"})
    git_world.write(tree.path, {"a.txt": "changed\n", "ü new\n.txt": "new\n", "out/x": "x"})
    git_world.write(tree.path, {"staged.txt": "s\n"})
    git_world.git(tree.path, "add", "staged.txt")
    (tree.path / "src/b.py").unlink()
    (tree.path / "run.sh").write_text("#!/bin/sh\n")
    (tree.path / "run.sh").chmod(0o755)
    done = remove(tree)
    assert (done.branch, done.branch_deleted) == ("KB/1", False)
    assert git_world.git(repository, "rev-parse", f"{REF}^") == head
    back = restore(tree)
    assert (back.branch, back.base_sha, back.tree.branch) == ("KB/1", head, "KB/1")
    assert git_world.git(tree.path, "status", "--porcelain", "-z").split("\0")[:-1] == [
        " M a.txt",
        " D src/b.py",
        "?? run.sh",
        "?? staged.txt",
        "?? ü new\n.txt",
    ]
    assert os.access(tree.path / "run.sh", os.X_OK)
    assert (tree.path / "ü new\n.txt").read_text() == "new\n"
    assert not (tree.path / "out").exists()


def test_saving_disturbs_nothing(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "changed\n", "new.txt": "new\n"})
    git_world.git(tree.path, "add", "a.txt")
    git_world.write(tree.path, {"a.txt": "again\n"})
    index = (tree.git_directory / "index").read_bytes()
    state = git_world.state(repository)
    assert backups.save(tree, backup_ref=REF, base_branch="main") is not None
    assert (tree.git_directory / "index").read_bytes() == index
    assert git_world.git(tree.path, "status", "--porcelain") == "MM a.txt\n?? new.txt"
    assert git_world.state(repository) == state
    assert git_world.git(repository, "show", f"{REF}:a.txt") == "again"


def test_commits_that_are_merged_nowhere_are_kept(repository: Path, tree: trees.Tree) -> None:
    sha = git_world.commit(tree.path, {"c.txt": "c\n"})
    assert remove(tree) == backups.Removal(sha, "KB/1", branch_deleted=False)
    assert git_world.git(repository, "rev-parse", "KB/1") == sha
    git_world.git(repository, "branch", "-D", "KB/1")
    back = restore(tree)
    assert (back.branch, back.base_sha) == ("KB/1", sha)
    assert git_world.git(tree.path, "status", "--porcelain") == ""


def test_merged_commits_need_no_backup(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"c.txt": "c\n"})
    git_world.git(repository, "merge", "--quiet", "KB/1")
    assert remove(tree) == backups.Removal(None, "KB/1", branch_deleted=True)


def test_a_squashed_branch_goes_but_its_commits_stay_saved(
    repository: Path, tree: trees.Tree
) -> None:
    sha = git_world.commit(tree.path, {"c.txt": "c\n"})
    merges.merge(
        repository=repository,
        branch="KB/1",
        base_branch="main",
        strategy=merges.Strategy.SQUASH,
        message="x",
    )
    assert remove(tree) == backups.Removal(sha, "KB/1", branch_deleted=True)


def test_a_branch_that_is_checked_out_or_the_base_stays(
    tmp_path: Path, repository: Path, tree: trees.Tree
) -> None:
    git_world.git(repository, "switch", "--quiet", "-c", "person")
    git_world.git(tree.path, "switch", "--quiet", "main")
    assert remove(tree) == backups.Removal(None, "main", branch_deleted=False)
    assert branches(repository) == ["KB/1", "main", "person"]


def test_without_its_base_everything_is_kept(repository: Path, tree: trees.Tree) -> None:
    done = remove(tree, base="nope")
    assert done.backup_sha is not None
    assert not done.branch_deleted


def test_commits_on_no_branch_are_kept(repository: Path, tree: trees.Tree) -> None:
    git_world.git(tree.path, "checkout", "--quiet", "--detach")
    sha = git_world.commit(tree.path, {"c.txt": "c\n"})
    assert remove(tree) == backups.Removal(sha, None, branch_deleted=False)
    back = restore(tree)
    assert back.branch == "KB/1-2"
    assert (tree.path / "c.txt").exists()


def test_a_branch_without_commits_is_kept(repository: Path, tree: trees.Tree) -> None:
    git_world.git(tree.path, "switch", "--quiet", "--orphan", "fresh")
    git_world.write(tree.path, {"x.txt": "x\n"})
    assert remove(tree).backup_sha is not None
    assert saved(repository) == ["x.txt"]
    assert (restore(tree, "fresh").path / "x.txt").read_text() == "x\n"


def test_a_conflict_half_solved_is_kept(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(repository, {"a.txt": "theirs\n"})
    git_world.commit(tree.path, {"a.txt": "ours\n"})
    with pytest.raises(subprocess.CalledProcessError):
        git_world.git(tree.path, "merge", "main")
    remove(tree)
    assert "<<<<<<<" in git_world.git(repository, "show", f"{REF}:a.txt")


def test_a_branch_that_moved_on_is_left_alone(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "changed\n"})
    git_world.commit(tree.path, {"c.txt": "c\n"})
    remove(tree)
    git_world.git(repository, "switch", "--quiet", "KB/1")
    moved = git_world.commit(repository, {"d.txt": "d\n"})
    assert restore(tree).branch == "KB/1-2"
    assert git_world.git(repository, "rev-parse", "KB/1") == moved


def test_inner_repositories_are_saved_as_files_and_never_entered(
    tmp_path: Path, repository: Path, tree: trees.Tree
) -> None:
    mark = tmp_path / "mark"
    git_world.trapped(tree.path / "planted ü", mark)
    git_world.trapped(tree.path / "planted ü" / "deeper", mark)
    git_world.trapped(tree.path / "added", mark)
    git_world.git(tree.path, "init", "--quiet", "unborn")
    git_world.write(tree.path, {"unborn/x.txt": "x\n"})
    git_world.git(tree.path, "add", "added")
    mark.unlink(missing_ok=True)
    remove(tree)
    assert not mark.exists()
    assert saved(repository) == [
        "a.txt",
        "added/inside.txt",
        "planted ü/deeper/inside.txt",
        "planted ü/inside.txt",
        "src/b.py",
        "unborn/x.txt",
    ]
    restore(tree)
    assert (tree.path / "planted ü/inside.txt").read_text() == "changed inside\n"
    assert (tree.path / "added/inside.txt").read_text() == "changed inside\n"


def test_a_submodule_is_saved_when_it_holds_something_new(tmp_path: Path, repository: Path) -> None:
    inner = git_world.repository(tmp_path / "inner")
    allowed = ("-c", "protocol.file.allow=always")
    git_world.git(repository, *allowed, "submodule", "--quiet", "add", str(inner), "lib")
    git_world.git(repository, "commit", "--quiet", "-m", "submodule")

    def populated() -> trees.Tree:
        tree = trees.create(
            repository=repository, path=tmp_path / "w", branch="x", base_branch="main"
        ).tree
        git_world.git(tree.path, *allowed, "submodule", "--quiet", "update", "--init")
        return tree

    tree = populated()
    assert remove(tree).backup_sha is None
    tree = populated()
    git_world.write(tree.path, {"lib/new.txt": "new\n"})
    assert remove(tree).backup_sha is not None
    assert "lib/new.txt" in saved(repository)
    assert (restore(tree, "x").path / "lib/new.txt").read_text() == "new\n"


def test_a_planted_git_file_does_not_hide_work(
    tmp_path: Path, repository: Path, tree: trees.Tree
) -> None:
    mark = tmp_path / "mark"
    trap = git_world.trapped(tmp_path / "trap", mark)
    mark.unlink(missing_ok=True)
    git_world.write(tree.path, {"new.txt": "new\n"})
    (tree.path / ".git").write_text(f"gitdir: {trap}/.git\n")
    remove(tree)
    assert not mark.exists()
    assert saved(repository) == ["a.txt", "new.txt", "src/b.py"]
    assert (trap / "inside.txt").exists()


def test_a_damaged_index_does_not_hide_work(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"new.txt": "new\n"})
    (tree.git_directory / "index").write_bytes(b"damaged")
    (tree.git_directory / "index.lock").touch()
    remove(tree)
    assert saved(repository) == ["a.txt", "new.txt", "src/b.py"]


def test_read_only_directories_go_too(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"cache/x.txt": "x\n", ".gitignore": "cache\n"})
    (tree.path / "cache").chmod(0o555)
    remove(tree)
    assert not tree.path.exists()


def test_removing_twice_does_no_harm(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"new.txt": "new\n"})
    first = remove(tree)
    assert remove(tree) == backups.Removal(None, None, branch_deleted=False)
    tree.path.mkdir()
    assert remove(tree) == backups.Removal(None, None, branch_deleted=False)
    assert not tree.path.exists()
    assert git_world.git(repository, "rev-parse", REF) == first.backup_sha


def test_a_directory_removed_by_hand_loses_no_commit(
    tmp_path: Path, repository: Path, tree: trees.Tree
) -> None:
    git_world.git(tree.path, "checkout", "--quiet", "--detach")
    sha = git_world.commit(tree.path, {"c.txt": "c\n"})
    tree.path.rename(tmp_path / "gone")
    assert remove(tree).backup_sha == sha
    assert git_world.git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_what_is_no_worktree_is_never_removed(tmp_path: Path, repository: Path) -> None:
    git_world.write(tmp_path / "mine", {"mine.txt": "mine\n"})
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for path in (tmp_path / "mine", tmp_path / "link", repository):
        with pytest.raises(NoWorktree):
            backups.remove(repository=repository, path=path, backup_ref=REF, base_branch="main")
    assert (tmp_path / "mine" / "mine.txt").exists()
    assert (repository / "a.txt").exists()


def test_a_backup_has_its_own_corner(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"new.txt": "new\n"})
    for ref in ("refs/heads/main", "refs/kanbanai/backup/", "refs/kanbanai/backup/../x", "x"):
        with pytest.raises(BackupMissing):
            backups.save(tree, backup_ref=ref, base_branch="main")
    with pytest.raises(BackupMissing, match="no saved work"):
        backups.restore(repository=repository, backup_ref=REF, path=tree.path, branch="x")
    backups.save(tree, backup_ref=REF, base_branch="main")
    assert backups.exists(repository=repository, backup_ref=REF)
    backups.forget(repository=repository, backup_ref=REF)
    assert not backups.exists(repository=repository, backup_ref=REF)


@pytest.fixture
def small_repository(tmp_path: Path) -> Iterator[Path]:
    """A repository on a file system of 2 MiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(mount)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small file system")
    yield git_world.repository(mount / "repository")
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_work_that_cannot_be_saved_stays_where_it_is(
    tmp_path: Path, small_repository: Path
) -> None:
    tree = trees.create(
        repository=small_repository, path=tmp_path / "w", branch="x", base_branch="main"
    ).tree
    (tree.path / "big").write_bytes(os.urandom(4 * 1024 * 1024))
    with pytest.raises(git.DiskFull, match="no room left"):
        remove(tree)
    assert (tree.path / "big").stat().st_size == 4 * 1024 * 1024
    assert trees.is_worktree(repository=small_repository, path=tree.path)
