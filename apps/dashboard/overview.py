"""Mission control: one reading of everything somebody sees, in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.utils import timezone

from apps.agents import registry
from apps.agents.states import BOARD_SPELLING, Status
from apps.core import ids
from apps.core.moments import moment
from apps.dashboard import inbox, queries
from apps.dashboard.queries import CardCounts, Counts
from apps.dashboard.ranges import PRESETS
from apps.projects.models import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from apps.agents.models import Attempt
    from apps.dashboard import outputs
    from apps.dashboard.queries import Seen
    from apps.dashboard.ranges import TimeRange, Window

VERSION = "v1"
# A project's score: cards and attempts weigh this much.
OPEN, ACTIVE, IN_RANGE = 1, 3, 2
HIGH_SCORE = 10
RISK_ATTEMPTS, RISK_RATE = 5, 0.5
DEGRADED_ATTEMPTS, DEGRADED_RATE = 3, 0.25


def agent_name(agent: str) -> str:
    """This will give an agent's name, or its id when nobody knows it any more."""
    preset = registry.find_preset(agent)
    return preset.label if preset is not None else agent


def overview(
    seen: Seen, chosen: TimeRange, now: datetime | None = None
) -> outputs.DashboardOverview:
    """This will read the overview of the projects somebody sees."""
    now = now or timezone.now()
    projects = queries.projects(seen)
    first = min((project.created_at for project in projects), default=now)
    window = chosen.at(now, first)
    cards = queries.card_counts(seen)
    counts = queries.attempt_counts(seen, window)
    active = queries.active_attempts(seen)
    recent = queries.recent_attempts(seen, window)
    picked = inbox.picked(queries.candidates(seen, window), now)
    words = queries.last_words_of(
        attempt
        for attempt in (*recent, *(attempt for _kind, attempt in picked))
        if attempt.status != Status.SUCCEEDED
    )
    waiting = inbox.items(picked, words, now, agent_name)
    by_project = _sums(counts, lambda key: key[0])
    everything = Counts()
    for one in counts.values():
        everything.add(one)
    with_activity = sum(1 for found in by_project.values() if found.in_range or found.active)
    rate = _rate(everything.succeeded_in_range, everything.failed_in_range) or 0.0
    generated_at = moment(now)
    return {
        "timeRange": _time_range(window),
        "generatedAt": generated_at,
        "updatedAt": generated_at,
        "metrics": {
            "byKey": _series(seen, window, projects, cards, everything.active),
            "activeAttempts": everything.active,
            "attemptsInRange": everything.in_range,
            "successRateInRange": rate,
            "reviewItemsCount": waiting["meta"]["totalReview"],
            "projectsWithActivity": with_activity,
        },
        "activeAttempts": [_active(attempt, now) for attempt in active],
        "recentAttemptActivity": [_recent(attempt, words) for attempt in recent],
        "inboxItems": waiting,
        "projectSnapshots": [
            _project(project, cards[project.pk], by_project[project.pk]) for project in projects
        ],
        "agentStats": _agents(_sums(counts, lambda key: key[1])),
        "attemptsInRange": everything.in_range,
        "successRateInRange": rate,
        "projectsWithActivityInRange": with_activity,
        "meta": {"version": VERSION, "availableTimeRangePresets": list(PRESETS)},
    }


def _time_range(window: Window) -> outputs.ChosenRange:
    shown: outputs.ChosenRange = {"to": moment(window.end)}
    if window.range.preset is not None:
        shown["preset"] = window.range.preset
    if window.start is not None:
        shown["from"] = moment(window.start)
    return shown


# --- sums ----------------------------------------------------------------------------------------


def _sums(
    counts: Mapping[tuple[UUID, str], Counts], by: Callable[[tuple[UUID, str]], Any]
) -> defaultdict[Any, Counts]:
    sums: defaultdict[Any, Counts] = defaultdict(Counts)
    for key, one in counts.items():
        sums[by(key)].add(one)
    return sums


def _rate(succeeded: int, failed: int) -> float | None:
    """The share of successes among what came to an end by itself; None where nothing did."""
    over = succeeded + failed
    return round(succeeded / over, 4) if over else None


# --- series --------------------------------------------------------------------------------------


def _series(
    seen: Seen,
    window: Window,
    projects: list[Project],
    cards: Mapping[UUID, CardCounts],
    active: int,
) -> dict[str, outputs.Series]:
    attempts = queries.attempts_of(seen)
    all_cards = queries.cards_of(seen)
    begun, ended, made, completed = queries.histograms(
        {
            "queued_at": attempts,
            "ended_at": queries.over(attempts),
            "created_at": all_cards,
            "completed_at": all_cards,
        },
        window,
    )
    ends = window.ends()
    open_now = sum(found.open for found in cards.values())
    existing = [sum(project.created_at < end for project in projects) for end in ends]
    return {
        "projects.total": _line("Projects", existing, window, total=len(projects)),
        "attempts.active": _line(
            "Active Attempts", _backwards(active, begun, ended), window, total=active
        ),
        "attempts.completed": _line(
            "Attempts Completed", ended[:-1], window, total=sum(ended[:-1])
        ),
        "cards.open": _line(
            "Open Cards", _backwards(open_now, made, completed), window, total=open_now
        ),
    }


def _backwards(now: int, came: list[int], went: list[int]) -> list[int]:
    """What there was at the end of each bucket, counted back from what there is now."""
    values = []
    current = now
    for came_later, went_later in zip(reversed(came[1:]), reversed(went[1:]), strict=True):
        current = current - came_later + went_later
        values.append(max(0, current))
    return values[::-1]


