"""Who may start now, who waits, who is refused: decided here, whoever asks and however.

The decision is made in the transaction that writes it, under one lock, so that simultaneous
requests keep every limit. Who is let in holds a slot from that moment until its process is gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.agents import events, keys, queries, registry, rules
from apps.agents.models import Attempt, SlotLock
from apps.agents.operations import transitions
from apps.agents.states import Status
from apps.boards import queries as board_queries
from apps.boards import rules as board_rules
from apps.boards.models import Card, ColumnKey, ColumnType, Priority
from apps.core import problems
from apps.projects import rules as project_rules
from apps.projects.models import Project

if TYPE_CHECKING:
    from uuid import UUID

    from apps.agents.models import AgentProfile
    from apps.boards.models import Column
    from apps.core.actors import Actor
    from apps.core.problems import Problem

LOCK = "slots"
SERVER_FULL = "All agents of this server are at work."
PROJECT_FULL = "As many agents as allowed are at work on this project."
PERSON_FULL = "As many of your agents as allowed are at work."
CREDENTIAL_FULL = "As many agents as allowed are at work with its credential."
OTHERS_FIRST = "Others are before it in the queue."

_URGENCY = {
    Priority.URGENT: 4,
    Priority.HIGH: 3,
    Priority.MEDIUM: 2,
    Priority.LOW: 1,
    Priority.NONE: 0,
}


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The answer: start now, wait (`reason`, `position` from 1), or not at all (`problem`)."""

    answer: Literal["start", "queue", "refuse"]
    reason: str = ""
    position: int = 0
    problem: Problem | None = None


@dataclass(kw_only=True)
class Line:
    """The queue as it stands: who may start now, in that order, and why the others wait."""

    starting: list[Attempt] = field(default_factory=list)
    # The credential each of them would start with.
    credentials: dict[UUID, UUID | None] = field(default_factory=dict)
    waiting: list[tuple[Attempt, str]] = field(default_factory=list)

    def position_of(self, attempt_id: UUID) -> int:
        """This will be the place among those that wait, from 1; 0 for one that may start."""
        for place, (attempt, _reason) in enumerate(self.waiting, start=1):
            if attempt.pk == attempt_id:
                return place
        return 0


@dataclass(kw_only=True)
class Taken:
    """The slots that are held, and for what."""

    total: int
    projects: Counter[UUID]
    people: Counter[UUID | None]
    credentials: Counter[UUID | None]

    def add(self, attempt: Attempt, credential_id: UUID | None) -> None:
        """This will count an attempt that is let in."""
        self.total += 1
        self.projects[attempt.project_id] += 1
        self.people[attempt.started_by_id] += 1
        self.credentials[credential_id] += 1


def lock_slots() -> None:
    """This will make everybody else who decides about slots wait until this transaction ends."""
    SlotLock.objects.bulk_create([SlotLock(name=LOCK)], ignore_conflicts=True)
    SlotLock.objects.select_for_update().get(name=LOCK)


def _taken() -> Taken:
    holders = queries.slot_holders()
    return Taken(
        total=len(holders),
        projects=Counter(project for project, _person, _credential in holders),
        people=Counter(person for _project, person, _credential in holders),
        credentials=Counter(credential for _project, _person, credential in holders),
    )


def line() -> Line:
    """This will order the queue: urgent cards first, then whoever has least at work, then age."""
    taken = _taken()
    found = Line()
    left = queries.attempts_in_line()
    ring = keys.Ring.read() if left else keys.Ring({})
    while left:
        # Asked anew for each place: letting one in changes who has least at work.
        attempt = min(
            left,
            key=lambda one: (
                -_URGENCY.get(Priority(one.card.priority), 0),
                taken.people[one.started_by_id],
                one.queued_at,
                one.pk,
            ),
        )
        left.remove(attempt)
        chosen = keys.chosen_for(attempt, ring)
        credential_id = chosen.pk if chosen is not None else None
        reason = _full(attempt, credential_id, taken)
        if reason:
            found.waiting.append((attempt, reason))
            continue
        found.starting.append(attempt)
        found.credentials[attempt.pk] = credential_id
        taken.add(attempt, credential_id)
    return found


def _full(attempt: Attempt, credential_id: UUID | None, taken: Taken) -> str:
    return _no_slot(attempt.project_id, attempt.started_by_id, credential_id, taken)


def _no_slot(
    project_id: UUID, person_id: UUID | None, credential_id: UUID | None, taken: Taken
) -> str:
    per_project = settings.KANBANAI_AGENT_SLOTS_PER_PROJECT
    per_person = settings.KANBANAI_AGENT_SLOTS_PER_PERSON
    per_credential = settings.KANBANAI_AGENT_SLOTS_PER_CREDENTIAL
    if taken.total >= settings.KANBANAI_AGENT_SLOTS:
        return SERVER_FULL
    if per_project and taken.projects[project_id] >= per_project:
        return PROJECT_FULL
    if per_person and taken.people[person_id] >= per_person:
        return PERSON_FULL
    if credential_id and per_credential and taken.credentials[credential_id] >= per_credential:
        return CREDENTIAL_FULL
    return ""


def lacks_room(project_id: UUID, person_id: UUID, credential_id: UUID | None) -> str:
    """This will be why nothing more may run now for these, empty when it may."""
    return _no_slot(project_id, person_id, credential_id, _taken())


