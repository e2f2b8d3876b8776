"""What waits for a person: finished work, failures, and attempts that do not move."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypedDict

from django.urls import reverse

from apps.agents.models import Approval
from apps.agents.states import BOARD_SPELLING, FINAL, REMEDIES, Status
from apps.boards.models import ColumnType
from apps.core import ids
from apps.core.moments import moment
from apps.dashboard import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from apps.agents.models import Attempt
    from apps.dashboard.outputs import InboxItem, InboxItems
    from apps.dashboard.queries import Candidate

# What an attempt is to a person, and the attempt.
Picked = tuple[str, "Attempt"]

MOST_ITEMS = 25
STUCK_IN_QUEUE_SECONDS = 600
STUCK_AT_WORK_SECONDS = 1800
SUMMARY_LENGTH = 200
NO_SUMMARY = "The attempt failed without a message."
# What the log puts before the sentence: who wrote it, and the reason's code.
LOG_PREFIX = re.compile(r"^\[runner\] \w+:\s*")
OVER = frozenset({ColumnType.DONE, ColumnType.ARCHIVE})
FAILED = frozenset({Status.FAILED, Status.STOPPED, Status.INTERRUPTED})
AT_WORK = frozenset({Status.RUNNING, Status.STOPPING})


def kind_of(attempt: Candidate, now: datetime, succeeded_cards: set[UUID]) -> str | None:
    """This will tell what an attempt is to a person: review, failed, stuck, or nothing."""
    status = Status(attempt.status)
    done = attempt.column_type in OVER
    if status in FINAL and done:
        return None
    if status == Status.SUCCEEDED:
        return "review"
    if status in FAILED:
        return "failed" if attempt.card_id not in succeeded_cards else None
    waited = seconds_stuck(attempt, now)
    if status == Status.QUEUED:
        return "stuck" if waited >= STUCK_IN_QUEUE_SECONDS else None
    return "stuck" if status in AT_WORK and waited >= STUCK_AT_WORK_SECONDS else None


def seconds_stuck(attempt: Attempt | Candidate, now: datetime) -> int:
    """This will count the seconds since an attempt began, or since it stands in line."""
    since = attempt.queued_at
    if attempt.status != Status.QUEUED and attempt.started_at is not None:
        since = attempt.started_at
    return max(0, int((now - since).total_seconds()))


def summary(attempt: Attempt, last_words: str | None) -> str:
    """This will say in one line why an attempt failed."""
    remedy = REMEDIES.get(attempt.reason)
    text = LOG_PREFIX.sub("", last_words or "") or (remedy[0] if remedy else "") or NO_SUMMARY
    return re.sub(r"\s+", " ", text).strip()[:SUMMARY_LENGTH]


def chosen(rows: list[Candidate], now: datetime) -> list[tuple[str, UUID]]:
    """This will choose the newest items, at most one finished or failed attempt a card."""
    succeeded = {row.card_id for row in rows if row.status == Status.SUCCEEDED}
    found: list[tuple[str, UUID]] = []
    seen: set[UUID] = set()
    for attempt in rows:
        kind = kind_of(attempt, now, succeeded)
        if kind is None or (kind != "stuck" and attempt.card_id in seen):
            continue
        if kind != "stuck":
            seen.add(attempt.card_id)
        found.append((kind, attempt.pk))
        if len(found) == MOST_ITEMS:
            break
    return found


def picked(rows: list[Candidate], now: datetime) -> list[Picked]:
    """This will choose the newest items and read them."""
    ids = chosen(rows, now)
    attempts = queries.attempts_by_id(pk for _kind, pk in ids)
    return [(kind, attempts[pk]) for kind, pk in ids if pk in attempts]


def items(
    found: list[Picked],
    words: Mapping[UUID, str | None],
    now: datetime,
    agent_name: Callable[[str], str],
) -> InboxItems:
    """This will show the inbox of an overview; `words` is what failed attempts said last."""
    shown: dict[str, list[InboxItem]] = {"review": [], "failed": [], "stuck": []}
    for kind, attempt in found:
        entry = _item(kind, attempt, agent_name(attempt.agent))
        if kind == "review":
            entry["reason"] = "Finished, ready for review"
        elif kind == "failed":
            entry["errorSummary"] = summary(attempt, words.get(attempt.pk))
        else:
            entry["stuckForSeconds"] = seconds_stuck(attempt, now)
        shown[kind].append(entry)
    return {
        "review": shown["review"],
        "failed": shown["failed"],
        "stuck": shown["stuck"],
        "meta": {
            "totalItems": len(found),
            "totalReview": len(shown["review"]),
            "totalFailed": len(shown["failed"]),
            "totalStuck": len(shown["stuck"]),
        },
    }


def _item(kind: str, attempt: Attempt, agent_name: str) -> InboxItem:
    return {
        "id": f"{kind}-{attempt.public_id}",
        "type": kind,
        "kind": kind,
        "attemptId": attempt.public_id,
        "projectId": ids.encode("proj", attempt.project_id),
        "projectName": attempt.project.name,
        "boardId": ids.encode("board", attempt.board_id),
        "cardId": ids.encode("card", attempt.card_id),
        "cardTitle": attempt.card.title,
        "ticketKey": attempt.card.key,
        "agentId": attempt.agent,
        "agentName": agent_name,
        "status": BOARD_SPELLING[attempt.status],
        "cardStatus": attempt.card.column.name,
        "createdAt": moment(attempt.created_at),
        "updatedAt": moment(attempt.updated_at),
        "finishedAt": moment(attempt.ended_at) if attempt.ended_at else None,
        "lastUpdatedAt": moment(attempt.updated_at),
        "prUrl": None,
    }


# --- the inbox page ------------------------------------------------------------------------------


class Verb(TypedDict):
    """What to do about it."""

    label: str
    href: str


class Row(TypedDict):
    """One line of the inbox page."""

    id: str
    kind: str
    ticketKey: str
    cardId: str
    boardId: str
    cardTitle: str
    projectName: str
    reason: str
    at: datetime
    attemptId: str
    agentName: str
    verb: Verb


class Inbox(TypedDict):
    """The page's three groups, the most urgent first."""

    needsYou: list[Row]
    broken: list[Row]
    done: list[Row]