def _line(label: str, values: list[int], window: Window, *, total: int) -> outputs.Series:
    first, last = values[0], values[-1]
    return {
        "label": label,
        "unit": "count",
        "points": [
            {"timestamp": moment(end), "value": value, "bucketSizeSeconds": window.step}
            for end, value in zip(window.ends(), values, strict=True)
        ],
        "total": total,
        "trend": "up" if last > first else "down" if last < first else "flat",
    }


# --- rows ----------------------------------------------------------------------------------------


def _active(attempt: Attempt, now: datetime) -> outputs.ActiveAttempt:
    shown: outputs.ActiveAttempt = {
        "attemptId": attempt.public_id,
        "projectId": ids.encode("proj", attempt.project_id),
        "projectName": attempt.project.name,
        "boardId": ids.encode("board", attempt.board_id),
        "cardId": ids.encode("card", attempt.card_id),
        "cardTitle": attempt.card.title,
        "ticketKey": attempt.card.key,
        "agentId": attempt.agent,
        "status": BOARD_SPELLING[attempt.status],
        "state": attempt.status,
        "waitingFor": attempt.waiting_for or None,
        "startedAt": moment(attempt.started_at) if attempt.started_at else None,
        "updatedAt": moment(attempt.updated_at),
        "priority": attempt.card.priority,
    }
    if attempt.started_at is not None:
        shown["elapsedSeconds"] = max(0, int((now - attempt.started_at).total_seconds()))
    return shown


def _recent(attempt: Attempt, words: Mapping[UUID, str | None]) -> outputs.RecentAttempt:
    ended_at = attempt.ended_at or attempt.updated_at
    shown: outputs.RecentAttempt = {
        "attemptId": attempt.public_id,
        "projectId": ids.encode("proj", attempt.project_id),
        "projectName": attempt.project.name,
        "boardId": ids.encode("board", attempt.board_id),
        "cardId": ids.encode("card", attempt.card_id),
        "cardTitle": attempt.card.title,
        "ticketKey": attempt.card.key,
        "agentId": attempt.agent,
        "status": BOARD_SPELLING[attempt.status],
        "occurredAt": moment(ended_at),
    }
    if attempt.started_at is not None:
        shown["durationSeconds"] = max(0, int((ended_at - attempt.started_at).total_seconds()))
    if attempt.status != Status.SUCCEEDED:
        shown["errorSummary"] = inbox.summary(attempt, words.get(attempt.pk))
    return shown


def _project(project: Project, cards: CardCounts, counts: Counts) -> outputs.ProjectSnapshot:
    rate = round(counts.failed_in_range / counts.in_range, 4) if counts.in_range else 0.0
    score = cards.open * OPEN + counts.active * ACTIVE + counts.in_range * IN_RANGE
    at_risk = counts.in_range >= RISK_ATTEMPTS and rate >= RISK_RATE
    first_board = getattr(project, "first_board_id", None)
    return {
        "projectId": project.public_id,
        "id": project.public_id,
        "boardId": ids.encode("board", first_board) if first_board else None,
        "name": project.name,
        "status": _status(project, counts, rate, at_risk=at_risk),
        "repositorySlug": project.path.rstrip("/").rsplit("/", 1)[-1],
        "repositoryPath": project.path,
        "createdAt": moment(project.created_at),
        "totalCards": cards.total,
        "openCards": cards.open,
        "columnCardCounts": {
            "backlog": cards.buckets["backlog"],
            "inProgress": cards.buckets["inProgress"],
            "review": cards.buckets["review"],
            "done": cards.buckets["done"],
        },
        "activeAttempts": counts.active,
        "activeAttemptsCount": counts.active,
        "attemptsInRange": counts.in_range,
        "failedAttemptsInRange": counts.failed_in_range,
        "failureRateInRange": rate,
        "health": {
            "activityScore": score,
            "failureRateInRange": rate,
            "isHighActivity": score >= HIGH_SCORE and (cards.open > 0 or counts.in_range > 0),
            "isAtRisk": at_risk,
        },
    }


def _status(project: Project, counts: Counts, rate: float, *, at_risk: bool) -> str:
    if project.state != Project.State.READY:
        return "disabled"
    if at_risk:
        return "failing"
    if counts.in_range >= DEGRADED_ATTEMPTS and rate >= DEGRADED_RATE:
        return "degraded"
    return "healthy"


def _agents(counts: Mapping[str, Counts]) -> list[outputs.AgentStats]:
    """Every agent this server knows, and those of old that only the journal of work remembers."""
    found = registry.agents()
    names = [*found, *sorted(set(counts) - set(found))]
    return [_agent(name, counts.get(name, Counts()), found.get(name)) for name in names]


def _agent(name: str, counts: Counts, found: registry.Found | None) -> outputs.AgentStats:
    last_at = moment(counts.last_at) if counts.last_at else None
    return {
        "agentId": name,
        "agentName": found["label"] if found is not None else agent_name(name),
        "status": _agent_status(found, counts),
        "attemptsStarted": counts.total,
        "attemptsSucceeded": counts.succeeded,
        "attemptsFailed": counts.failed,
        "successRate": _rate(counts.succeeded, counts.failed),
        "attemptsInRange": counts.in_range,
        "successRateInRange": _rate(counts.succeeded_in_range, counts.failed_in_range),
        "lastActiveAt": last_at,
        "lastActivityAt": last_at,
        "hasActivityInRange": counts.in_range > 0,
        "currentActiveAttempts": counts.active,
    }


def _agent_status(found: registry.Found | None, counts: Counts) -> str:
    if found is None or not found["available"]:
        return "offline"
    rate = _rate(counts.succeeded_in_range, counts.failed_in_range)
    if rate is not None and counts.in_range >= RISK_ATTEMPTS and rate <= 1 - RISK_RATE:
        return "degraded"
    return "online"
