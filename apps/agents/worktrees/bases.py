"""Base branches: what an attempt begins from, is compared with and merged into."""

import re
from dataclasses import dataclass
from pathlib import Path

from apps.agents.worktrees import names
from apps.agents.worktrees.errors import BranchMissing, NoCommits
from apps.core import git

_OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Base:
    """A base that was found.

    `sha` is its commit, `ref` the reference it came from (None for a commit named outright),
    `local` the local branch that merges go to, which may not exist yet.
    """

    sha: str
    ref: str | None
    local: str | None

    @property
    def is_local(self) -> bool:
        """Say whether the reference is a local branch."""
        return self.ref is not None and self.ref.startswith("refs/heads/")


def resolve(repository: Path, branch: str | None) -> Base:
    """Find a base branch.

    Looked for in this order: local branch, remote-tracking branch by its full name
    (``origin/main``), branch of a remote by its short name, full object name. None is HEAD.
    """
    if branch is None or branch == "HEAD":
        return _head(repository)
    name = branch.removeprefix("refs/heads/").removeprefix("refs/remotes/")
    if names.is_valid(name):
        remotes = _remotes(repository)
        for ref, local in _candidates(name, remotes):
            sha = commit(repository, ref)
            if sha is not None:
                return Base(sha, ref, local)
    elif _OBJECT_NAME.fullmatch(name):
        sha = commit(repository, name)
        if sha is not None:
            return Base(sha, None, None)
    if commit(repository, "HEAD") is None and not names.taken(repository):
        raise NoCommits("The repository has no commits yet, so there is nothing to begin from.")
    raise BranchMissing(f"The repository has no branch “{branch}”.")


def commit(at: Path | git.Place, name: str) -> str | None:
    """Give the commit a name stands for, None when there is none."""
    asked = f"{name}^{{commit}}"
    return git.find_text("rev-parse", "--verify", "--quiet", "--end-of-options", asked, at=at)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a worktree is compared with.

    `base_sha` is the base's commit now, `fork` where the worktree left it (a commit, or the empty
    tree when they have nothing in common), `head` the worktree's commit (None before the first).
    """

    base_sha: str
    fork: str
    head: str | None


def compare(
    repository: Path, place: git.Place, *, base_branch: str | None, base_sha: str | None = None
) -> Comparison:
    """Find what a worktree is compared with; `base_sha` stands in for a branch that is gone."""
    try:
        base = resolve(repository, base_branch)
    except BranchMissing:
        if base_sha is None or commit(repository, base_sha) is None:
            raise
        base = Base(base_sha, None, None)
    head = commit(place, "HEAD")
    if head is None:
        return Comparison(base.sha, base.sha, None)
    fork = git.find_text("merge-base", base.sha, head, at=place)
    return Comparison(base.sha, fork or git.text("mktree", at=place), head)


def _head(repository: Path) -> Base:
    sha = commit(repository, "HEAD")
    if sha is None:
        raise NoCommits("The repository has no commits yet, so there is nothing to begin from.")
    name = git.find_text("symbolic-ref", "--quiet", "--short", "HEAD", at=repository)
    return Base(sha, None if name is None else f"refs/heads/{name}", name)


def _candidates(name: str, remotes: list[str]) -> list[tuple[str, str]]:
    found = [(f"refs/heads/{name}", name)]
    found += [
        (f"refs/remotes/{name}", name.removeprefix(f"{remote}/"))
        for remote in remotes
        if name.startswith(f"{remote}/")
    ]
    return found + [(f"refs/remotes/{remote}/{name}", name) for remote in remotes]


def _remotes(repository: Path) -> list[str]:
    found = git.text("remote", at=repository).splitlines()
    return sorted(found, key=lambda one: (one != "origin", one))
