"""Facts about branches: how far apart, whether merged, where checked out."""

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from apps.agents.worktrees import bases, trees
from apps.core import git


class LastCommit(TypedDict):
    """A commit as it is shown in lists."""

    sha: str
    shortSha: str
    subject: str
    author: str
    at: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How many commits a branch has that its base has not, and the other way round."""

    ahead: int
    behind: int


def distance(at: Path | git.Place, *, base_sha: str, branch: str = "HEAD") -> Distance:
    """Count the commits on either side."""
    counted = git.text("rev-list", "--left-right", "--count", f"{base_sha}...{branch}", at=at)
    behind, ahead = counted.split()
    return Distance(int(ahead), int(behind))


def last_commit(at: Path | git.Place, name: str = "HEAD") -> LastCommit | None:
    """Give the commit a name stands for; `at` in it is ISO 8601 with an offset."""
    sha = bases.commit(at, name)
    if sha is None:
        return None
    said = git.text("log", "-1", "--format=%h%x00%s%x00%an%x00%cI", "--abbrev=7", sha, at=at)
    short, subject, author, when = said.split("\0")
    moment = datetime.fromisoformat(when).isoformat()
    return {"sha": sha, "shortSha": short, "subject": subject, "author": author, "at": moment}


def is_merged(repository: Path, branch: str, base_branch: str | None) -> bool:
    """Say whether the base branch holds everything a branch brought.

    By ancestry (which is also true of a branch without any commit of its own), or because merging
    it now would change nothing, or because one commit of the base makes the same change (squash).
    """
    base = bases.resolve(repository, base_branch)
    sha = bases.commit(repository, f"refs/heads/{branch}")
    if sha is None:
        return False
    if git.succeeds("merge-base", "--is-ancestor", sha, base.sha, at=repository):
        return True
    fork = git.find_text("merge-base", base.sha, sha, at=repository)
    if fork is None:
        return False
    tried = git.run("merge-tree", "--write-tree", base.sha, sha, at=repository, codes=(0, 1))
    same = git.text("rev-parse", f"{base.sha}^{{tree}}", at=repository)
    if tried.code == 0 and git.shown(tried.stdout).split("\n", 1)[0] == same:
        return True
    squashed = git.run(
        *("commit-tree", f"{sha}^{{tree}}", "-p", fork, "-F", "-"),
        at=repository,
        stdin=b"squash",
        environment=git.DEFAULT_IDENTITY.environment(),
    )
    return (
        git.text("cherry", base.sha, git.shown(squashed.stdout).strip(), at=repository)[:1] == "-"
    )


def checkouts(repository: Path, branch: str) -> list[git.Place]:
    """List the checkouts of a repository that have a branch checked out (most often one or none).

    Those whose directory is gone do not count.
    """
    wanted = f"branch refs/heads/{branch}".encode()
    common = trees.common_directory(repository)
    listed = git.run("worktree", "list", "--porcelain", "-z", at=repository, patient=True).stdout
    found: list[git.Place] = []
    for number, block in enumerate(listed.split(b"\0\0")):
        lines = block.split(b"\0")
        path = Path(os.fsdecode(lines[0].removeprefix(b"worktree ")))
        if wanted not in lines[1:]:
            continue
        if number == 0:
            found += _main_checkout(repository, path)
        elif path.is_dir():
            entries = trees.registered(common, path.parent.resolve() / path.name)
            found += [git.Place(path, entry, common) for entry in entries[:1]]
    return found


def is_rebasing(repository: Path, branch: str) -> bool:
    """Say whether some checkout is in the middle of rebasing a branch, which is then elsewhere."""
    common = trees.common_directory(repository)
    for folder in (common, *(common / "worktrees").glob("*")):
        for name in ("rebase-merge", "rebase-apply"):
            with contextlib.suppress(OSError):
                said = (folder / name / "head-name").read_text("utf-8", "replace").strip()
                if said == f"refs/heads/{branch}":
                    return True
    return False


def _main_checkout(repository: Path, listed: Path) -> list[git.Place]:
    # The list is wrong about checkouts whose git directory lies elsewhere; the path we know is not.
    asked = ("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir")
    own, _, shared = git.text(*asked, at=repository).partition("\n")
    place = git.Place(repository if own == shared else listed)
    if not place.directory.is_dir():
        return []
    inside = git.find_text("rev-parse", "--is-inside-work-tree", at=place)
    return [place] if inside == "true" else []
