from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.agents.worktrees import facts, merges, trees
from apps.agents.worktrees.errors import (
    BranchMissing,
    CannotFastForward,
    CheckoutInTheWay,
    MergeConflict,
    UncommittedChanges,
    UnrelatedHistories,
)
from apps.agents.worktrees.merges import Strategy
from apps.core import git
from tests import git_world


def merge(
    repository: Path,
    strategy: Strategy = Strategy.MERGE,
    *,
    branch: str = "KB/1",
    base: str = "main",
    worktree: trees.Tree | None = None,
) -> merges.MergeResult:
    return merges.merge(
        repository=repository,
        branch=branch,
        base_branch=base,
        strategy=strategy,
        message="Bring it home",
        worktree=worktree,
    )


@pytest.fixture
def away(repository: Path) -> Path:
    """The person works on another branch than the base."""
    git_world.git(repository, "switch", "--quiet", "-c", "person")
    return repository


def parents(repository: Path, name: str) -> list[str]:
    return git_world.git(repository, "log", "-1", "--format=%P", name).split()


def test_a_merge_makes_a_commit_of_both(away: Path, tree: trees.Tree) -> None:
    before = git_world.git(away, "rev-parse", "main")
    tip = git_world.commit(tree.path, {"new.txt": "n\n"})
    state = git_world.state(away)
    done = merge(away, worktree=tree)
    assert done == merges.MergeResult(
        git_world.git(away, "rev-parse", "main"), before, "main", Strategy.MERGE, changed=True
    )
    assert parents(away, "main") == [before, tip]
    assert git_world.git(away, "log", "-1", "--format=%an|%B", "main") == (
        "KanbanAI|Bring it home\n"
    )
    assert git_world.git(away, "show", "main:new.txt") == "n"
    assert git_world.state(away) == state
    assert git_world.git(tree.path, "status", "--porcelain") == ""


def test_a_squash_makes_one_commit(away: Path, tree: trees.Tree) -> None:
    before = git_world.git(away, "rev-parse", "main")
    git_world.commit(tree.path, {"x.txt": "1\n"})
    git_world.commit(tree.path, {"x.txt": "2\n"})
    assert not facts.is_merged(away, "KB/1", "main")
    merge(away, Strategy.SQUASH)
    assert parents(away, "main") == [before]
    assert git_world.git(away, "show", "main:x.txt") == "2"
    assert facts.is_merged(away, "KB/1", "main")
    assert not merge(away, Strategy.SQUASH).changed


def test_a_fast_forward_moves_only_forward(away: Path, tree: trees.Tree) -> None:
    tip = git_world.commit(tree.path, {"x.txt": "1\n"})
    assert merge(away, Strategy.FAST_FORWARD).sha == tip
    assert git_world.git(away, "rev-parse", "main") == tip
    git_world.commit(tree.path, {"x.txt": "2\n"})
    git_world.git(away, "switch", "--quiet", "main")
    moved = git_world.commit(away, {"y.txt": "y\n"})
    with pytest.raises(CannotFastForward, match="“main” has commits"):
        merge(away, Strategy.FAST_FORWARD)
    assert git_world.git(away, "rev-parse", "main") == moved


def test_nothing_to_merge_changes_nothing(away: Path, tree: trees.Tree) -> None:
    sha = git_world.git(away, "rev-parse", "main")
    for strategy in Strategy:
        done = merge(away, strategy)
        assert (done.changed, done.sha) == (False, sha)
    assert facts.is_merged(away, "KB/1", "main")


def test_a_conflict_names_its_files_and_changes_nothing(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"a.txt": "ours\n", "ü\n.txt": "ours\n", "fine.txt": "f\n"})
    git_world.commit(repository, {"a.txt": "theirs\n", "ü\n.txt": "theirs\n"})
    before = (git_world.git(repository, "rev-parse", "main"), git_world.state(repository))
    for strategy in (Strategy.MERGE, Strategy.SQUASH):
        with pytest.raises(MergeConflict) as caught:
            merge(repository, strategy)
        assert caught.value.files == ["a.txt", "ü\n.txt"]
    assert (git_world.git(repository, "rev-parse", "main"), git_world.state(repository)) == before
    assert merges.preview(repository=repository, branch="KB/1", base_branch="main") == [
        "a.txt",
        "ü\n.txt",
    ]


