"""The prompt an agent proposes: the last block marked `prompt` in what it said, else all of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPENING = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*prompt[ \t]*$", re.IGNORECASE)


def block_of(text: str) -> str | None:
    """This will be the last block whose fence is marked `prompt`; None where there is none.

    A longer fence may hold shorter ones, as in Markdown; a block that is never closed goes to the
    end.
    """
    found: str | None = None
    lines = iter(text.splitlines())
    for line in lines:
        opening = _OPENING.match(line)
        if opening is not None:
            found = _until_closed(lines, opening["fence"])
    return found


def _until_closed(lines: Iterable[str], fence: str) -> str:
    closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    kept = []
    for line in lines:
        if closing.match(line):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def last_of(answers: Iterable[str]) -> str:
    """This will be the last proposal among answers, newest first; empty without an answer.

    Where no answer marks one, the newest answer is the proposal as a whole.
    """
    newest = ""
    for answer in answers:
        marked = block_of(answer)
        if marked:
            return marked
        newest = newest or answer.strip()
    return newest
