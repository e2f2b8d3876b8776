from __future__ import annotations

import datetime as dt
from typing import Any, get_type_hints

import pytest

from apps.accounts.models import User
from apps.agents.models import Attempt
from apps.agents.states import Status
from apps.boards.models import Board, Card, Column
from apps.core import problems
from apps.dashboard import outputs, queries
from apps.dashboard.overview import overview
from apps.dashboard.ranges import TimeRange
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 10, 12, 30, tzinfo=dt.UTC)


def at(row: Any, **moments: dt.datetime) -> None:
    type(row).objects.filter(pk=row.pk).update(**moments)


def attempt(card: Card, status: str, *, hours_ago: float = 1, took: float = 0.5) -> Attempt:
    """An attempt that was queued and started at once, and took some hours if it is over."""
    begun = NOW - dt.timedelta(hours=hours_ago)
    over = status in {"succeeded", "failed", "stopped", "interrupted"}
    row = factories.Attempt.create(
        card=card,
        status=status,
        queued_at=begun,
        started_at=None if status == "queued" else begun,
        ended_at=begun + dt.timedelta(hours=took) if over else None,
    )
    at(row, created_at=begun)
    return row


def read(user: User, **query: str) -> outputs.DashboardOverview:
    return overview(queries.seen_by(user), TimeRange.of(query), NOW)


@pytest.fixture
def cards(columns: dict[str, Column]) -> dict[str, Card]:
    """A card in each column, made three days ago."""
    found = {}
    for key, column in columns.items():
        found[key] = factories.Card.create(column=column)
        at(found[key], created_at=NOW - dt.timedelta(days=3))
    at(found["done"], completed_at=NOW - dt.timedelta(days=1))
    at(found["done"].project, created_at=NOW - dt.timedelta(days=5))
    return found


def test_it_has_exactly_the_keys_it_promises(ada: User, cards: dict[str, Card]) -> None:
    attempt(cards["inProgress"], "running")
    attempt(cards["review"], "failed")
    shown = read(ada)
    assert set(shown) == set(get_type_hints(outputs.DashboardOverview))
    assert set(shown["metrics"]) == set(get_type_hints(outputs.Metrics))
    assert set(shown["metrics"]["byKey"]) == {
        "projects.total",
        "attempts.active",
        "attempts.completed",
        "cards.open",
    }
    assert set(shown["projectSnapshots"][0]) == set(get_type_hints(outputs.ProjectSnapshot))
    assert set(shown["agentStats"][0]) == set(get_type_hints(outputs.AgentStats))
    assert set(shown["activeAttempts"][0]) == set(get_type_hints(outputs.ActiveAttempt))
    assert set(shown["recentAttemptActivity"][0]) == set(get_type_hints(outputs.RecentAttempt))
    assert shown["updatedAt"] == shown["generatedAt"] == "2026-03-10T12:30:00Z"
    assert shown["meta"] == {
        "version": "v1",
        "availableTimeRangePresets": [
            "last_24h",
            "last_7d",
            "last_30d",
            "last_90d",
            "all_time",
        ],
    }
    assert shown["timeRange"] == {
        "preset": "last_7d",
        "from": "2026-03-03T12:30:00Z",
        "to": "2026-03-10T12:30:00Z",
    }


def test_the_headline_counts_attempts_by_how_they_ended(ada: User, cards: dict[str, Card]) -> None:
    attempt(cards["backlog"], "succeeded", hours_ago=5)
    attempt(cards["review"], "succeeded", hours_ago=4)
    attempt(cards["review"], "failed", hours_ago=3)
    attempt(cards["done"], "stopped", hours_ago=2)
    attempt(cards["inProgress"], "running", hours_ago=1)
    attempt(cards["done"], "succeeded", hours_ago=24 * 20)
    metrics = read(ada)["metrics"]
    assert metrics["activeAttempts"] == 1
    assert metrics["attemptsInRange"] == 5
    assert metrics["successRateInRange"] == 0.6667
    assert metrics["projectsWithActivity"] == 1
    assert read(ada, timeRangePreset="all_time")["metrics"]["attemptsInRange"] == 6


def test_durations_moments_and_errors_of_finished_attempts_are_real(
    ada: User, cards: dict[str, Card]
) -> None:
    failed = attempt(cards["review"], "failed", hours_ago=3, took=0.5)
    factories.AttemptLog.create(attempt=failed, seq=1, level="error", message="It   broke\n here")
    factories.AttemptLog.create(attempt=failed, seq=2, message="A later line")
    (row,) = read(ada)["recentAttemptActivity"]
    assert row["occurredAt"] == "2026-03-10T10:00:00Z"
    assert row["durationSeconds"] == 1800
    assert row["errorSummary"] == "It broke here"
    (item,) = read(ada)["inboxItems"]["failed"]
    assert item["errorSummary"] == "It broke here"


