"""What the Changes tab is given: the diff as rows, marked up for a browser."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

from apps.agents import checkouts
from apps.agents.states import Status
from apps.agents.worktrees import merges, names
from apps.boards.models import TicketType
from apps.core import git, problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from apps.agents.models import Attempt
    from apps.agents.worktrees.parsing import FileDiff, Hunk, Line
    from apps.agents.worktrees.status import ChangedFile, GitStatus

Shape = dict[str, Any]

# Beyond these a file is shown folded, or not at all: a browser should not choke on a lock file.
OPEN_LINES = 400
MOST_LINES = 3_000
MOST_OPEN_FILES = 40

KINDS = {"add": "add", "del": "delete", "context": "context"}


def changes(attempt: Attempt, *, mode: str, scope: str = checkouts.ALL) -> Shape:
    """This will show all changes of an attempt against its base branch."""
    covered = _covered(attempt, scope)
    try:
        status = checkouts.status_of(attempt, scope=covered)
        hunks = {entry["path"]: entry for entry in checkouts.files_of(attempt, scope=covered)}
    except git.GitError as error:
        return {"mode": mode, "scope": scope, "files": [], "problem": error.message}
    files = [
        _file(entry, hunks.get(entry["path"]), mode=mode, folded=number >= MOST_OPEN_FILES)
        for number, entry in enumerate(status["files"])
    ]
    blocked = _merge_blocked(attempt, status)
    return {
        "git": {**status, "base": attempt.base_branch},
        "files": files,
        "mode": mode,
        "scope": scope,
        "conflict": _conflict(attempt) if not blocked else None,
        "canCommit": not attempt.is_active,
        "canMerge": not blocked,
        "mergeBlockedReason": blocked,
        "suggestedSubject": _subject(attempt),
        "suggestedBody": "",
    }


def one_file(attempt: Attempt, *, path: str, mode: str, scope: str) -> Shape | None:
    """This will show one file in full, however long it is; None when it does not differ."""
    scope = _covered(attempt, scope)
    try:
        status = checkouts.status_of(attempt, scope=scope)
        entry = next((one for one in status["files"] if one["path"] == path), None)
        if entry is None:
            return None
        found = checkouts.files_of(attempt, path=path, scope=scope)
    except git.GitError as error:
        raise problems.Upstream(error.message) from error
    return _file(entry, found[0] if found else None, mode=mode, folded=False, asked=True)


def _covered(attempt: Attempt, scope: str) -> str:
    """What was merged does not differ from the base any more, and is still worth reading."""
    return checkouts.BEGINNING if attempt.merged_sha and scope == checkouts.ALL else scope


def _subject(attempt: Attempt) -> str:
    """A commit subject in the conventional form: `fix: Amounts are rounded to zero`."""
    kind, title = names.conventional(attempt.card.title)
    return f"{kind or attempt.card.ticket_type or TicketType.FEAT}: {title}"


def _merge_blocked(attempt: Attempt, status: GitStatus) -> str:
    if attempt.merged_sha:
        return f"Merged into {attempt.base_branch} as {attempt.merged_sha[:7]}."
    if attempt.status in {Status.RUNNING, Status.STOPPING, Status.QUEUED}:
        return "The agent is still at work."
    if attempt.status == Status.WAITING:
        return "The agent waits for an answer."
    if status["hasUncommitted"]:
        return "Commit the changes first."
    return ""


def _conflict(attempt: Attempt) -> Shape | None:
    try:
        files = merges.preview(
            repository=Path(attempt.project.path),
            branch=attempt.branch,
            base_branch=attempt.base_branch,
        )
    except git.GitError:
        return None
    if not files:
        return None
    return {
        "files": files,
        "message": f"{attempt.base_branch} has changed in the same places.",
        "nextStep": "Ask the agent to bring the base branch in and settle the conflict.",
    }


def _file(
    entry: ChangedFile,
    found: FileDiff | None,
    *,
    mode: str,
    folded: bool,
    asked: bool = False,
) -> Shape:
    lines = entry["insertions"] + entry["deletions"]
    too_large = lines > MOST_LINES and not asked
    show = found is not None and not too_large and (asked or not (folded or lines > OPEN_LINES))
    return {
        "path": entry["path"],
        "oldPath": entry.get("oldPath"),
        "status": entry["status"],
        "additions": entry["insertions"],
        "deletions": entry["deletions"],
        "binary": entry["binary"],
        "tooLarge": too_large,
        "viewed": False,
        "hunks": list(_hunks(found, mode)) if show and found else [],
    }


def _hunks(found: FileDiff, mode: str) -> Iterator[Shape]:
    marked = _highlighter(found["path"])
    for hunk in found["hunks"]:
        lines = [_line(line, html) for line, html in zip(hunk["lines"], marked(hunk), strict=True)]
        shown: Shape = {"header": hunk["header"], "lines": lines}
        if mode == "split":
            shown["rows"] = list(_rows(lines))
        yield shown


def _line(line: Line, html: str | None) -> Shape:
    return {
        "kind": KINDS[line["kind"]],
        "old": line["oldNumber"],
        "new": line["newNumber"],
        "text": line["text"],
        "html": html,
    }


def _highlighter(path: str) -> Any:
    try:
        lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return lambda hunk: [None] * len(hunk["lines"])
    formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True)

    def mark(hunk: Hunk) -> Sequence[str | None]:
        text = "\n".join(line["text"] for line in hunk["lines"])
        lines = highlight(text, lexer, formatter).split("\n")
        # A lexer that adds or drops lines would colour the wrong ones: plain text then.
        return lines if len(lines) == len(hunk["lines"]) else [None] * len(hunk["lines"])

    return mark


def _rows(lines: list[Shape]) -> Iterator[Shape]:
    """Deleted lines stand beside the added ones that follow them."""
    deleted: list[Shape] = []
    added: list[Shape] = []

    def flush() -> Iterator[Shape]:
        for left, right in zip_longest(deleted, added):
            yield {"left": _side(left, "old"), "right": _side(right, "new")}
        deleted.clear()
        added.clear()

    for line in lines:
        if line["kind"] == "delete":
            if added:
                yield from flush()
            deleted.append(line)
        elif line["kind"] == "add":
            added.append(line)
        else:
            yield from flush()
            yield {"left": _side(line, "old"), "right": _side(line, "new")}
    yield from flush()


def _side(line: Shape | None, number: str) -> Shape | None:
    return None if line is None else {**line, "no": line[number]}
