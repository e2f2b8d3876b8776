"""One attempt takes over from another, in its worktree: anew, with a hand-off, or for a step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import queries as account_queries
from apps.accounts.models import ServerSettings
from apps.agents import queries, rules
from apps.agents.models import Attempt, Then, Turn
from apps.agents.operations import admission, attempts, handoffs, stops, transitions
from apps.agents.states import FINAL, Status
from apps.boards import locks
from apps.boards.models import AgentMode
from apps.core import problems

if TYPE_CHECKING:
    from apps.boards.models import Card
    from apps.core.actors import Actor

TAKEN = ("base_branch", "base_sha", "branch", "worktree_path", "prepared_at", "profile_id")
# A session that fills up again and again gets no further by itself.
MOST_RELAYS = 5


@transaction.atomic
def relaunch_attempt(*, actor: Actor, attempt: Attempt) -> Attempt:
    """This will begin anew: another attempt in the same worktree, with a prompt built afresh.

    An agent at work is stopped first, and the new attempt begins when it has ended; until then the
    answer is the old one.
    """
    held = _hold(actor, attempt)
    return _after_stop(held, Then.RELAUNCH, actor=actor)


@transaction.atomic
def relay_attempt(*, actor: Actor, attempt: Attempt) -> Attempt:
    """This will go on in a fresh session that gets a hand-off written from this one.

    An agent at work is stopped first. 409 where relays are switched off, where there is no session
    to hand over, and when a later attempt has taken over already.
    """
    rules.require_worker(actor, attempt.project)
    if account_queries.server_settings().relay_mode == ServerSettings.Relay.OFF:
        raise problems.Conflict("Context relay is switched off on this server.")
    held = _hold(actor, attempt)
    if Attempt.objects.filter(card_id=held.card_id, number__gt=held.number).exists():
        raise problems.Conflict("A later attempt took over this card.")
    if not held.session_id:
        raise problems.Conflict("There is no earlier session to hand over.")
    return _after_stop(held, Then.RELAY, actor=actor)


def _hold(actor: Actor, attempt: Attempt) -> Attempt:
    rules.require_worker(actor, attempt.project)
    admission.lock_slots()
    return transitions.hold(attempt, board=True)


def _after_stop(held: Attempt, then: Then, *, actor: Actor) -> Attempt:
    if held.status not in FINAL:
        # Asked before the agent is stopped: what is refused must cost nobody's work.
        card = locks.lock_card(held.card_id)
        problem = admission.refusal(actor=actor, card=card, agent=held.agent, attempt=held)
        if problem is not None:
            raise problem
        held = stops.stop_attempt(actor=actor, attempt=held)
    if held.status not in FINAL:
        Attempt.objects.filter(pk=held.pk).update(then=then, then_by=actor.user)
        return transitions.read(held.pk)
    return _take_over(held, then, actor=actor)


@transaction.atomic
def begin_step(*, actor: Actor, card: Card) -> Attempt:
    """This will put an agent to work on a card that came to another step.

    It goes on in the worktree of the step before, as long as there is one that is not merged. An
    agent that is still at work there is stopped first; then the answer is the old attempt.
    """
    admission.lock_slots()
    newest = queries.find_newest_attempt(card)
    if newest is None:
        return attempts.start_attempt(actor=actor, card=card)
    held = transitions.hold(newest, board=True)
    if held.status in FINAL and (not held.worktree_path or held.merged_sha):
        return attempts.start_attempt(actor=actor, card=card)
    if held.status not in FINAL:
        held = stops.stop_attempt(actor=actor, attempt=held)
    if held.status not in FINAL:
        Attempt.objects.filter(pk=held.pk).update(then=Then.STEP, then_by=actor.user)
        return transitions.read(held.pk)
    return _take_over(held, Then.STEP, actor=actor)


@transaction.atomic
def follow(*, actor: Actor, attempt: Attempt) -> Attempt | None:
    """This will begin what was asked for while the attempt had still to end; once."""
    admission.lock_slots()
    held = transitions.hold(attempt, board=True)
    then = Then(held.then)
    if then not in {Then.RELAUNCH, Then.RELAY, Then.STEP} or held.status not in FINAL:
        return None
    person = held.then_by or held.started_by
    Attempt.objects.filter(pk=held.pk).update(then="", then_by=None)
    if queries.find_newest_attempt(held.card) != held:
        return None
    if person is not None:
        actor = replace(actor, user=person, origin="task")
    return _take_over(held, then, actor=actor)


def _take_over(before: Attempt, then: Then, *, actor: Actor) -> Attempt:
    """A new attempt in the worktree of one that is over."""
    taken: dict[str, Any] = {name: getattr(before, name) for name in TAKEN}
    mode, agent = "", before.agent
    handoff = ""
    if then == Then.STEP:
        # The step before may have been another agent's; each step asks the project anew.
        agent = ""
        taken.pop("profile_id")
    elif then == Then.RELAY:
        mode = before.mode
        by_itself = before.status == Status.SUCCEEDED and is_relay_due(before)
        taken["relayed_from"] = before
        taken["relays_by_itself"] = before.relays_by_itself + 1 if by_itself else 0
        handoff = handoffs.from_items(before)
    Attempt.objects.filter(pk=before.pk).update(worktree_path="")
    made = attempts.create(
        actor=actor,
        card_id=before.card_id,
        agent=agent,
        mode=mode,
        handoff=handoff,
        taken=taken,
    )
    if then == Then.RELAY:
        _hand_on_messages(before, made)
    return made


def _hand_on_messages(before: Attempt, made: Attempt) -> None:
    """What people said and nobody has answered is said to the successor."""
    now = timezone.now()
    for turn in before.turns.filter(status=Turn.Status.QUEUED).order_by("number"):
        turn.status = Turn.Status.CANCELLED
        turn.ended_at = now
        turn.save(update_fields=["status", "ended_at", "updated_at"])
        last = attempts.last_number(made)
        Turn.objects.create(
            attempt=made, number=last + 1, prompt=turn.prompt, author_id=turn.author_id
        )


def is_relay_due(attempt: Attempt) -> bool:
    """This will tell whether the session is to be relayed by itself when its turn has ended.

    Not in planning, and not in auto mode: there a fresh session begins with the next step anyway.
    """
    percent = queries.context_percent(attempt)
    if percent is None or attempt.mode == AgentMode.PLAN or attempt.card.is_auto_mode:
        return False
    if not attempt.session_id or attempt.relays_by_itself >= MOST_RELAYS:
        return False
    server = account_queries.server_settings()
    return server.relay_mode == ServerSettings.Relay.AUTO and percent >= server.relay_threshold
