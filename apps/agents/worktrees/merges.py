"""Merges into the base branch, for real, without anybody's checkout being switched.

The merge itself is made in the object store by ``git merge-tree``; no checkout takes part. Only
then does the base branch move, by compare and swap: when somebody else moved it meanwhile, the
merge is made again from the new place.

When the base branch is checked out somewhere (most often in the person's own clone), moving the
branch alone would leave that checkout looking as if the merge had been undone by hand. There the
branch moves by ``git merge --ff-only`` inside that checkout: git brings its files forward and the
branch with them. Changes of the person in files that the merge does not touch stay as they are;
when a changed, staged, untracked or ignored file is in the way, git moves nothing at all and
neither do we: the merge is refused with the files named (`CheckoutInTheWay`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from apps.agents.worktrees import bases, facts, locks, trees
from apps.agents.worktrees.bases import Base
from apps.agents.worktrees.errors import (
    BranchMissing,
    CannotFastForward,
    CheckoutInTheWay,
    MergeConflict,
    UncommittedChanges,
    UnrelatedHistories,
)
from apps.agents.worktrees.trees import Tree
from apps.core import git

TRIES = 10
_NAMES_SHOWN = 5


class Strategy(StrEnum):
    """How commits come to the base branch."""

    MERGE = "merge"
    SQUASH = "squash"
    FAST_FORWARD = "ff"


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What became of a merge: the base branch's commit now and before, and how it came there.

    `changed` is False when the base branch had everything already.
    """

    sha: str
    before: str
    base: str
    strategy: Strategy
    changed: bool


def merge(
    *,
    repository: Path,
    branch: str,
    base_branch: str,
    strategy: Strategy,
    message: str,
    author: git.Identity | None = None,
    worktree: Tree | None = None,
) -> MergeResult:
    """Merge a branch into its base branch.

    `merge` makes a merge commit, `squash` one commit with all changes, `ff` moves the base branch
    to the branch's commit or raises `CannotFastForward`. A base known only from a remote becomes a
    local branch. Raises `UncommittedChanges` when the worktree (if given) has any, `MergeConflict`
    with the files, `CheckoutInTheWay`, `UnrelatedHistories`; then nothing has changed.
    """
    if worktree is not None:
        require_clean(worktree)
    with locks.held(trees.common_directory(repository)):
        return _merge(repository, branch, base_branch, strategy, message, author)


def _merge(
    repository: Path,
    branch: str,
    base_branch: str,
    strategy: Strategy,
    message: str,
    author: git.Identity | None,
) -> MergeResult:
    last = git.RefMoved(f"The branch “{base_branch}” is being changed all the time; try again.")
    for _ in range(TRIES):
        base = bases.resolve(repository, base_branch)
        tip = bases.commit(repository, f"refs/heads/{branch}")
        if tip is None:
            raise BranchMissing(f"The repository has no branch “{branch}”.")
        if base.local is None:
            raise BranchMissing("A merge needs a base branch, not a commit.")
        base = _local(repository, base)
        made = _made(repository, base, branch, tip, strategy, message, author)
        if made == base.sha:
            return MergeResult(made, base.sha, base.local or "", strategy, changed=False)
        try:
            _advance(repository, base, made, branch)
        except git.RefMoved as error:
            last = error
        else:
            return MergeResult(made, base.sha, base.local or "", strategy, changed=True)
    raise last


def preview(*, repository: Path, branch: str, base_branch: str) -> list[str]:
    """List the files that a merge would leave in conflict; an empty list means it would work."""
    base = bases.resolve(repository, base_branch)
    tip = bases.commit(repository, f"refs/heads/{branch}")
    if tip is None:
        raise BranchMissing(f"The repository has no branch “{branch}”.")
    try:
        _merged_tree(repository, base.sha, tip, branch, base.local or base_branch)
    except MergeConflict as conflict:
        return conflict.files
    return []


def require_clean(worktree: Tree) -> None:
    """Raise `UncommittedChanges` with the files when a worktree has any."""
    finished = git.run(
        *("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"),
        "--ignore-submodules=dirty",
        at=worktree.place,
    )
    files = [git.shown(record[3:]) for record in finished.stdout.split(b"\0")[:-1]]
    if files:
        raise UncommittedChanges(
            f"The worktree has changes that are not committed ({_some(files)}); commit them first.",
            files=files,
        )


