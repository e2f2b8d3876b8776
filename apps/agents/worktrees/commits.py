"""Commits of a worktree, and the words for those that nobody writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from apps.agents.worktrees import indexes
from apps.agents.worktrees.errors import NothingToCommit, UnresolvedConflicts
from apps.agents.worktrees.trees import Tree
from apps.core import git

SUBJECT_LIMIT = 72
BODY_LIMIT = 1200
DEFAULT_SUBJECT = "chore: agent changes"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit just made; `skipped` are inner repositories, which cannot be committed."""

    sha: str
    short_sha: str
    subject: str
    branch: str | None
    skipped: tuple[str, ...] = ()


def commit_all(
    tree: Tree,
    *,
    subject: str,
    body: str = "",
    author: git.Identity | None = None,
    trailers: Mapping[str, str] | None = None,
) -> Commit:
    """Stage everything that is not ignored and commit it, without hooks and signatures.

    The author is the given one, else git's configuration, else the product. Raises
    `NothingToCommit`, or `UnresolvedConflicts` with the files.
    """
    place = tree.place
    unmerged = git.records("ls-files", "--unmerged", "-z", at=place)
    if unmerged:
        files = sorted({git.shown(record.partition(b"\t")[2]) for record in unmerged})
        raise UnresolvedConflicts(
            f"Files of the worktree are in conflict: {', '.join(files[:5])}.", files=files
        )
    new = indexes.stage_all(place)
    head = git.find_text("rev-parse", "--verify", "--quiet", "HEAD", at=place)
    if head and git.succeeds("diff", "--cached", "--quiet", "--no-ext-diff", "HEAD", at=place):
        raise NothingToCommit("There is nothing to commit: the worktree has no changes.")
    git.run(
        *("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-"),
        at=place,
        stdin=_message(subject, body, trailers or {}).encode("utf-8", "replace"),
        environment=git.identity(place, author).environment(),
        timeout=indexes.STAGE_TIMEOUT,
        patient=True,
    )
    sha = git.text("rev-parse", "HEAD", at=place)
    short = git.text("rev-parse", "--short=7", "HEAD", at=place)
    skipped = tuple(git.shown(name).rstrip("/") for name in new.nested)
    return Commit(sha, short, _subject(subject), tree.branch, skipped)


def automatic_message(*, last_message: str | None, title: str) -> tuple[str, str]:
    """Give subject and body for a commit that nobody described.

    From the agent's last message without its code, else ``feat: <title>``, else a set phrase.
    """
    prose = re.sub(r"(`{3,}|~{3,}).*?(\1|\Z)", " ", last_message or "", flags=re.DOTALL)
    prose = prose.replace("`", "")
    lines = [re.sub(r"\s+", " ", line).strip() for line in prose.splitlines()]
    kept = [line for line in lines if line]
    if not kept:
        title = re.sub(r"\s+", " ", title).strip()
        return (_cut(f"feat: {title}", SUBJECT_LIMIT) if title else DEFAULT_SUBJECT), ""
    first = kept[0].lstrip("#*->").strip() or DEFAULT_SUBJECT
    subject = _cut(first, SUBJECT_LIMIT)
    rest = kept if subject != first else kept[1:]
    return subject, _cut("\n".join(rest), BODY_LIMIT)


def _message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    parts = [_subject(subject), _plain(body).strip()]
    parts.append(
        "\n".join(
            f"{re.sub(r'[^A-Za-z0-9-]', '-', key)}: {' '.join(value.split())}"
            for key, value in trailers.items()
        )
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _subject(subject: str) -> str:
    return " ".join(_plain(subject).split()) or DEFAULT_SUBJECT


def _plain(text: str) -> str:
    return text.replace("\0", "").replace("\r\n", "\n")


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0].rstrip() + "…"
