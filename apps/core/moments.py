"""How moments are written on the wire."""

from __future__ import annotations

import datetime as dt


def moment(value: dt.datetime) -> str:
    """This will write a moment as ISO 8601 in UTC, `2026-11-22T07:30:00.123456Z`."""
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def moment_or_none(value: dt.datetime | None) -> str | None:
    """This will write a moment, or None where there is none."""
    return None if value is None else moment(value)