def test_a_failure_is_told_in_a_sentence_without_its_code(
    ada: User, cards: dict[str, Card]
) -> None:
    failed = attempt(cards["review"], "failed", hours_ago=3)
    said = "[runner] agent_crashed: The agent exited with code 1."
    factories.AttemptLog.create(attempt=failed, seq=1, level="error", message=said)
    shown = read(ada)
    (item,) = shown["inboxItems"]["failed"]
    (row,) = shown["recentAttemptActivity"]
    told = [item["errorSummary"], row["errorSummary"]]
    assert told == ["The agent exited with code 1."] * 2


def test_series_have_a_point_for_each_bucket(ada: User, cards: dict[str, Card]) -> None:
    attempt(cards["backlog"], "succeeded", hours_ago=30, took=1)
    attempt(cards["review"], "succeeded", hours_ago=2, took=1)
    attempt(cards["inProgress"], "running", hours_ago=10)
    series = read(ada)["metrics"]["byKey"]
    for one in series.values():
        assert len(one["points"]) == 28
        assert {point["bucketSizeSeconds"] for point in one["points"]} == {6 * 3600}
        assert one["points"][-1]["timestamp"] == "2026-03-10T12:30:00Z"
        assert one["points"][0]["timestamp"] == "2026-03-03T18:30:00Z"
    completed = [point["value"] for point in series["attempts.completed"]["points"]]
    assert (sum(completed), completed[-1], completed[-5]) == (2, 1, 1)
    assert series["attempts.completed"]["total"] == 2
    active = [point["value"] for point in series["attempts.active"]["points"]]
    assert active[-3:] == [0, 1, 1]
    opened = [point["value"] for point in series["cards.open"]["points"]]
    assert (opened[0], max(opened), opened[-1]) == (0, 4, 3)
    assert series["cards.open"]["total"] == 3
    existing = [point["value"] for point in series["projects.total"]["points"]]
    assert (existing[0], existing[-1]) == (0, 1)
    assert series["projects.total"]["trend"] == "up"


@pytest.mark.parametrize(
    ("preset", "points"),
    [("last_24h", 24), ("last_7d", 28), ("last_30d", 30), ("last_90d", 30), ("all_time", 20)],
)
def test_every_preset_has_buckets_of_its_own(
    ada: User, cards: dict[str, Card], preset: str, points: int
) -> None:
    shown = read(ada, timeRangePreset=preset)
    assert shown["timeRange"].get("preset") == preset
    assert len(shown["metrics"]["byKey"]["cards.open"]["points"]) == points


def test_a_project_s_health_is_what_its_attempts_say(ada: User, cards: dict[str, Card]) -> None:
    for number in range(5):
        attempt(cards["review"], "failed" if number < 3 else "succeeded", hours_ago=number + 1)
    attempt(cards["inProgress"], "running")
    (shown,) = read(ada)["projectSnapshots"]
    assert shown["columnCardCounts"] == {"backlog": 1, "inProgress": 1, "review": 1, "done": 1}
    assert (shown["totalCards"], shown["openCards"]) == (4, 3)
    assert (shown["attemptsInRange"], shown["failedAttemptsInRange"]) == (6, 3)
    assert shown["failureRateInRange"] == 0.5
    assert shown["health"] == {
        "activityScore": 3 + 3 + 12,
        "failureRateInRange": 0.5,
        "isHighActivity": True,
        "isAtRisk": True,
    }
    assert shown["status"] == "failing"
    Project.objects.update(state=Project.State.CLONING)
    assert read(ada)["projectSnapshots"][0]["status"] == "disabled"


def test_all_projects_are_shown_the_newest_first(ada: User) -> None:
    made = [factories.Project.create(owner=ada, name=f"P{number}") for number in range(9)]
    shown = read(ada)["projectSnapshots"]
    assert [one["id"] for one in shown] == [one.public_id for one in reversed(made)]


def test_agents_are_online_when_they_can_be_started(ada: User, cards: dict[str, Card]) -> None:
    attempt(cards["review"], "succeeded", hours_ago=3)
    shown = {one["agentId"]: one for one in read(ada)["agentStats"]}
    demo = shown["demo"]
    assert (demo["status"], demo["agentName"]) == ("online", "Demo agent")
    assert (demo["attemptsStarted"], demo["successRate"]) == (1, 1.0)
    assert demo["lastActivityAt"] == "2026-03-10T10:00:00Z"
    never = next(one for one in shown.values() if one["attemptsStarted"] == 0)
    assert (never["successRateInRange"], never["lastActivityAt"]) == (None, None)


def test_the_inbox_has_reviews_failures_and_what_does_not_move(
    ada: User, columns: dict[str, Column], cards: dict[str, Card]
) -> None:
    attempt(cards["review"], "succeeded")
    attempt(cards["done"], "succeeded")
    attempt(cards["backlog"], "stopped")
    waiting = factories.Card.create(column=columns["inProgress"])
    attempt(waiting, "queued", hours_ago=1)
    attempt(cards["inProgress"], "running", hours_ago=1)
    fresh = factories.Card.create(column=columns["inProgress"])
    attempt(fresh, "running", hours_ago=0.1)
    found = read(ada)["inboxItems"]
    assert found["meta"] == {"totalItems": 4, "totalReview": 1, "totalFailed": 1, "totalStuck": 2}
    assert [item["cardId"] for item in found["review"]] == [cards["review"].public_id]
    assert found["review"][0]["cardStatus"] == "Review"
    assert [item["status"] for item in found["failed"]] == ["stopped"]
    assert {item.get("stuckForSeconds") for item in found["stuck"]} == {3600}


