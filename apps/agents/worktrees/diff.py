"""The unified diff of an attempt: fork point against worktree, nothing left out."""

from typing import TypedDict

from apps.agents.worktrees import bases, indexes
from apps.agents.worktrees.parsing import FileDiff, parse
from apps.agents.worktrees.status import DIFF_OPTIONS
from apps.agents.worktrees.trees import Tree
from apps.core import git

LIMIT = 1_000_000

__all__ = ["LIMIT", "Diff", "FileDiff", "Stats", "empty", "parse", "read"]


class Stats(TypedDict):
    """Sums over all files, also when the text is cut."""

    filesChanged: int
    insertions: int
    deletions: int


class Diff(TypedDict):
    """A diff as text; `truncated` when it was cut (after a whole line) at the limit."""

    diff: str
    truncated: bool
    stats: Stats


def read(
    tree: Tree,
    *,
    base_branch: str | None,
    base_sha: str | None = None,
    path: str | None = None,
    old_path: str | None = None,
    limit: int = LIMIT,
) -> Diff:
    """Give the diff of the worktree, uncommitted and untracked files included.

    With `path` of that file only (`old_path` too when it was renamed). `limit` is in bytes.
    """
    place = tree.place
    found = bases.compare(tree.repository, place, base_branch=base_branch, base_sha=base_sha)
    only = [f":(top,literal){one}" for one in (path, old_path) if one]
    with indexes.temporary(tree) as looking:
        indexes.intend(looking, indexes.untracked(looking))
        counted = git.run(
            "diff", "--numstat", "-z", *DIFF_OPTIONS, found.fork, "--", *only, at=looking
        )
        text = git.run(
            *("diff", "--patch", "--unified=3", "--inter-hunk-context=0", *DIFF_OPTIONS),
            *("--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=histogram", "-O/dev/null"),
            *(found.fork, "--", *only),
            at=looking,
            limit=limit,
            truncate=True,
            settings={"core.bigFileThreshold": "8m", "diff.suppressBlankEmpty": "false"},
        )
    raw = text.stdout
    if text.truncated:
        raw = raw[: raw.rfind(b"\n") + 1]
    return {
        "diff": raw.decode("utf-8", "replace"),
        "truncated": text.truncated,
        "stats": _stats(counted.stdout),
    }


def empty() -> Diff:
    """Give the diff of an attempt without a worktree."""
    nothing: Stats = {"filesChanged": 0, "insertions": 0, "deletions": 0}
    return {"diff": "", "truncated": False, "stats": nothing}


def _stats(numstat: bytes) -> Stats:
    fields = iter(numstat.split(b"\0")[:-1])
    stats: Stats = {"filesChanged": 0, "insertions": 0, "deletions": 0}
    for field in fields:
        added, deleted, name = field.split(b"\t", 2)
        if not name:
            next(fields)
            next(fields)
        stats["filesChanged"] += 1
        stats["insertions"] += 0 if added == b"-" else int(added)
        stats["deletions"] += 0 if deleted == b"-" else int(deleted)
    return stats
