"""What is shown of the log, and of where it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from apps.core.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apps.accounts import models
    from apps.core.logs import entries
    from apps.core.logs.store import Found
    from apps.core.logs.trial import Outcome


class LogLine(TypedDict):
    """A line of the log; `level` is debug, info, warn or error, `fields` what was said besides."""

    timestamp: str
    level: str
    target: str
    message: str
    fields: dict[str, Any]


class LogMeta(TypedDict):
    """Where older lines go on (null at the end), and the cursor to ask for newer ones with."""

    cursor: str | None
    newest: str | None


class LogExport(TypedDict):
    """Where the log's lines are sent besides; the values of headers are masked."""

    enabled: bool
    type: str
    endpoint: str
    headers: dict[str, str]
    level: str


class LogExportTest(TypedDict):
    """How sending one line went."""

    success: bool
    message: str
    latencyMs: int


def log_line(entry: entries.Shown) -> LogLine:
    """This will show a line of the log."""
    return {
        "timestamp": entry["timestamp"],
        "level": entry["level"],
        "target": entry["target"],
        "message": entry["message"],
        "fields": entry["fields"],
    }


def log_meta(found: Found) -> LogMeta:
    """This will show where the lines go on."""
    return {"cursor": found.cursor or None, "newest": found.newest or None}


def log_export(row: models.LogExport, *, headers: Iterable[str]) -> LogExport:
    """This will show where the log's lines are sent, the headers by name alone."""
    return {
        "enabled": row.enabled,
        "type": row.kind,
        "endpoint": row.endpoint,
        "headers": dict.fromkeys(headers, MASK),
        "level": row.level,
    }


def log_export_test(outcome: Outcome) -> LogExportTest:
    """This will show how sending one line went."""
    return {
        "success": outcome.success,
        "message": outcome.message,
        "latencyMs": outcome.milliseconds,
    }
