"""Cards in auto mode: an agent's success takes the card to its next step, whose agent goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from django.db import transaction

from apps.agents import queries, rules
from apps.agents.models import Approval, Attempt, Then
from apps.agents.operations import admission, approvals, attempts, stops, successions
from apps.agents.states import Status, WaitingFor
from apps.boards import locks
from apps.boards import operations as board_operations
from apps.boards import outputs as board_outputs
from apps.boards import rules as board_rules
from apps.boards.models import AgentMode, Card, Column, ColumnType
from apps.core import problems
from apps.core.actors import Actor

if TYPE_CHECKING:
    from apps.core.problems import Problem

log = structlog.get_logger(__name__)

ACTOR = Actor.system("pipeline")
# What passes by itself: the card waits where it is, and is looked at again.
PASSING = frozenset({"WIP_LIMIT", "CARD_BLOCKED", "REPOSITORY_NOT_READY", "BUDGET_EXHAUSTED"})


@transaction.atomic
def set_auto_mode(
    *,
    actor: Actor,
    card: Card,
    enabled: bool,
    skip_approval: bool | None = None,
    skip_plan_columns: bool | None = None,
) -> Card:
    """This will switch a card's auto mode.

    Switched on where an agent has succeeded, the card goes on at once; where a plan waits, it is
    the step's approval that waits. Nothing else starts by it. Switched off, nothing waits for
    approval any more, and an agent at work finishes.
    """
    rules.require_worker(actor, card.project)
    locked = _lock(card)
    wanted = {"skip_approval": skip_approval, "skip_plan_columns": skip_plan_columns}
    board_operations.update_card(
        actor=actor,
        card=locked,
        changes={"is_auto_mode": enabled}
        | {name: value for name, value in wanted.items() if value is not None},
    )
    newest = queries.find_newest_attempt(locked)
    if not enabled:
        board_operations.show_agent(actor=actor, card_id=locked.pk, awaiting_approval=False)
    elif newest is not None and _is_at(newest, locked):
        if newest.status == Status.SUCCEEDED:
            _step_on(actor, locks.lock_card(locked.pk), newest)
        elif newest.status == Status.WAITING and newest.waiting_for == WaitingFor.PLAN:
            for plan in newest.approvals.filter(
                status=Approval.Status.PENDING, kind=Approval.Kind.PLAN
            ):
                approvals.pause_step(newest, plan, actor=actor)
    return locks.lock_card(locked.pk)


def _lock(card: Card) -> Card:
    """The line, the board and the card, in the order everybody takes them."""
    admission.lock_slots()
    locks.lock_boards(card.board_id)
    return locks.lock_card(card.pk)


def _is_at(attempt: Attempt, card: Card) -> bool:
    """True while the card stands where the attempt worked on it."""
    return board_rules.starts_agent(card.column) and (
        attempt.column_id is None or attempt.column_id == card.column_id
    )


@transaction.atomic
def approve_auto(*, actor: Actor, card: Card) -> None:
    """This will approve the step that waits: its plan is accepted and the card goes on.

    It moves as soon as the planning agent is gone, which is at once unless its process still
    waits for the answer. A card whose auto mode was switched off meanwhile moves one step only.
    """
    rules.require_worker(actor, card.project)
    locked = _lock(card)
    newest = queries.find_newest_attempt(locked)
    if not locked.awaiting_approval or newest is None or not _is_at(newest, locked):
        raise problems.Conflict("This card waits for no approval.", code="NOT_AWAITING_APPROVAL")
    approved = approvals.approve_plan(actor=actor, attempt=newest, approved=True)
    if approved.status == Status.SUCCEEDED:
        advance_approved(actor=actor, attempt=approved)


@transaction.atomic
def advance_approved(*, actor: Actor, attempt: Attempt) -> Attempt | None:
    """This will take a card on whose step was approved while its agent had still to end; once."""
    card, newest = _lock_last(attempt)
    if newest is None or newest.then != Then.ADVANCE or newest.is_active:
        return None
    person = newest.then_by
    Attempt.objects.filter(pk=newest.pk).update(then="", then_by=None)
    if newest.status != Status.SUCCEEDED:
        return None
    if person is not None:
        actor = replace(actor, user=person, origin="task")
    return _step_on(actor, card, newest)


@transaction.atomic
def advance(*, actor: Actor, attempt: Attempt) -> Attempt | None:
    """This will move a card in auto mode on after its newest attempt; the attempt of the next step.

    An attempt that did not succeed switches auto mode off, since nobody would look otherwise.
    Repeated for one end, it finds the card elsewhere and does nothing.
    """
    card, newest = _lock_last(attempt)
    if not card.is_auto_mode or newest is None or newest.is_active:
        return None
    if newest.status == Status.SUCCEEDED:
        return _step_on(actor, card, newest)
    if newest.column_id is None or newest.column_id == card.column_id:
        reason = "cancelled" if newest.status == Status.STOPPED else "failed"
        board_operations.end_auto_mode(actor=ACTOR, card=card, reason=reason, detail=newest.detail)
    return None


def _lock_last(attempt: Attempt) -> tuple[Card, Attempt | None]:
    """The attempt's card, and the attempt if none came after it."""
    admission.lock_slots()
    locks.lock_boards(attempt.board_id)
    card = locks.lock_card(attempt.card_id)
    newest = queries.find_newest_attempt(card)
    return card, newest if newest is not None and newest.pk == attempt.pk else None


