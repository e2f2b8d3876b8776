"""Remotes: news fetched without touching a local branch, branches pushed without force."""

from pathlib import Path
from typing import TypedDict

from apps.agents.worktrees.errors import BranchMissing
from apps.agents.worktrees.trees import Tree
from apps.core import git

TIMEOUT = 300.0


class RemoteMissing(git.GitError):
    """The repository has no such remote."""


class PushRejected(git.GitError):
    """The remote has commits the branch does not have, or refuses the push."""


class Pushed(TypedDict):
    """Where a branch went."""

    remote: str
    branch: str


def choose(repository: Path, *, preferred: str | None = None, branch: str | None = None) -> str:
    """Give the remote to use: the preferred one, else the branch's own, else origin, else any."""
    known = git.text("remote", at=repository).splitlines()
    own = git.find_text("config", "--get", f"branch.{branch}.remote", at=repository)
    for name in (preferred, own, "origin", *known):
        if name in known:
            return name or ""
    raise RemoteMissing("The repository has no remote.")


def fetch(
    repository: Path,
    *,
    remote: str,
    login: git.Login | None = None,
    allow_files: bool = False,
    timeout: float = TIMEOUT,
) -> None:
    """Bring the remote-tracking branches up to date; local branches and tags stay as they are."""
    if remote not in git.text("remote", at=repository).splitlines():
        raise RemoteMissing(f"The repository has no remote “{remote}”.")
    git.run(
        *("fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules", "--refmap="),
        *("--no-write-fetch-head", "--no-auto-maintenance", "--", remote),
        f"+refs/heads/*:refs/remotes/{remote}/*",
        at=repository,
        login=login,
        protocols=_protocols(allow_files=allow_files),
        timeout=timeout,
        patient=True,
    )


def push(
    tree: Tree,
    *,
    remote: str,
    set_upstream: bool = False,
    login: git.Login | None = None,
    allow_files: bool = False,
    timeout: float = TIMEOUT,
) -> Pushed:
    """Push the worktree's branch under its own name, never by force."""
    branch = tree.branch
    if branch is None:
        raise BranchMissing("The worktree is on no branch, so there is nothing to push.")
    if remote not in git.text("remote", at=tree.place).splitlines():
        raise RemoteMissing(f"The repository has no remote “{remote}”.")
    upstream = ["--set-upstream"] if set_upstream else []
    try:
        git.run(
            *("push", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no"),
            *(*upstream, "--", remote, f"refs/heads/{branch}:refs/heads/{branch}"),
            at=tree.place,
            login=login,
            protocols=_protocols(allow_files=allow_files),
            timeout=timeout,
            patient=True,
        )
    except git.GitError as error:
        if "[rejected]" in error.detail or "[remote rejected]" in error.detail:
            raise PushRejected(
                f"{remote} did not take “{branch}”: it has other commits, or forbids it.",
                detail=error.detail,
            ) from error
        raise
    return {"remote": remote, "branch": branch}


def _protocols(*, allow_files: bool) -> tuple[str, ...]:
    return (*git.PROTOCOLS, "file") if allow_files else git.PROTOCOLS
