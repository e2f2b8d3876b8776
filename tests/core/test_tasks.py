from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core import events, publishing, tasks
from apps.core.actors import Actor
from apps.core.live import journal
from apps.core.models import Event, Topic
from apps.core.readings import one_moment

pytestmark = pytest.mark.django_db(transaction=True)

ACTOR = Actor.system("test")


def record(topic: str = "board.a", *, publish: bool = True) -> None:
    with transaction.atomic():
        events.record(topic=topic, kind="test.done", data={}, actor=ACTOR)
        if not publish:
            transaction.get_connection().run_on_commit.clear()


class Reaction:
    """Follows an event; counts what it was asked for."""

    name = "test.react"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def delay(self, *, event_id: int) -> None:
        self.asked.append(event_id)


@pytest.fixture
def reaction(monkeypatch: pytest.MonkeyPatch) -> Reaction:
    made = Reaction()
    monkeypatch.setitem(events._reactions, "test.done", [made])
    return made


def age(**filters: Any) -> None:
    Event.objects.filter(**filters).update(created_at=timezone.now() - dt.timedelta(days=8))


def versions(topic: str = "board.a") -> list[int]:
    return list(
        Event.objects.filter(topic=topic).order_by("version").values_list("version", flat=True)
    )


def test_what_was_left_behind_is_published_in_order(
    monkeypatch: pytest.MonkeyPatch, reaction: Reaction
) -> None:
    record()
    record(publish=False)
    record("board.b", publish=False)
    record(publish=False)
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(
        publishing, "send", lambda batch: sent.extend((item[0], item[1]) for item in batch)
    )
    assert tasks.sweep_events() == 0
    age(published_at__isnull=True)
    assert tasks.sweep_events() == 3
    assert sent == [("board.a", 2), ("board.a", 3), ("board.b", 1)]
    found = Event.objects.order_by("topic", "version").values_list("pk", flat=True)
    assert reaction.asked == list(found)
    assert not Event.objects.filter(published_at__isnull=True).exists()
    assert tasks.sweep_events() == 0


def test_what_nothing_reacts_to_needs_no_note_and_no_sweep() -> None:
    with CaptureQueriesContext(connection) as captured:
        record()
    assert not [query for query in captured if query["sql"].startswith("UPDATE")]
    record(publish=False)
    age()
    assert tasks.sweep_events() == 0
    assert not Event.objects.filter(published_at__isnull=True).exists()


@pytest.mark.usefixtures("reaction")
def test_what_cannot_be_published_stays_for_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(batch: object) -> None:
        raise ConnectionError

    record(publish=False)
    age()
    monkeypatch.setattr(publishing, "send", fail)
    assert tasks.sweep_events() == 1
    assert Event.objects.filter(published_at__isnull=True).count() == 1


def test_old_events_go_and_readers_are_told_where_the_journal_begins() -> None:
    for _ in range(5):
        record()
    record("board.b")
    age(topic="board.a", version__lte=3)
    assert tasks.prune_events() == 3
    assert versions() == [4, 5]
    assert journal.bounds("board.a") == journal.Bounds(oldest=4, newest=5)
    assert journal.bounds("board.b") == journal.Bounds(oldest=1, newest=1)
    age(topic="board.a")
    assert tasks.prune_events() == 2
    assert journal.bounds("board.a") == journal.Bounds(oldest=6, newest=5)


def test_no_topic_keeps_more_than_it_may(settings: LazySettings) -> None:
    settings.KANBANAI_JOURNAL_EVENTS = 3
    for _ in range(7):
        record()
    assert tasks.prune_events() == 4
    assert versions() == [5, 6, 7]
    assert Topic.objects.get(name="board.a").oldest_version == 5
    assert tasks.prune_events() == 0


@pytest.mark.usefixtures("reaction")
def test_an_event_that_nobody_heard_yet_stays() -> None:
    record()
    record(publish=False)
    record()
    age()
    assert tasks.prune_events() == 1
    assert versions() == [2, 3]
    assert journal.bounds("board.a").oldest == 2


def test_in_between_readers_see_one_moment() -> None:
    record()
    with one_moment():
        before = journal.versions(["board.a"])
        assert before == journal.versions(["board.a"])
    assert journal.versions(["board.a", "board.none"]) == {"board.a": 1}


def test_the_seconds_before_a_version_are_looked_at() -> None:
    record()
    record()
    age(version=1)
    assert journal.happened_before("board.a", 2, {"test.done"}, seconds=10)
    assert not journal.happened_before("board.a", 2, {"other.done"}, seconds=10)
    assert not journal.happened_before("board.a", 9, {"test.done"}, seconds=10)
