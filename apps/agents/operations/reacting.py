"""What an agent does when its card goes somewhere, or when its predecessor has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from apps.accounts.models import User
from apps.agents import queries, registry
from apps.agents.models import Then
from apps.agents.operations import attempts, deletions, pipelines, reaping, stops, successions
from apps.boards import rules as board_rules
from apps.boards.models import AgentMode, Card, ColumnType
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.models import Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from apps.agents.models import Attempt

log = structlog.get_logger(__name__)


def follow_card(*, event_id: int) -> None:
    """This will start an agent for a card a person put where agents work, and stop it elsewhere.

    Between two such columns the agent of the first is stopped before that of the second begins.
    What the product moved itself starts nothing. Told twice of one move, the second time finds
    the attempt of the first.
    """
    event = Event.objects.filter(pk=event_id).first()
    if event is None or event.actor.get("userId") is None:
        return
    card, actor = _card(event), _actor(event)
    if card is None or actor is None:
        return
    newest = queries.find_newest_attempt(card)
    if newest is not None and newest.created_at >= event.created_at:
        return
    if event.data.get("fromColumnId") != event.data.get("columnId"):
        _follow_card(actor, card, newest)


def _follow_card(actor: Actor, card: Card, newest: Attempt | None) -> None:
    at_work = newest if newest is not None and newest.is_active else None
    if not board_rules.starts_agent(card.column):
        if at_work is not None:
            stops.stop_attempt(actor=actor, attempt=at_work)
        if card.column.column_type == ColumnType.ARCHIVE:
            deletions.tidy_archived(card=card)
    elif at_work is None:
        if not card.is_deferred:
            _start(actor, card, newest)
    elif at_work.column_id not in {None, card.column_id}:
        if card.is_deferred:
            stops.stop_attempt(actor=actor, attempt=at_work)
        else:
            _try(card, successions.begin_step, actor=actor)


def _start(actor: Actor, card: Card, newest: Attempt | None) -> None:
    # What was planned is done where it was planned; anything else is a fresh start.
    planned = newest is not None and newest.mode == AgentMode.PLAN
    elsewhere = newest is not None and newest.column_id not in {None, card.column_id}
    begin = successions.begin_step if planned and elsewhere else attempts.start_attempt
    _try(card, begin, actor=actor)


def _try(card: Card, operation: Callable[..., Any], *, actor: Actor) -> None:
    # Looked for before the transaction: programs may have to be started for it.
    registry.agents()
    try:
        operation(actor=actor, card=card)
    except problems.Problem as problem:
        log.info("agent_not_started", card=card.public_id, code=problem.code, why=problem.detail)


def _card(event: Event) -> Card | None:
    card_id = event.data.get("card", {}).get("id")
    key = _decoded("card", card_id)
    if key is None:
        return None
    return Card.objects.select_related("project", "board", "column").filter(pk=key).first()


def _actor(event: Event) -> Actor | None:
    key = _decoded("user", event.actor["userId"])
    user = User.objects.filter(pk=key, is_active=True).first() if key else None
    return Actor(user=user, origin="task") if user else None


def _decoded(prefix: str, text: object) -> UUID | None:
    try:
        return ids.decode(prefix, text)
    except problems.NotFound:
        return None


def follow_end(*, event_id: int) -> None:
    """This will begin what waited for an attempt's end, and take cards in auto mode on."""
    event = Event.objects.filter(pk=event_id).first()
    key = _decoded("sess", event.data.get("attemptId")) if event else None
    attempt = queries.find_attempt(key) if key else None
    if attempt is None or attempt.is_active:
        return
    registry.agents()
    if _follow(attempt) is not None:
        return
    if attempt.card.column.column_type == ColumnType.ARCHIVE:
        deletions.tidy_archived(card=attempt.card)
    elif attempt.card.is_auto_mode:
        take_on(attempt)


def _follow(attempt: Attempt) -> Attempt | None:
    runner = Actor.system("runner")
    try:
        match attempt.then:
            case Then.RELAUNCH | Then.RELAY | Then.STEP:
                return successions.follow(actor=runner, attempt=attempt)
            case Then.RESUME:
                return reaping.resume_interrupted(actor=runner, attempt=attempt)
            case Then.ADVANCE:
                return pipelines.advance_approved(actor=runner, attempt=attempt)
    except problems.Problem as problem:
        log.info("end_not_followed", attempt=attempt.public_id, why=problem.detail)
    return None


def take_on(attempt: Attempt) -> None:
    """This will take a card in auto mode on from an attempt that is over."""
    person = attempt.started_by
    actor = Actor(user=person, origin="task") if person else Actor.system("runner")
    try:
        pipelines.advance(actor=actor, attempt=attempt)
    except problems.Problem as problem:
        log.info("card_not_taken_on", attempt=attempt.public_id, why=problem.detail)
