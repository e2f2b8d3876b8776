"""Searching the log, as interfaces ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from apps.core import problems
from apps.core.logs import setup
from apps.core.logs.entries import LEVELS, microseconds
from apps.core.logs.store import BadCursor, Found, Question, Unreachable, place_of

if TYPE_CHECKING:
    import datetime as dt


def find(
    *,
    level: str = "",
    search: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    request_id: str = "",
    cursor: str = "",
    after: str = "",
    limit: int = 100,
) -> Found:
    """This will find lines, newest first; nothing where none are kept.

    ValidationFailed for a cursor nobody gave, Unavailable while the store is away.
    """
    question = Question(
        level=LEVELS[level] if level else 0,
        search=search,
        since=None if since is None else microseconds(since),
        until=None if until is None else microseconds(until),
        request_id=request_id,
        before=_place("cursor", cursor),
        after=_place("after", after),
        limit=limit,
    )
    if not settings.KANBANAI_LOG_LINES:
        return Found([], "", "")
    try:
        return setup.store().find(question)
    except Unreachable as error:
        message = "The log cannot be read at the moment. Try again."
        raise problems.Unavailable(message) from error


def _place(name: str, text: str) -> tuple[int, int] | None:
    if not text:
        return None
    try:
        return place_of(text)
    except BadCursor as error:
        raise problems.ValidationFailed.of(name, "This is no cursor of ours.") from error
