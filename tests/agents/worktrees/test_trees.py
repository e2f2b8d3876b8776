import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.agents.worktrees import trees
from apps.agents.worktrees.errors import BranchExists, BranchMissing, NoCommits, NoWorktree
from apps.core import git
from tests import git_world


def branches(repository: Path) -> list[str]:
    return git_world.git(repository, "branch", "--format=%(refname:short)").splitlines()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(path)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small file system")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_worktree_begins_where_the_base_branch_is(
    worktree: trees.Worktree, repository: Path
) -> None:
    main = git_world.git(repository, "rev-parse", "main")
    assert (worktree.branch, worktree.base_sha, worktree.tree.branch) == ("KB/1", main, "KB/1")
    assert (worktree.path / "src/b.py").read_text() == "b = 1\n" * 20
    assert trees.is_worktree(repository=repository, path=worktree.path)
    assert git_world.git(worktree.path, "status", "--porcelain") == ""


def test_the_persons_checkout_is_left_alone(tmp_path: Path, repository: Path) -> None:
    git_world.write(repository, {"a.txt": "mine\n", "new.txt": "mine too\n"})
    git_world.git(repository, "add", "new.txt")
    before = git_world.state(repository)
    made = trees.create(repository=repository, path=tmp_path / "w", branch="x", base_branch="main")
    assert git_world.state(repository) == before
    assert (made.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert not (made.path / "new.txt").exists()


def test_a_branch_that_exists_is_never_touched(tmp_path: Path, repository: Path) -> None:
    git_world.git(repository, "switch", "--quiet", "-c", "feat/x")
    sha = git_world.commit(repository, {"c.txt": "c\n"})
    git_world.git(repository, "switch", "--quiet", "main")
    for branch in ("feat/x", "feat", "feat/x/y"):
        with pytest.raises(BranchExists):
            trees.create(
                repository=repository, path=tmp_path / "w", branch=branch, base_branch="main"
            )
    assert not (tmp_path / "w").exists()
    assert git_world.git(repository, "rev-parse", "feat/x") == sha
    assert branches(repository) == ["feat/x", "main"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [("feat/x", "feat/x-2"), ("FEAT/X", "FEAT/X-2"), ("feat", "feat-2"), ("feat/x/y", "feat/x-y")],
)
def test_a_taken_name_gives_the_nearest_free_one(
    tmp_path: Path, repository: Path, asked: str, given: str
) -> None:
    git_world.git(repository, "branch", "feat/x")
    git_world.git(repository, "pack-refs", "--all")
    made = trees.create(
        repository=repository, path=tmp_path / "w", branch=asked, base_branch="main", unique=True
    )
    assert made.branch == given


def test_a_name_git_does_not_take_is_refused(tmp_path: Path, repository: Path) -> None:
    for branch in ("", "-x", "a..b", "HEAD", "a b", "x.lock", "a~1"):
        with pytest.raises(BranchExists):
            trees.create(
                repository=repository, path=tmp_path / "w", branch=branch, base_branch="main"
            )


def test_the_base_may_be_a_remotes_branch_a_commit_or_head(
    tmp_path: Path, repository: Path
) -> None:
    git_world.git(repository, "branch", "release/1")
    git_world.git(tmp_path, "clone", "--quiet", str(repository), "clone")
    clone = tmp_path / "clone"
    head = git_world.git(clone, "rev-parse", "HEAD")
    git_world.git(clone, "checkout", "--quiet", "--detach")
    for number, base in enumerate(("origin/release/1", "release/1", head, None, "HEAD")):
        made = trees.create(
            repository=clone, path=tmp_path / f"w{number}", branch=f"b{number}", base_branch=base
        )
        assert made.base_sha == head
    assert git_world.git(clone, "config", "--get-regexp", "^branch") == (
        "branch.main.remote origin\nbranch.main.merge refs/heads/main"
    )


def test_a_base_that_is_missing_is_said(tmp_path: Path, repository: Path) -> None:
    for base in ("nope", "main~1", "../main", "f" * 40, "", "-x"):
        with pytest.raises(BranchMissing):
            trees.create(repository=repository, path=tmp_path / "w", branch="x", base_branch=base)
    assert branches(repository) == ["main"]


def test_a_repository_without_commits_is_said(tmp_path: Path) -> None:
    git_world.git(tmp_path, "init", "--quiet", "empty")
    for base in ("main", None):
        with pytest.raises(NoCommits, match="no commits yet"):
            trees.create(
                repository=tmp_path / "empty", path=tmp_path / "w", branch="x", base_branch=base
            )


def test_a_path_that_is_no_repository_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(git.NotARepository):
            trees.create(repository=path, path=tmp_path / "w", branch="x", base_branch="main")


def test_a_bare_repository_can_have_worktrees(tmp_path: Path, repository: Path) -> None:
    git_world.git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")
    made = trees.create(
        repository=tmp_path / "bare.git", path=tmp_path / "w", branch="x", base_branch="main"
    )
    assert git.text("status", "--porcelain", at=made.tree.place) == ""


def test_a_hook_that_hangs_does_not_run(tmp_path: Path, repository: Path) -> None:
    git_world.set_hook(repository, "post-checkout", f"touch {tmp_path}/hooked; sleep 600")
    git_world.set_hook(repository, "reference-transaction", "sleep 600")
    trees.create(repository=repository, path=tmp_path / "w", branch="x", base_branch="main")
    assert not (tmp_path / "hooked").exists()


def test_submodules_do_no_harm(tmp_path: Path, repository: Path) -> None:
    inner = git_world.repository(tmp_path / "inner")
    git_world.git(
        *(repository, "-c", "protocol.file.allow=always"),
        *("submodule", "--quiet", "add", str(inner), "lib/inner"),
    )
    git_world.git(repository, "commit", "--quiet", "-m", "submodule")
    made = trees.create(repository=repository, path=tmp_path / "w", branch="x", base_branch="main")
    assert list((made.path / "lib/inner").iterdir()) == []


def test_what_a_crash_left_is_not_taken_for_a_worktree(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "w"
    path.mkdir()
    assert not trees.is_worktree(repository=repository, path=path)
    made = trees.create(repository=repository, path=path, branch="x", base_branch="main")
    assert trees.is_worktree(repository=repository, path=path)
    git_world.git(repository, "worktree", "list")
    (tmp_path / "moved").mkdir()
    made.path.rename(tmp_path / "moved" / "w")
    again = trees.create(repository=repository, path=path, branch="y", base_branch="main")
    assert again.tree.branch == "y"


def test_a_directory_with_files_is_never_taken(tmp_path: Path, repository: Path) -> None:
    git_world.write(tmp_path / "w", {"mine.txt": "mine\n"})
    (tmp_path / "link").symlink_to(tmp_path / "w")
    for path in (tmp_path / "w", tmp_path / "link", tmp_path / "w" / "mine.txt"):
        with pytest.raises(git.PathOccupied):
            trees.create(repository=repository, path=path, branch="x", base_branch="main")
    assert (tmp_path / "w" / "mine.txt").read_text() == "mine\n"
    assert branches(repository) == ["main"]


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, repository: Path, small_disk: Path
) -> None:
    (repository / "big").write_bytes(os.urandom(3 * 1024 * 1024))
    git_world.commit(repository, {})
    before = git_world.state(repository)
    with pytest.raises(git.DiskFull, match="no room left"):
        trees.create(repository=repository, path=small_disk / "w", branch="x", base_branch="main")
    assert not (small_disk / "w").exists()
    assert branches(repository) == ["main"]
    assert git_world.git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert git_world.state(repository) == before


def test_many_worktrees_are_made_at_once(tmp_path: Path, repository: Path) -> None:
    def make(number: int) -> trees.Worktree:
        return trees.create(
            repository=repository,
            path=tmp_path / "worktrees" / f"sess_{number}",
            branch="same",
            base_branch="main",
            unique=True,
        )

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert sorted(one.branch for one in made) == ["same", *(f"same-{n}" for n in range(2, 9))]
    assert all(one.tree.branch == one.branch for one in made)
    exclude = (repository / ".git/info/exclude").read_text().splitlines()
    assert exclude.count("/.kanbanai/") == 1


def test_one_path_is_given_to_one_worktree(tmp_path: Path, repository: Path) -> None:
    def make(number: int) -> bool:
        try:
            trees.create(
                repository=repository,
                path=tmp_path / "w",
                branch=f"b{number}",
                base_branch="main",
            )
        except git.PathOccupied:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(make, range(6))).count(True) == 1
    tree = trees.attach(repository=repository, path=tmp_path / "w")
    assert sorted(branches(repository)) == sorted(["main", tree.branch or ""])


