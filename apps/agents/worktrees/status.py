"""What an attempt changed: its worktree against the point where it left the base branch."""

from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

from apps.agents.worktrees import bases, facts, indexes
from apps.agents.worktrees.trees import Tree
from apps.core import git

FILES_LIMIT = 5000

# Copies and renames are found with git's own defaults, whatever the configuration says.
DIFF_OPTIONS = (
    *("--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
    *("--ignore-submodules=dirty", "--submodule=short", "--find-renames", "--find-copies"),
)

Letter = Literal["M", "A", "D", "R", "U", "?", "C"]


class ChangedFile(TypedDict):
    """A changed file; `staged` when the index differs from the last commit."""

    path: str
    oldPath: NotRequired[str]
    status: Letter
    staged: bool
    binary: bool
    insertions: int
    deletions: int


class Summary(TypedDict):
    """How many files changed in which way."""

    added: int
    modified: int
    deleted: int
    untracked: int
    staged: int


class GitStatus(TypedDict):
    """The changes of a worktree; `truncated` when there are more files than are listed."""

    branch: str | None
    ahead: int
    behind: int
    hasUncommitted: bool
    files: list[ChangedFile]
    summary: Summary
    truncated: bool


@dataclass(slots=True)
class _Local:
    """What `git status` says: the branch and the sets of paths."""

    branch: str | None
    dirty: bool
    staged: set[bytes]
    unmerged: set[bytes]
    nested: list[bytes]
    untracked: set[bytes]


def read(
    tree: Tree, *, base_branch: str | None, base_sha: str | None = None, limit: int = FILES_LIMIT
) -> GitStatus:
    """Compare the worktree, uncommitted and untracked files included, with its fork point.

    `base_sha` is used when the base branch is gone. Nothing in the worktree is touched.
    """
    place = tree.place
    found = bases.compare(tree.repository, place, base_branch=base_branch, base_sha=base_sha)
    local = _local(place)
    with indexes.temporary(tree) as looking:
        indexes.intend(looking, indexes.Untracked(tuple(local.untracked), tuple(local.nested)))
        files = _changed(looking, found.fork, local)
    files += [_file(name, "?", local) for name in local.nested]
    files.sort(key=lambda one: one["path"])
    gap = facts.Distance(0, 0)
    if found.head is not None:
        gap = facts.distance(place, base_sha=found.base_sha, branch=found.head)
    return {
        "branch": local.branch,
        "ahead": gap.ahead,
        "behind": gap.behind,
        "hasUncommitted": local.dirty,
        "files": files[:limit],
        "summary": _summary(files),
        "truncated": len(files) > limit,
    }


def has_uncommitted(tree: Tree) -> bool:
    """Say whether the worktree has changes that no commit holds."""
    return _local(tree.place).dirty


def tracked_files(tree: Tree, *, limit: int = FILES_LIMIT) -> list[str]:
    """List the paths of the worktree that are tracked or would be, at most `limit`."""
    listed = git.records(
        *("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"),
        at=tree.place,
    )
    return sorted(git.shown(name) for name in listed)[:limit]


def _local(place: git.Place) -> _Local:
    said = git.records(
        *("status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all"),
        *("--no-renames", "--ignore-submodules=dirty", "--no-ahead-behind"),
        at=place,
    )
    local = _Local(None, dirty=False, staged=set(), unmerged=set(), nested=[], untracked=set())
    for record in said:
        kind, _, rest = record.partition(b" ")
        if kind == b"#":
            name = rest.removeprefix(b"branch.head ")
            if name not in {rest, b"(detached)"}:
                local.branch = git.shown(name)
            continue
        local.dirty = True
        if kind == b"?":
            (local.nested.append if rest.endswith(b"/") else local.untracked.add)(rest)
        elif kind == b"1":
            path = rest.split(b" ", 7)[7]
            if not rest.startswith(b"."):
                local.staged.add(path)
        elif kind == b"u":
            local.unmerged.add(rest.split(b" ", 9)[9])
    return local


def _changed(place: git.Place, fork: str, local: _Local) -> list[ChangedFile]:
    fields = iter(
        git.records("diff", "--raw", "--numstat", "-z", *DIFF_OPTIONS, fork, "--", at=place)
    )
    found: dict[bytes, ChangedFile] = {}
    for field in fields:
        if field.startswith(b":"):
            letter = field.rsplit(b" ", 1)[1][:1].decode("ascii")
            old = next(fields)
            name = next(fields) if letter in "RC" else old
            if name in found and letter == "U":
                continue
            found[name] = _file(name, letter, local)
            if letter in "RC":
                found[name]["oldPath"] = git.shown(old)
            continue
        added, deleted, name = field.split(b"\t", 2)
        if not name:
            next(fields)
            name = next(fields)
        if name in found:
            found[name]["binary"] = added == b"-"
            found[name]["insertions"] = 0 if added == b"-" else int(added)
            found[name]["deletions"] = 0 if deleted == b"-" else int(deleted)
    return list(found.values())


def _file(name: bytes, letter: str, local: _Local) -> ChangedFile:
    return {
        "path": git.shown(name).rstrip("/"),
        "status": _letter(name, letter, local),
        "staged": name in local.staged,
        "binary": False,
        "insertions": 0,
        "deletions": 0,
    }


def _letter(name: bytes, letter: str, local: _Local) -> Letter:
    if name in local.unmerged:
        return "U"
    match letter:
        case "A" if name in local.untracked:
            return "?"
        case "A" | "D" | "R" | "C" | "U" | "?":
            return letter
        case _:
            return "M"


def _summary(files: list[ChangedFile]) -> Summary:
    letters = [one["status"] for one in files]
    return {
        "added": sum(letter in {"A", "C"} for letter in letters),
        "modified": sum(letter in {"M", "R", "U"} for letter in letters),
        "deleted": letters.count("D"),
        "untracked": letters.count("?"),
        "staged": sum(one["staged"] for one in files),
    }


def empty(branch: str | None = None) -> GitStatus:
    """Give the status of an attempt without a worktree."""
    nothing: Summary = {"added": 0, "modified": 0, "deleted": 0, "untracked": 0, "staged": 0}
    return {
        "branch": branch,
        "ahead": 0,
        "behind": 0,
        "hasUncommitted": False,
        "files": [],
        "summary": nothing,
        "truncated": False,
    }