def _local(repository: Path, base: Base) -> Base:
    # A base from a remote: its local branch is what moves, when there is one.
    ref = f"refs/heads/{base.local}"
    if base.ref == ref:
        return base
    sha = bases.commit(repository, ref)
    if sha is None:
        git.run("update-ref", "--create-reflog", ref, base.sha, "", at=repository)
        sha = base.sha
    return Base(sha, ref, base.local)


def _made(
    repository: Path,
    base: Base,
    branch: str,
    tip: str,
    strategy: Strategy,
    message: str,
    author: git.Identity | None,
) -> str:
    if git.succeeds("merge-base", "--is-ancestor", tip, base.sha, at=repository):
        return base.sha
    if strategy is Strategy.FAST_FORWARD:
        if not git.succeeds("merge-base", "--is-ancestor", base.sha, tip, at=repository):
            raise CannotFastForward(
                f"“{base.local}” has commits that “{branch}” does not have, so it cannot be moved"
                " forward; merge or squash instead."
            )
        return tip
    tree = _merged_tree(repository, base.sha, tip, branch, base.local or "")
    if strategy is Strategy.SQUASH:
        if tree == git.text("rev-parse", f"{base.sha}^{{tree}}", at=repository):
            return base.sha
        parents = ["-p", base.sha]
    else:
        parents = ["-p", base.sha, "-p", tip]
    finished = git.run(
        *("commit-tree", tree, *parents, "-F", "-"),
        at=repository,
        stdin=(message.strip() or f"Merge branch '{branch}'").encode() + b"\n",
        environment=git.identity(repository, author).environment(),
    )
    return git.shown(finished.stdout).strip()


def _merged_tree(repository: Path, base: str, tip: str, branch: str, into: str) -> str:
    if git.find_text("merge-base", base, tip, at=repository) is None:
        raise UnrelatedHistories(f"“{branch}” and “{into}” have no common commit.")
    finished = git.run(
        *("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", base, tip),
        at=repository,
        codes=(0, 1),
    )
    tree, *rest = finished.stdout.split(b"\0")
    if finished.code == 0:
        return git.shown(tree).strip()
    files = sorted({git.shown(name) for name in rest if name})
    raise MergeConflict(
        f"“{branch}” and “{into}” changed the same places ({_some(files)}).", files=files
    )


def _advance(repository: Path, base: Base, made: str, branch: str) -> None:
    if facts.is_rebasing(repository, base.local or ""):
        raise CheckoutInTheWay(f"“{base.local}” is being rebased; finish that first.")
    places = facts.checkouts(repository, base.local or "")
    if not places:
        git.run(
            *("update-ref", "--create-reflog", "-m", f"merge {branch}"),
            *(f"refs/heads/{base.local}", made, base.sha),
            at=repository,
            patient=True,
        )
        return
    try:
        git.run(
            *("merge", "--ff-only", "--no-autostash", "--no-overwrite-ignore", "--no-stat"),
            *("--no-verify-signatures", "--quiet", made),
            at=places[0],
            patient=True,
            environment={"GIT_REFLOG_ACTION": f"merge {branch}"},
        )
    except git.Locked:
        raise
    except git.GitError as error:
        raise _refusal(error, base, places[0]) from error


def _refusal(error: git.GitError, base: Base, place: git.Place) -> git.GitError:
    if re.search(r"Not possible to fast-forward|refusing to merge unrelated", error.detail):
        return git.RefMoved(f"The branch “{base.local}” moved meanwhile.", detail=error.detail)
    if "would be overwritten" in error.detail or "would be removed" in error.detail:
        files = [line.strip() for line in error.detail.splitlines() if line.startswith("\t")]
        return CheckoutInTheWay(
            f"“{base.local}” is checked out at {place.directory}, where the merge would overwrite"
            f" changes ({_some(files)}); commit or set them aside there first.",
            files=files,
            detail=error.detail,
        )
    if re.search(r"MERGE_HEAD|unmerged files|CHERRY_PICK_HEAD|not concluded", error.detail):
        return CheckoutInTheWay(
            f"“{base.local}” is checked out at {place.directory}, where another merge is not"
            " finished; finish it first.",
            detail=error.detail,
        )
    return error


def _some(files: list[str]) -> str:
    more = len(files) - _NAMES_SHOWN
    listed = ", ".join(files[:_NAMES_SHOWN])
    return f"{listed} and {more} more" if more > 0 else listed