def test_uncommitted_changes_come_first(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"x.txt": "1\n"})
    git_world.write(tree.path, {"a.txt": "changed\n", "new.txt": "new\n"})
    before = git_world.git(repository, "rev-parse", "main")
    with pytest.raises(UncommittedChanges, match="commit them first") as caught:
        merge(repository, worktree=tree)
    assert caught.value.files == ["a.txt", "new.txt"]
    assert git_world.git(repository, "rev-parse", "main") == before


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_clean_checkout_of_the_base_moves_along(
    repository: Path, tree: trees.Tree, strategy: Strategy
) -> None:
    git_world.commit(tree.path, {"new.txt": "n\n", "a.txt": "changed\n"})
    git_world.set_hook(repository, "post-merge", "sleep 600")
    merge(repository, strategy)
    assert git_world.state(repository) == ("refs/heads/main", "", "")
    assert (repository / "new.txt").read_text() == "n\n"
    assert (repository / "a.txt").read_text() == "changed\n"


def test_a_persons_changes_elsewhere_stay(repository: Path, tree: trees.Tree) -> None:
    git_world.write(repository, {"src/b.py": "mine\n", "mine.txt": "mine\n", "staged.txt": "s\n"})
    git_world.git(repository, "add", "staged.txt")
    before = git_world.git(repository, "status", "--porcelain")
    git_world.commit(tree.path, {"a.txt": "changed\n"})
    merge(repository)
    assert git_world.git(repository, "status", "--porcelain") == before
    assert (repository / "src/b.py").read_text() == "mine\n"
    assert (repository / "a.txt").read_text() == "changed\n"


@pytest.mark.parametrize(
    ("mine", "stage"), [("a.txt", False), ("a.txt", True), ("new.txt", False), ("out/x", False)]
)
def test_a_persons_changes_in_the_way_stop_the_merge(
    repository: Path, tree: trees.Tree, mine: str, *, stage: bool
) -> None:
    git_world.write(repository, {".git/info/exclude": "/out/\n"})
    git_world.commit(tree.path, {"a.txt": "changed\n", "new.txt": "n\n"})
    git_world.write(tree.path, {"out/x": "theirs\n"})
    git_world.git(tree.path, "add", "--force", "out/x")
    git_world.commit(tree.path, {})
    git_world.write(repository, {mine: "mine\n"})
    if stage:
        git_world.git(repository, "add", mine)
    before = (git_world.git(repository, "rev-parse", "main"), git_world.state(repository))
    with pytest.raises(CheckoutInTheWay, match="is checked out at") as caught:
        merge(repository)
    assert caught.value.files == [mine]
    assert (git_world.git(repository, "rev-parse", "main"), git_world.state(repository)) == before
    assert (repository / mine).read_text() == "mine\n"
    assert not facts.is_merged(repository, "KB/1", "main")


def test_an_unfinished_merge_in_the_checkout_stops_ours(repository: Path, tree: trees.Tree) -> None:
    git_world.git(repository, "switch", "--quiet", "-c", "other")
    git_world.commit(repository, {"src/b.py": "other\n"})
    git_world.git(repository, "switch", "--quiet", "main")
    git_world.commit(repository, {"src/b.py": "main\n"})
    with pytest.raises(Exception, match="non-zero"):
        git_world.git(repository, "merge", "other")
    git_world.commit(tree.path, {"a.txt": "changed\n"})
    before = git_world.git(repository, "rev-parse", "main")
    with pytest.raises(CheckoutInTheWay, match="not finished"):
        merge(repository)
    assert git_world.git(repository, "rev-parse", "main") == before


def test_a_base_that_is_being_rebased_is_left_alone(repository: Path, tree: trees.Tree) -> None:
    git_world.git(repository, "switch", "--quiet", "-c", "other")
    git_world.commit(repository, {"src/b.py": "other\n"})
    git_world.git(repository, "switch", "--quiet", "main")
    before = git_world.commit(repository, {"src/b.py": "main\n"})
    with pytest.raises(Exception, match="non-zero"):
        git_world.git(repository, "rebase", "other")
    git_world.commit(tree.path, {"a.txt": "changed\n"})
    with pytest.raises(CheckoutInTheWay, match="being rebased"):
        merge(repository)
    assert git_world.git(repository, "rev-parse", "main") == before


def test_a_second_checkout_of_the_base_moves_along(
    tmp_path: Path, away: Path, tree: trees.Tree
) -> None:
    second = tmp_path / "second"
    git_world.git(away, "worktree", "add", "--quiet", str(second), "main")
    git_world.commit(tree.path, {"new.txt": "n\n"})
    merge(away)
    assert git_world.state(second) == ("refs/heads/main", "", "")
    assert (second / "new.txt").exists()
    assert not (away / "new.txt").exists()


