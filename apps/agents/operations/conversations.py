"""Conversations with an agent that only reads: pre-sessions of cards, and people's assistants."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.agents import control, places, registry, rules
from apps.agents import conversation_events as events
from apps.agents import conversation_queries as queries
from apps.agents.conversation_tables import Conversation, ConversationItem
from apps.agents.operations import admission, attempts, conversing
from apps.agents.sandbox.base import Level
from apps.boards import locks
from apps.boards import operations as board_operations
from apps.core import problems
from apps.projects.models import Project, ProjectSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from apps.boards.models import Card
    from apps.core.actors import Actor

MOST_WAITING = 20
GOODBYE_SECONDS = 10.0
_POLL_SECONDS = 0.05

_IDLE = Conversation.Activity.IDLE


# --- pre-sessions --------------------------------------------------------------------------------


@transaction.atomic
def open_presession(*, actor: Actor, card: Card) -> Conversation:
    """This will begin to sharpen a deferred card's prompt; one pre-session a card is open.

    409 NOT_DEFERRED for a card agents may work on already; 409 with the other's `sessionId` where
    one is open.
    """
    rules.require_worker(actor, card.project)
    locked = locks.lock_card(card.pk)
    _require_deferred(locked)
    other = queries.find_open_presession(locked)
    if other is not None:
        raise problems.Conflict(
            "This card has an open pre-session already.", sessionId=other.public_id
        )
    agent, profile_id = _agent_of(locked.project)
    _require_able(locked.project, agent)
    try:
        with transaction.atomic():
            made = Conversation.objects.create(
                kind=Conversation.Kind.PRESESSION,
                project=locked.project,
                card=locked,
                person=actor.person,
                agent=agent,
                profile_id=profile_id,
            )
    except IntegrityError as error:
        raise problems.Conflict("This card has an open pre-session already.") from error
    events.conversation_status_changed(made, actor=actor)
    return made


@transaction.atomic
def accept_presession(
    *, actor: Actor, conversation: Conversation, prompt: str | None = None
) -> tuple[Conversation, str]:
    """This will write the refined prompt to the card and end the pre-session.

    Without `prompt` it is what the agent proposed last. The card stays deferred. 409 before any
    answer, and once the pre-session is over.
    """
    rules.require_worker(actor, conversation.project)
    card = _lock_card(conversation)
    held = conversing.hold(conversation.pk)
    _require_open(held)
    _require_deferred(card)
    proposal = queries.proposal_of(held)
    if not proposal:
        raise problems.Conflict("The agent has not answered yet.")
    words = proposal if prompt is None else prompt
    board_operations.update_card(actor=actor, card=card, changes={"prompt": words})
    return _end(held, Conversation.Status.ACCEPTED, actor=actor), words


@transaction.atomic
def cancel_presession(*, actor: Actor, conversation: Conversation) -> Conversation:
    """This will end a pre-session and leave the card as it is; again changes nothing.

    409 for one that was accepted: its prompt is on the card.
    """
    rules.require_worker(actor, conversation.project)
    held = conversing.hold(conversation.pk)
    if held.status == Conversation.Status.ACCEPTED:
        raise problems.Conflict("The pre-session was accepted already.")
    if not held.is_open:
        return held
    return _end(held, Conversation.Status.CANCELLED, actor=actor)


@transaction.atomic
def close_presessions(*, actor: Actor, card: Card) -> None:
    """This will end what is open on a card that agents may work on from now on."""
    for row in Conversation.objects.filter(card=card, status=Conversation.Status.ACTIVE):
        held = conversing.hold(row.pk)
        if held.is_open:
            _end(held, Conversation.Status.CLOSED, actor=actor)


def close_stale(*, actor: Actor) -> int:
    """This will end the pre-sessions of cards that are not deferred any more, and count them.

    Each card is a transaction of its own, so that no two are locked at once.
    """
    rows = Conversation.objects.filter(
        kind=Conversation.Kind.PRESESSION,
        status=Conversation.Status.ACTIVE,
        card__is_deferred=False,
    ).select_related("card")
    stale = [row.card for row in rows if row.card is not None]
    for card in stale:
        close_presessions(actor=actor, card=card)
    return len(stale)


def _lock_card(conversation: Conversation) -> Card:
    if conversation.card_id is None:
        message = "Card not found."
        raise problems.NotFound(message)
    return locks.lock_card(conversation.card_id)


def _end(held: Conversation, status: str, *, actor: Actor) -> Conversation:
    """Nobody speaks any more; a turn under way is stopped, one in line does not begin."""
    if held.lease_owner:
        conversing.change(held, status=status, stop_requested_at=timezone.now())
        control.say_on_commit(held.pk, control.STOP)
    else:
        conversing.change(held, status=status, activity=_IDLE, **conversing.NO_LEASE)
        home = places.conversation_folder(held)
        transaction.on_commit(lambda: shutil.rmtree(home, ignore_errors=True), robust=True)
    events.conversation_status_changed(held, actor=actor)
    return held


# --- assistants ----------------------------------------------------------------------------------


@transaction.atomic
def say_to_assistant(*, actor: Actor, project: Project, text: str) -> ConversationItem:
    """This will tell one's own assistant of a project something; the first word makes it."""
    rules.require_worker(actor, project)
    agent, profile_id = _agent_of(project)
    row, _made = Conversation.objects.get_or_create(
        kind=Conversation.Kind.ASSISTANT,
        project=project,
        person=actor.person,
        defaults={"agent": agent, "profile_id": profile_id},
    )
    return say(actor=actor, conversation=row, text=text)


