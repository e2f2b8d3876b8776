"""The time an overview looks at: presets, custom ranges, and the buckets of its series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.utils.dateparse import parse_datetime

from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR, DAY = 3600, 86_400
DEFAULT = "last_7d"
# name -> label, length, bucket of its series in seconds
PRESETS: dict[str, tuple[str, timedelta | None, int]] = {
    "last_24h": ("24 h", timedelta(hours=24), HOUR),
    "last_7d": ("7 d", timedelta(days=7), 6 * HOUR),
    "last_30d": ("30 d", timedelta(days=30), DAY),
    "last_90d": ("90 d", timedelta(days=90), 3 * DAY),
    "all_time": ("All", None, DAY),
}
ALIASES = {
    "24h": "last_24h",
    "7d": "last_7d",
    "30d": "last_30d",
    "90d": "last_90d",
    "all": "all_time",
}
MOST_BUCKETS = 60
# Moments near the ends of the calendar cannot be moved to another zone.
FIRST_YEAR, LAST_YEAR = 1970, 2199
STEPS = (HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From (inclusive, None: the beginning) to (exclusive, None: now), in UTC."""

    preset: str | None = DEFAULT
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """This will read `from` and `to`, else `timeRangePreset`, else `range`, else the default.

        ValidationFailed for moments and aliases that are none. An unknown preset is the default,
        and the answer says so.
        """
        if "from" in query or "to" in query:
            start, end = _moment(query, "from"), _moment(query, "to")
            if start >= end:
                raise problems.ValidationFailed.of("to", "The end must be after the beginning.")
            return cls(preset=None, start=start, end=end)
        if query.get("timeRangePreset"):
            name = query["timeRangePreset"]
            return cls(preset=name if name in PRESETS else DEFAULT)
        if query.get("range"):
            if query["range"] not in ALIASES:
                raise problems.ValidationFailed.of("range", "Choose 24h, 7d, 30d, 90d or all.")
            return cls(preset=ALIASES[query["range"]])
        return cls()

    def at(self, now: datetime, beginning: datetime) -> Window:
        """This will fix the range at a moment; `beginning` is when anything began at all."""
        if self.preset is None:
            return _window(self, self.start, self.end or now, self.start or beginning, None)
        _label, length, step = PRESETS[self.preset]
        if length is None:
            return _window(self, None, now, min(beginning, now - timedelta(days=1)), None)
        return _window(self, now - length, now, now - length, step)


@dataclass(frozen=True, slots=True)
class Window:
    """A range at a moment: where its series begin, and how long and how many their buckets are."""

    range: TimeRange
    start: datetime | None
    end: datetime
    first: datetime
    step: int
    buckets: int

    def ends(self) -> list[datetime]:
        """This will list the moments at which the buckets end; the last one is the window's end."""
        moments = [
            self.first + timedelta(seconds=self.step * (place + 1)) for place in range(self.buckets)
        ]
        return [*moments[:-1], self.end]


def _window(
    chosen: TimeRange,
    start: datetime | None,
    end: datetime,
    first: datetime,
    step: int | None,
) -> Window:
    seconds = max((end - first).total_seconds(), 1)
    if step is None:
        step = next((size for size in STEPS if seconds / size <= MOST_BUCKETS), STEPS[-1])
    buckets = max(1, -int(-seconds // step))
    return Window(range=chosen, start=start, end=end, first=first, step=step, buckets=buckets)


def _moment(query: Mapping[str, str], name: str) -> datetime:
    text = query.get(name, "")
    try:
        # A plus in a query string arrives as a space.
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise problems.ValidationFailed.of(name, "Give a moment such as 2026-01-31T12:00:00Z.")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
