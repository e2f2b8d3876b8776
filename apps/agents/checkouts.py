"""What git says about an attempt's work, from its row to the worktree on disk.

Raises GitError: operations turn it into a problem, pages into a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents import places
from apps.agents.worktrees import diff, parsing, status

if TYPE_CHECKING:
    from apps.agents.models import Attempt
    from apps.agents.worktrees.trees import Tree


# What a comparison covers: everything since the base branch, or only what is not committed.
ALL = "all"
UNCOMMITTED = "uncommitted"
SCOPES = (ALL, UNCOMMITTED)
# Everything since the attempt began, also what the base branch has taken in since.
BEGINNING = "beginning"


def compare(tree: Tree, attempt: Attempt, *, scope: str = ALL) -> status.GitStatus:
    """This will compare a worktree with its attempt's base."""
    return status.read(tree, base_branch=_base(attempt, scope), base_sha=attempt.base_sha or None)


def status_of(attempt: Attempt, *, scope: str = ALL) -> status.GitStatus:
    """This will compare the worktree with its base; empty when there is no worktree."""
    tree = places.find_tree(attempt)
    if tree is None:
        return status.empty(attempt.branch or None)
    return compare(tree, attempt, scope=scope)


def diff_of(attempt: Attempt, *, path: str | None = None, scope: str = ALL) -> diff.Diff:
    """This will read the unified diff of the worktree, of all files or of one."""
    tree = places.find_tree(attempt)
    if tree is None:
        return diff.empty()
    return diff.read(
        tree,
        base_branch=_base(attempt, scope),
        base_sha=attempt.base_sha or None,
        path=path,
    )


def files_of(
    attempt: Attempt, *, path: str | None = None, scope: str = ALL
) -> list[parsing.FileDiff]:
    """This will read the changed files with their hunks."""
    return parsing.parse(diff_of(attempt, path=path, scope=scope)["diff"])


def _base(attempt: Attempt, scope: str) -> str | None:
    # Against its own branch, only what is not committed differs.
    if scope == UNCOMMITTED:
        return attempt.branch
    if scope == BEGINNING and attempt.base_sha:
        return attempt.base_sha
    return attempt.base_branch