def _step_on(actor: Actor, card: Card, newest: Attempt) -> Attempt | None:
    """The card goes to its next step and its agent starts; both, or neither."""
    if card.is_deferred or not _is_at(newest, card):
        return None
    column = next_column(card)
    if column is None:
        return None
    try:
        with transaction.atomic():
            return _enter(actor, card, column)
    except problems.Problem as problem:
        _stay(card, problem)
        return None


def _enter(actor: Actor, card: Card, column: Column) -> Attempt | None:
    was_auto = card.is_auto_mode
    _require_room(card, column)
    moved = board_operations.move_card(actor=ACTOR, card=card, column_id=column.pk)
    if not board_rules.starts_agent(column) or (was_auto and not moved.is_auto_mode):
        return None
    return successions.begin_step(actor=actor, card=moved)


def _require_room(card: Card, column: Column) -> None:
    if column.wip_limit is None:
        return
    if Card.objects.filter(column=column).exclude(pk=card.pk).count() >= column.wip_limit:
        raise problems.Conflict(
            f"“{column.name}” holds as many cards as allowed ({column.wip_limit}).",
            code="WIP_LIMIT",
        )


def _stay(card: Card, problem: Problem) -> None:
    log.info("step_not_begun", card=card.public_id, code=problem.code, why=problem.detail)
    if card.is_auto_mode and problem.code not in PASSING:
        board_operations.end_auto_mode(
            actor=ACTOR, card=locks.lock_card(card.pk), reason="not_started", detail=problem.detail
        )


def next_column(card: Card) -> Column | None:
    """This will be the column of the card's next enabled step, None at the end of its way."""
    here = card.column.public_id
    ids = [column_id for column_id, enabled in _steps(card) if enabled or column_id == here]
    if here not in ids:
        return None
    return next(iter(_columns(card, ids[ids.index(here) + 1 :])), None)


def first_step(card: Card) -> Column | None:
    """This will be the column of the card's first enabled step at which an agent works."""
    columns = _columns(card, [column_id for column_id, enabled in _steps(card) if enabled])
    return next((column for column in columns if board_rules.starts_agent(column)), None)


def _steps(card: Card) -> list[tuple[str, bool]]:
    steps = board_outputs.pipeline(card)["steps"]
    return [(step["columnId"], step["enabled"]) for step in steps]


def _columns(card: Card, ids: list[str]) -> list[Column]:
    known = {column.public_id: column for column in Column.objects.filter(board=card.board_id)}
    columns = [known[column_id] for column_id in ids if column_id in known]
    if not card.skip_plan_columns:
        return columns
    return [column for column in columns if column.agent_mode != AgentMode.PLAN]


@transaction.atomic
def activate_card(*, actor: Actor, card: Card) -> Card:
    """This will end a card's deferral and do what entering its column would have done.

    Where agents work, one starts; from a backlog the card goes to its first step. What refuses
    the agent refuses all of it.
    """
    locked = _lock(card)
    activated = board_operations.activate_card(actor=actor, card=locked)
    if activated.column.column_type == ColumnType.BACKLOG:
        column = first_step(activated)
        if column is not None:
            activated = board_operations.move_card(actor=ACTOR, card=activated, column_id=column.pk)
    if board_rules.starts_agent(activated.column) and not activated.attempts.active().exists():
        attempts.start_attempt(actor=actor, card=activated)
    return locks.lock_card(activated.pk)


@transaction.atomic
def complete_card(*, actor: Actor, card: Card) -> Card:
    """This will stop a card's agent and put the card on top of its board's first done column."""
    rules.require_worker(actor, card.project)
    locked = _lock(card)
    newest = queries.find_newest_attempt(locked)
    if newest is not None and newest.is_active:
        stops.stop_attempt(actor=actor, attempt=newest)
    return board_operations.complete_card(actor=actor, card=locks.lock_card(locked.pk))
