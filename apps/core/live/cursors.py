"""Cursors: how a client says what it has seen. Opaque outside, `<topic>:<version>[.<part>]` inside.

One event may be several messages. All but the last carry a part, so that a client that was cut off
between two of them gets the rest and nothing twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(
    r"(?:(?P<topic>[^:]{1,100}):)?(?P<version>\d{1,18})(?:\.(?P<part>\d{1,6}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to `version` was seen; with a `part`, of that version only parts up to it."""

    version: int
    part: int | None = None

    @property
    def complete(self) -> int:
        """The newest version that was seen whole."""
        return self.version if self.part is None else self.version - 1

    def __str__(self) -> str:
        return str(self.version) if self.part is None else f"{self.version}.{self.part}"


class BadCursor(ValueError):
    """It is no cursor, or one of another stream."""


def parse(text: str, *, topic: str) -> Cursor:
    """This will read a cursor of a topic, with or without the topic's name; BadCursor otherwise."""
    match = _TEXT.fullmatch(text.strip())
    if match is None or match["topic"] not in {None, topic}:
        raise BadCursor(text)
    part = match["part"]
    return Cursor(version=int(match["version"]), part=int(part) if part is not None else None)