@transaction.atomic
def stop_assistant(*, actor: Actor, project: Project) -> None:
    """This will end what one's assistant is doing, and what waits for it; idle it stays idle."""
    rules.require_worker(actor, project)
    found = queries.find_assistant(actor=actor, project=project)
    if found is None:
        return
    held = conversing.hold(found.pk)
    if held.lease_owner:
        conversing.change(held, stop_requested_at=timezone.now())
        control.say_on_commit(held.pk, control.STOP)
    elif held.activity != _IDLE:
        conversing.change(held, activity=_IDLE, handled=held.last_position, **conversing.NO_LEASE)
        events.conversation_status_changed(held, actor=actor)


# --- both ----------------------------------------------------------------------------------------


@transaction.atomic
def say(*, actor: Actor, conversation: Conversation, text: str) -> ConversationItem:
    """This will tell an agent something: its turn begins, or follows the one it is at.

    409 where the conversation is over, its agent cannot be started here, or too much waits.
    """
    rules.require_worker(actor, conversation.project)
    admission.lock_slots()
    held = conversing.hold(conversation.pk)
    _require_open(held)
    if held.card is not None:
        _require_deferred(held.card)
    if queries.unanswered(held).count() >= MOST_WAITING:
        raise problems.Conflict(f"{MOST_WAITING} messages wait for an answer already.")
    if held.activity == _IDLE:
        # Whoever speaks answers for the agent: by the right of that person it works.
        conversing.change(held, person=actor.person)
        _follow_project(held)
    _require_able(held.project, held.agent)
    item = conversing.add_item(
        held,
        kind="message",
        source_id=f"said-{held.last_position + 1}",
        role="user",
        text=text,
    )
    events.conversation_messaged(held, [item], actor=actor)
    if held.activity == _IDLE:
        conversing.put_in_line(held, actor=actor)
    return item


def _follow_project(held: Conversation) -> None:
    """An assistant is always the project's present agent; another one cannot resume the session."""
    agent, profile_id = _agent_of(held.project)
    if agent != held.agent:
        conversing.change(held, agent=agent, profile_id=profile_id, session_id="", session_info={})
    elif profile_id != held.profile_id:
        conversing.change(held, profile_id=profile_id)


def _require_open(held: Conversation) -> None:
    if not held.is_open:
        raise problems.Conflict("The session is over.")


def _require_deferred(card: Card) -> None:
    if not card.is_deferred:
        raise problems.Conflict(
            "Only a deferred card has a prompt to be sharpened.", code="NOT_DEFERRED"
        )


def _agent_of(project: Project) -> tuple[str, UUID | None]:
    settings = ProjectSettings.objects.get(project=project)
    agent = registry.default_agent(settings).strip().lower()
    return agent, attempts.profile_of(settings, agent)


def _require_able(project: Project, agent: str) -> None:
    """An agent that can talk, in a sandbox that keeps it from writing, where there is a folder."""
    if project.state != Project.State.READY or not Path(project.path).is_dir():
        raise problems.Conflict("The repository is not ready.", code="REPOSITORY_NOT_READY")
    registry.require_available(agent)
    preset = registry.find_preset(agent)
    if preset is None or preset.family != "acp":
        raise problems.Conflict(
            "The project's agent runs scripts and cannot talk: choose another one in its settings.",
            code="AGENT_UNAVAILABLE",
        )
    registry.require_sandbox()
    if registry.sandbox().level is Level.NONE:
        raise problems.Conflict(
            "No sandbox is available that could keep an agent from changing the project's folder.",
            code="SANDBOX_UNAVAILABLE",
        )


def dismiss(*, actor: Actor, rows: Iterable[Conversation]) -> None:
    """This will end conversations whose card or project is about to go, and wait for their agents.

    An agent that does not go in time finds its claim lost, and is killed by its own runner.
    """
    ended = [_dismiss(actor=actor, row=row) for row in rows]
    deadline = time.monotonic() + GOODBYE_SECONDS
    while time.monotonic() < deadline and _at_work(ended):
        time.sleep(_POLL_SECONDS)
    for row in ended:
        shutil.rmtree(places.conversation_folder(row), ignore_errors=True)


@transaction.atomic
def _dismiss(*, actor: Actor, row: Conversation) -> Conversation:
    held = conversing.hold(row.pk)
    return _end(held, Conversation.Status.CLOSED, actor=actor) if held.is_open else held


def _at_work(rows: list[Conversation]) -> bool:
    return Conversation.objects.filter(pk__in=[row.pk for row in rows], lease_owner__gt="").exists()