def test_a_checkout_that_is_gone_is_no_obstacle(
    tmp_path: Path, away: Path, tree: trees.Tree
) -> None:
    second = tmp_path / "second"
    git_world.git(away, "worktree", "add", "--quiet", str(second), "main")
    second.rename(tmp_path / "moved")
    git_world.commit(tree.path, {"new.txt": "n\n"})
    assert merge(away).changed


def test_a_base_of_a_remote_becomes_a_local_branch(tmp_path: Path, repository: Path) -> None:
    git_world.git(repository, "branch", "release")
    git_world.git(tmp_path, "clone", "--quiet", str(repository), "clone")
    clone = tmp_path / "clone"
    tree = trees.create(
        repository=clone, path=tmp_path / "w", branch="x", base_branch="origin/release"
    ).tree
    tip = git_world.commit(tree.path, {"x.txt": "x\n"})
    assert merge(clone, Strategy.FAST_FORWARD, branch="x", base="origin/release").base == "release"
    assert git_world.git(clone, "rev-parse", "release") == tip
    assert git_world.git(clone, "rev-parse", "origin/release") != tip


def test_a_bare_repository_takes_merges(tmp_path: Path, repository: Path) -> None:
    git_world.git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")
    bare = tmp_path / "bare.git"
    tree = trees.create(repository=bare, path=tmp_path / "w", branch="x", base_branch="main").tree
    git.run("status", at=tree.place)
    git_world.commit(tree.path, {"x.txt": "x\n"})
    assert merge(bare, branch="x").changed
    assert git_world.git(bare, "show", "main:x.txt") == "x"


def test_strangers_cannot_be_merged(away: Path, tree: trees.Tree) -> None:
    git_world.git(tree.path, "switch", "--quiet", "--orphan", "stranger")
    git_world.commit(tree.path, {"x.txt": "x\n"})
    with pytest.raises(UnrelatedHistories):
        merge(away, branch="stranger")
    assert not facts.is_merged(away, "stranger", "main")


def test_a_missing_branch_is_said(away: Path, tree: trees.Tree) -> None:
    for branch, base in (("nope", "main"), ("KB/1", "nope"), ("KB/1", "f" * 40)):
        with pytest.raises(BranchMissing):
            merge(away, branch=branch, base=base)


@pytest.mark.parametrize("checked_out", [False, True])
def test_merges_at_once_all_arrive(tmp_path: Path, repository: Path, *, checked_out: bool) -> None:
    if not checked_out:
        git_world.git(repository, "switch", "--quiet", "-c", "person")
    for number in range(6):
        made = trees.create(
            repository=repository,
            path=tmp_path / f"w{number}",
            branch=f"b{number}",
            base_branch="main",
        )
        git_world.commit(made.path, {f"{number}.txt": "x\n"})

    def one(number: int) -> bool:
        return merge(repository, list(Strategy)[number % 2], branch=f"b{number}").changed

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(one, range(6)))
    names = git_world.git(repository, "ls-tree", "--name-only", "main").splitlines()
    assert names == ["0.txt", "1.txt", "2.txt", "3.txt", "4.txt", "5.txt", "a.txt", "src"]
    assert git_world.git(repository, "rev-list", "--count", "--first-parent", "main") == "7"
    assert git_world.git(repository, "status", "--porcelain") == ""


def test_a_squash_is_recognised_after_the_base_went_on(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"x.txt": "1\n"})
    git_world.commit(tree.path, {"x.txt": "2\n"})
    merge(repository, Strategy.SQUASH)
    git_world.commit(repository, {"x.txt": "3\n"})
    assert facts.is_merged(repository, "KB/1", "main")
    git_world.commit(tree.path, {"y.txt": "more\n"})
    assert not facts.is_merged(repository, "KB/1", "main")


def test_facts_about_branches(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(repository, {"t.txt": "t\n"})
    sha = git_world.commit(tree.path, {"o.txt": "o\n"}, "the ü subject")
    main = git_world.git(repository, "rev-parse", "main")
    assert facts.distance(tree.place, base_sha=main) == facts.Distance(ahead=1, behind=1)
    last = facts.last_commit(tree.place)
    assert last is not None
    assert (last["sha"], last["shortSha"], last["subject"], last["author"]) == (
        sha,
        sha[:7],
        "the ü subject",
        "Ada",
    )
    assert facts.last_commit(repository, "nope") is None