def refusal(
    *,
    actor: Actor,
    card: Card,
    agent: str,
    attempt: Attempt | None = None,
    profile: AgentProfile | None = None,
) -> Problem | None:
    """This will be why no agent may work on the card, or None.

    `attempt` is the one that would go on; without it a new one is meant, of `profile`.
    """
    try:
        rules.require_worker(actor, card.project)
        _require_open(card)
        _require_unblocked(card)
        _require_alone(card, attempt)
        _require_room(card)
        _require_repository(card.project)
        registry.require_available(agent)
        _require_trusted(actor, card.project, agent)
        registry.require_sandbox()
        keys.require_key(card, agent, profile=attempt.profile if attempt else profile)
    except problems.Problem as problem:
        return problem
    return None


def _require_open(card: Card) -> None:
    if card.column.column_type == ColumnType.ARCHIVE:
        raise problems.Conflict("The card is archived.", code="CARD_DONE")
    if card.column.column_type == ColumnType.DONE:
        raise problems.Conflict("The card is done.", code="CARD_DONE")
    if card.is_deferred:
        raise problems.Conflict("The card is deferred: activate it first.")


def _require_unblocked(card: Card) -> None:
    waits_for = board_queries.open_dependencies_of(card)
    if waits_for:
        keys = ", ".join(other.key for other in waits_for)
        raise problems.Conflict(
            f"This card waits for {keys}.",
            code="CARD_BLOCKED",
            blockedBy=[other.public_id for other in waits_for],
        )


def _require_alone(card: Card, attempt: Attempt | None) -> None:
    others = card.attempts.active()
    if attempt is not None:
        others = others.exclude(pk=attempt.pk)
    if others.exists():
        raise problems.Conflict("An agent is at work on this card already.", code="AGENT_RUNNING")


def _require_room(card: Card) -> None:
    column = work_column(card)
    if column is None or column.wip_limit is None:
        return
    others = Card.objects.filter(column=column).exclude(pk=card.pk).count()
    if others >= column.wip_limit:
        raise problems.Conflict(
            f"“{column.name}” holds as many cards as allowed ({column.wip_limit}).",
            code="WIP_LIMIT",
        )


def _require_trusted(actor: Actor, project: Project, agent: str) -> None:
    """Scripts of people are run for those who administer the project, once there are several."""
    preset = registry.find_preset(agent)
    if preset is None or preset.family != "command" or not registry.has_several_people():
        return
    if not project_rules.can_administer(actor, project):
        raise problems.Forbidden("Only admins of the project may run scripts as an agent.")


def work_column(card: Card) -> Column | None:
    """This will be the column the card stands in while an agent works on it."""
    if board_rules.starts_agent(card.column):
        return card.column
    return board_queries.column_by_key(card.board_id, ColumnKey.IN_PROGRESS)


def _require_repository(project: Project) -> None:
    if project.state != Project.State.READY:
        raise problems.Conflict("The repository is not ready.", code="REPOSITORY_NOT_READY")
    folder = Path(project.path)
    if not (folder / ".git").exists() and not (folder / "HEAD").is_file():
        raise problems.Conflict(
            "The project's folder holds no git repository.", code="REPOSITORY_NOT_READY"
        )


@transaction.atomic
def admit(*, actor: Actor, attempt: Attempt) -> Admission:
    """This will let an attempt that was just put in line start, or tell it why it waits.

    Whether it may work at all was asked before (`refusal`); `lock_slots` must be held.
    """
    found = line()
    if any(one.pk == attempt.pk for one in found.starting):
        _let_in(attempt, found.credentials[attempt.pk], actor=actor)
        return Admission(answer="start")
    waits = {one.pk: reason for one, reason in found.waiting}
    reason = waits.get(attempt.pk, OTHERS_FIRST)
    position = found.position_of(attempt.pk)
    attempt.detail = reason
    Attempt.objects.filter(pk=attempt.pk).update(detail=reason, updated_at=timezone.now())
    placed = transitions.read(attempt.pk)
    transitions.show(placed, actor=actor)
    events.attempt_queued(placed, position=position, actor=actor)
    return Admission(answer="queue", reason=reason, position=position)


def _let_in(attempt: Attempt, credential_id: UUID | None, *, actor: Actor) -> None:
    now = timezone.now()
    let_in = Attempt.objects.filter(queries.IN_LINE, pk=attempt.pk).update(
        dispatched_at=now, detail="", credential_id=credential_id, updated_at=now
    )
    if not let_in:
        raise transitions.OutOfTurn
    placed = transitions.read(attempt.pk)
    transitions.show(placed, actor=actor)
    events.attempt_queued(placed, position=0, actor=actor)


@transaction.atomic
def dispatch_next(*, actor: Actor) -> bool:
    """This will let the first in line start; False when nobody may."""
    lock_slots()
    found = line()
    if not found.starting:
        return False
    attempt = transitions.hold(found.starting[0])
    if attempt.status == Status.QUEUED and attempt.dispatched_at is None:
        _let_in(attempt, found.credentials[attempt.pk], actor=actor)
    return True


def dispatch_queue(*, actor: Actor) -> int:
    """This will let everybody start who may, each in a transaction of its own, and count them."""
    count = 0
    while queries.attempts_in_line() and dispatch_next(actor=actor):
        count += 1
    return count


def queue_position(attempt: Attempt) -> int | None:
    """This will be an attempt's place in the queue, from 1; None when it does not wait there."""
    if attempt.status != Status.QUEUED or attempt.dispatched_at is not None:
        return None
    return line().position_of(attempt.pk) or 1


def enqueue(attempt: Attempt, *, actor: Actor, **fields: Any) -> Attempt:
    """This will put an attempt that stood still in line again and admit it."""
    queued = transitions.transition(
        actor=actor, attempt=attempt, to=Status.QUEUED, queued_at=timezone.now(), **fields
    )
    admit(actor=actor, attempt=queued)
    return transitions.read(attempt.pk)
