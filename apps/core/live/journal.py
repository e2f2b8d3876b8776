"""The journal's read side: what was committed, in order, and where a reader may begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from apps.core.models import Event, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable

# Rows read at once while somebody catches up.
CHUNK = 500
# Who missed more than this gets a snapshot: it is smaller.
MAX_REPLAY = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal as listeners need it."""

    topic: str
    version: int
    kind: str
    data: Any
    at: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """The oldest version that can still be read, and the newest there is (0: none yet)."""

    oldest: int
    newest: int


def versions(topics: Iterable[str]) -> dict[str, int]:
    """This will read the newest version of each topic that has one, in one statement."""
    rows = Topic.objects.filter(name__in=list(topics)).values_list("name", "version")
    return dict(rows)


def bounds(topic: str) -> Bounds:
    """This will tell from where to where a topic can be read."""
    row = Topic.objects.filter(name=topic).values_list("oldest_version", "version").first()
    return Bounds(oldest=row[0], newest=row[1]) if row else Bounds(oldest=1, newest=0)


def bounds_of(topics: Iterable[str]) -> dict[str, Bounds]:
    """This will tell from where to where each of some topics can be read, in one statement."""
    asked = list(topics)
    rows = Topic.objects.filter(name__in=asked).values_list("name", "oldest_version", "version")
    known = {name: Bounds(oldest=oldest, newest=newest) for name, oldest, newest in rows}
    return {topic: known.get(topic, Bounds(oldest=1, newest=0)) for topic in asked}


def entries_after(topic: str, version: int, limit: int = CHUNK) -> list[Entry]:
    """This will read the next events of a topic after a version, at most `limit`, in order."""
    rows = Event.objects.filter(topic=topic, version__gt=version).order_by("version")[:limit]
    return [
        Entry(
            topic=row.topic,
            version=row.version,
            kind=row.kind,
            data=row.data,
            at=row.created_at.isoformat(),
        )
        for row in rows
    ]


def happened_before(topic: str, version: int, kinds: Iterable[str], *, seconds: float) -> bool:
    """True when events of some kinds came in the last seconds up to a version."""
    events = Event.objects.filter(topic=topic)
    at = events.filter(version=version).values_list("created_at", flat=True).first()
    if at is None:
        return False
    since = at - timedelta(seconds=seconds)
    return events.filter(version__lte=version, created_at__gte=since, kind__in=kinds).exists()