def test_a_card_that_succeeded_later_has_not_failed(ada: User, cards: dict[str, Card]) -> None:
    attempt(cards["review"], "failed", hours_ago=5)
    attempt(cards["review"], "succeeded", hours_ago=1)
    meta = read(ada)["inboxItems"]["meta"]
    assert (meta["totalReview"], meta["totalFailed"]) == (1, 0)


def test_nobody_sees_what_is_not_theirs(
    ada: User, bob: User, eve: User, root: User, cards: dict[str, Card]
) -> None:
    attempt(cards["inProgress"], "running")
    seen = {user.email: len(read(user)["activeAttempts"]) for user in (ada, bob, eve, root)}
    assert seen == {
        "ada@example.org": 1,
        "bob@example.org": 1,
        "eve@example.org": 0,
        "root@example.org": 1,
    }
    assert read(eve)["projectSnapshots"] == []
    assert read(eve)["metrics"]["byKey"]["cards.open"]["total"] == 0


def test_who_sees_what_is_the_same_rule_as_everywhere(
    ada: User, bob: User, eve: User, root: User, board: Board, organization: Any
) -> None:
    shared = factories.Project.create(owner=eve, organization=organization)
    people = [ada, bob, eve, root]
    seen = queries.seen_by_all([user.pk for user in people])
    everything = frozenset(Project.objects.values_list("pk", flat=True))
    for user in people:
        wanted = frozenset(Project.objects.visible_to(user).values_list("pk", flat=True))
        assert (everything if seen[user.pk] is None else seen[user.pk]) == wanted
    assert shared.pk in (seen[bob.pk] or ())


def test_its_statements_do_not_grow(
    ada: User, cards: dict[str, Card], django_assert_max_num_queries: Any
) -> None:
    def count() -> None:
        seen = queries.seen_by(ada)
        with django_assert_max_num_queries(12):
            overview(seen, TimeRange(), NOW)

    attempt(cards["inProgress"], "running")
    count()
    for number in range(5):
        board = factories.BoardWithColumns.create(project__owner=ada)
        card = factories.Card.create(column=board.columns.get(key="review"))
        attempt(card, "failed", hours_ago=number + 1)
    count()


# --- REST ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
def test_rest_gives_the_overview(
    ada: User, cards: dict[str, Card], client_of: ClientOf, prefix: str
) -> None:
    answer = client_of(ada).get(f"{prefix}/dashboard", {"timeRangePreset": "last_30d"})
    assert answer.status_code == 200
    assert answer.json()["data"]["timeRange"]["preset"] == "last_30d"


@pytest.mark.parametrize(
    ("query", "preset"),
    [
        ({}, "last_7d"),
        ({"range": "24h"}, "last_24h"),
        ({"range": "all"}, "all_time"),
        ({"timeRangePreset": "nonsense"}, "last_7d"),
        ({"timeRangePreset": "last_90d", "range": "24h"}, "last_90d"),
    ],
)
def test_a_range_is_chosen_by_preset_or_short_name(query: dict[str, str], preset: str) -> None:
    assert TimeRange.of(query).preset == preset


def test_two_moments_are_a_range_of_their_own(ada: User, client_of: ClientOf) -> None:
    answer = client_of(ada).get(
        "/api/v1/dashboard", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00+01:00"}
    )
    data = answer.json()["data"]
    assert data["timeRange"] == {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T23:00:00Z"}
    assert len(data["metrics"]["byKey"]["cards.open"]["points"]) == 47


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-01-01T00:00:00Z"},
        {"from": "soon", "to": "later"},
        {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2026-13-01T00:00:00Z", "to": "2026-14-01T00:00:00Z"},
        {"range": "a while"},
    ],
)
def test_a_range_that_is_none_is_a_400(
    ada: User, client_of: ClientOf, query: dict[str, str]
) -> None:
    answer = client_of(ada).get("/api/v1/dashboard", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_nobody_reads_it_without_signing_in(nobody: Any) -> None:
    assert nobody.get("/api/v1/dashboard").status_code == 401


def test_statuses_are_spelled_as_board_clients_know_them(ada: User, cards: dict[str, Card]) -> None:
    attempt(cards["inProgress"], Status.WAITING)
    attempt(cards["review"], Status.INTERRUPTED)
    shown = read(ada)
    assert [one["status"] for one in shown["activeAttempts"]] == ["running"]
    assert [one["status"] for one in shown["recentAttemptActivity"]] == ["failed"]


@pytest.mark.parametrize(
    "edge", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T00:00:00Z"]
)
def test_moments_at_the_ends_of_the_calendar_are_refused(ada: User, edge: str) -> None:
    with pytest.raises(problems.ValidationFailed):
        read(ada, **{"from": edge, "to": "2026-03-10T00:00:00Z"})
    with pytest.raises(problems.ValidationFailed):
        read(ada, **{"from": "2026-03-10T00:00:00Z", "to": edge})