def test_what_agents_leave_behind_is_not_listed(worktree: trees.Worktree, repository: Path) -> None:
    git_world.write(worktree.path, {".kanbanai/notes": "x", ".claude/settings.local.json": "{}"})
    assert git_world.git(worktree.path, "status", "--porcelain", "-uall") == ""


def test_only_a_whole_worktree_of_this_repository_is_one(
    tmp_path: Path, repository: Path, worktree: trees.Worktree
) -> None:
    other = git_world.repository(tmp_path / "other")
    (tmp_path / "link").symlink_to(worktree.path)
    for path in (repository, other, worktree.path / "src", tmp_path / "link", tmp_path / "none"):
        assert not trees.is_worktree(repository=repository, path=path)
    assert not trees.is_worktree(repository=other, path=worktree.path)
    assert trees.is_worktree(repository=repository, path=worktree.path)


def test_a_worktree_that_points_elsewhere_is_not_obeyed(
    tmp_path: Path, repository: Path, worktree: trees.Worktree
) -> None:
    mark = tmp_path / "mark"
    trap = git_world.trapped(tmp_path / "trap", mark)
    mark.unlink(missing_ok=True)
    pointer = worktree.path / ".git"
    genuine = pointer.read_text()
    pointer.write_text(f"gitdir: {trap}/.git\n")
    assert git.text("rev-parse", "HEAD", at=worktree.tree.place) == worktree.base_sha
    git.run("status", at=worktree.tree.place)
    with pytest.raises(NoWorktree):
        trees.attach(repository=repository, path=worktree.path)
    pointer.unlink()
    pointer.symlink_to(trap / ".git")
    assert not trees.is_worktree(repository=repository, path=worktree.path)
    pointer.unlink()
    assert not trees.is_worktree(repository=repository, path=worktree.path)
    pointer.write_text(genuine)
    assert trees.is_worktree(repository=repository, path=worktree.path)
    assert not mark.exists()


def test_settings_planted_in_a_worktree_are_refused(
    repository: Path, worktree: trees.Worktree
) -> None:
    git_world.git(repository, "config", "extensions.worktreeConfig", "true")
    git_world.git(worktree.path, "config", "--worktree", "core.sparseCheckout", "false")
    assert trees.is_worktree(repository=repository, path=worktree.path)
    git_world.git(worktree.path, "config", "--worktree", "filter.x.clean", "touch /tmp/x")
    with pytest.raises(NoWorktree, match=r"filter\.x\.clean"):
        trees.attach(repository=repository, path=worktree.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_a_worktree_of_another_account_is_said(repository: Path, worktree: trees.Worktree) -> None:
    os.chown(worktree.path, 65534, 65534)
    with pytest.raises(git.NotOurs, match="another account"):
        trees.attach(repository=repository, path=worktree.path)


def test_locks_of_a_killed_process_can_be_removed(tree: trees.Tree) -> None:
    (tree.git_directory / "index.lock").touch()
    assert trees.unlock(tree) == ["index.lock"]
    assert trees.unlock(tree) == []