ASKED = {
    Approval.Kind.PERMISSION: ("approval", "Asks for permission", "Answer"),
    Approval.Kind.PLAN: ("plan", "Proposes a plan", "Read the plan"),
    Approval.Kind.QUESTION: ("question", "Asks a question", "Answer"),
}
VERBS = {
    "review": ("Review", "changes"),
    "failed": ("Look", "run"),
    "stuck": ("Look", "run"),
    "paused": ("Look", "run"),
    "question": ("Answer", "run"),
}


def rows(
    candidates: list[Candidate],
    approvals: Iterable[Approval],
    now: datetime,
    agent_name: Callable[[str], str],
) -> Inbox:
    """This will show the inbox page: what is asked, what broke, and what is ready for review."""
    found: Inbox = {"needsYou": [], "broken": [], "done": []}
    asked: set[UUID] = set()
    for approval in approvals:
        attempt = approval.attempt
        asked.add(attempt.pk)
        kind, words, verb = ASKED[Approval.Kind(approval.kind)]
        found["needsYou"].append(
            _row(
                attempt,
                key=approval.public_id,
                kind=kind,
                reason=f"{words}: {approval.title}" if approval.title else words,
                at=approval.created_at,
                agent_name=agent_name(attempt.agent),
                verb=(verb, "run"),
            )
        )
    waiting = picked(candidates, now)
    words_of = queries.last_words_of(attempt for kind, attempt in waiting if kind == "failed")
    held = [row.pk for row in candidates if row.status in {Status.WAITING, Status.PAUSED}]
    for attempt in queries.attempts_by_id(held).values():
        if attempt.status == Status.WAITING and attempt.pk not in asked:
            found["needsYou"].append(
                _plain(attempt, "question", "Waits for your words", agent_name)
            )
        elif attempt.status == Status.PAUSED:
            reason = summary(attempt, attempt.detail or "Paused")
            found["broken"].append(_plain(attempt, "paused", reason, agent_name))
    for kind, attempt in waiting:
        if kind == "review":
            shown = _plain(attempt, kind, "Finished, ready for review", agent_name)
            found["done"].append(shown)
        elif kind == "failed":
            reason = summary(attempt, attempt.detail or words_of.get(attempt.pk))
            found["broken"].append(_plain(attempt, kind, reason, agent_name))
        else:
            minutes = seconds_stuck(attempt, now) // 60
            reason = f"No end for {minutes} minutes"
            found["broken"].append(_plain(attempt, kind, reason, agent_name))
    return found


def _plain(attempt: Attempt, kind: str, reason: str, agent_name: Callable[[str], str]) -> Row:
    return _row(
        attempt,
        key=attempt.public_id,
        kind=kind,
        reason=reason,
        at=attempt.ended_at or attempt.updated_at,
        agent_name=agent_name(attempt.agent),
        verb=VERBS[kind],
    )


def _row(
    attempt: Attempt,
    *,
    key: str,
    kind: str,
    reason: str,
    at: datetime,
    agent_name: str,
    verb: tuple[str, str],
) -> Row:
    board_id = ids.encode("board", attempt.board_id)
    card_id = ids.encode("card", attempt.card_id)
    label, tab = verb
    arguments: list[Any] = [board_id, card_id]
    return {
        "id": key,
        "kind": kind,
        "ticketKey": attempt.card.key,
        "cardId": card_id,
        "boardId": board_id,
        "cardTitle": attempt.card.title,
        "projectName": attempt.project.name,
        "reason": reason,
        "at": at,
        "attemptId": attempt.public_id,
        "agentName": agent_name,
        "verb": {"label": label, "href": f"{reverse('card', args=arguments)}?tab={tab}"},
    }
