"""What an agent asks a person, and what becomes of the answer.

A question is a row and outlives the process that asked. While the process waits, the answer goes
to it; when it has gone, the answer becomes a turn that takes the session up again. Which of the
two is decided under the attempt's lock, on both sides alike.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.agents import control, events, rules
from apps.agents.models import Approval, Attempt, Then, Turn
from apps.agents.operations import admission, prompts, records, transitions
from apps.agents.states import Status
from apps.boards import operations as board_operations
from apps.boards.models import AgentMode
from apps.core import problems
from apps.core.actors import Actor

Decision = Approval.Decision
PIPELINE = Actor.system("pipeline")
NOTE = "## A note on its approval"


@transaction.atomic
def request_approval(
    *,
    actor: Actor,
    attempt: Attempt,
    epoch: int,
    kind: str,
    title: str,
    turn_number: int,
    request: dict[str, Any],
) -> Approval:
    """This will store an agent's question and make the attempt wait for a person."""
    if kind == Approval.Kind.PLAN:
        # In auto mode it may be answered at once.
        admission.lock_slots()
    held = transitions.hold(attempt)
    if held.epoch != epoch:
        raise transitions.OutOfTurn
    if held.status == Status.RUNNING:
        # What is asked stands on the card, in place of what the agent did before.
        words = " ".join(title.split())[: records.LIVE_LINE_CHARACTERS]
        held = transitions.transition(
            actor=actor,
            attempt=held,
            to=Status.WAITING,
            epoch=epoch,
            waiting_for=kind,
            live_line=words or held.live_line,
        )
    elif held.status != Status.WAITING:
        raise transitions.OutOfTurn
    approval = Approval.objects.create(
        attempt=held, turn_number=turn_number, kind=kind, title=title[:500], request=request
    )
    events.attempt_approval_requested(held, approval, actor=actor)
    if kind == Approval.Kind.PLAN:
        events.attempt_plan_proposed(held, approval, actor=actor)
        pause_step(held, approval, actor=actor)
    return approval


def pause_step(attempt: Attempt, plan: Approval, *, actor: Actor) -> None:
    """This will make a card in auto mode wait for a plan's approval, or approve it in its name."""
    card = attempt.card
    card.refresh_from_db(fields=["is_auto_mode", "skip_approval"])
    if attempt.mode != AgentMode.PLAN or not card.is_auto_mode:
        return
    if card.skip_approval:
        answer_approval(actor=PIPELINE, approval=plan, decision=Decision.ALLOW_ONCE)
    else:
        board_operations.show_agent(actor=actor, card_id=card.pk, awaiting_approval=True)


@transaction.atomic
def answer_approval(
    *, actor: Actor, approval: Approval, decision: str, feedback: str = "", answer: Any = None
) -> Approval:
    """This will give a person's answer: the agent goes on with it, now or in a new process.

    `answer` are the values of a form. A question answered before is 409 NOT_AWAITING_APPROVAL,
    unless the answer is the same: then nothing happens.
    """
    rules.require_worker(actor, approval.attempt.project)
    admission.lock_slots()
    held = transitions.hold(approval.attempt, board=True)
    asked = Approval.objects.select_for_update().get(pk=approval.pk)
    if asked.status == Approval.Status.ANSWERED and asked.decision == decision:
        return asked
    if asked.status != Approval.Status.PENDING:
        raise problems.Conflict("Nobody waits for this answer.", code="NOT_AWAITING_APPROVAL")
    asked.status = Approval.Status.ANSWERED
    asked.decision = decision
    asked.feedback = feedback
    asked.answered_by = actor.user
    asked.answered_at = timezone.now()
    if answer is not None:
        asked.request = {**asked.request, "answer": answer}
    asked.save()
    if decision == Decision.ALLOW_ALWAYS and asked.request.get("remember"):
        keys = sorted({*held.remembered_permissions, asked.request["remember"]})
        Attempt.objects.filter(pk=held.pk).update(remembered_permissions=keys)
    events.attempt_approval_answered(held, asked, actor=actor)
    if asked.kind == Approval.Kind.PLAN and held.card.awaiting_approval:
        _approve_step(held, allowed=decision != Decision.DENY, actor=actor)
    if held.lease_owner:
        _follow_up(held, asked, actor=actor)
        control.say_on_commit(held.pk, control.ANSWER)
    elif held.status == Status.WAITING and not _pending(held):
        settle(held, actor=actor)
    return asked


def _approve_step(attempt: Attempt, *, allowed: bool, actor: Actor) -> None:
    """One answer is enough: a plan that is approved is the step's approval as well."""
    board_operations.show_agent(actor=actor, card_id=attempt.card_id, awaiting_approval=False)
    if allowed:
        Attempt.objects.filter(pk=attempt.pk).update(then=Then.ADVANCE, then_by=actor.user)


def _pending(attempt: Attempt) -> bool:
    return attempt.approvals.filter(status=Approval.Status.PENDING).exists()


def _follow_up(attempt: Attempt, asked: Approval, *, actor: Actor) -> None:
    """What a person said beside the answer is the next prompt of the process that waits."""
    planned = asked.kind == Approval.Kind.PLAN and asked.decision != Decision.DENY
    if planned and attempt.mode == AgentMode.PLAN:
        return
    if asked.feedback and asked.kind != Approval.Kind.QUESTION:
        _add_turn(attempt, asked.feedback, actor=actor)


def _add_turn(
    attempt: Attempt, prompt: str, *, actor: Actor, is_continuation: bool = False
) -> None:
    last = attempt.turns.aggregate(last=Max("number"))["last"] or 0
    Turn.objects.create(
        attempt=attempt,
        number=last + 1,
        prompt=prompt,
        author=actor.user,
        is_continuation=is_continuation,
    )


def settle(attempt: Attempt, *, actor: Actor) -> None:
    """This will go on from a wait whose process is gone and whose questions are all answered."""
    asked = (
        attempt.approvals.filter(status=Approval.Status.ANSWERED)
        .order_by("-answered_at", "-pk")
        .first()
    )
    if asked is None:
        return
    allowed = asked.decision != Decision.DENY
    if attempt.mode == AgentMode.PLAN and asked.kind == Approval.Kind.PLAN and allowed:
        accept_plan(attempt, asked, actor=actor)
        return
    if asked.kind == Approval.Kind.PLAN and asked.request.get("emulated"):
        words = asked.feedback or ("Go on and do it." if allowed else "Please revise the plan.")
        _add_turn(attempt, words, actor=actor)
    elif asked.kind == Approval.Kind.QUESTION and allowed:
        answer = asked.request.get("answer") or asked.feedback or "yes"
        _add_turn(attempt, f"{asked.title}\n\n{answer}", actor=actor, is_continuation=True)
    else:
        note = prompts.continuation(asked.title, allowed=allowed, feedback=asked.feedback)
        _add_turn(attempt, note, actor=actor, is_continuation=True)
    admission.enqueue(attempt, actor=actor)


def accept_plan(attempt: Attempt, asked: Approval, *, actor: Actor) -> None:
    """This will end a planning attempt well: its plan is the card's, for the step that follows.

    The card stays: the next step is to be taken, and there is nothing to review yet.
    """
    plan = str(asked.request.get("text", ""))
    if asked.feedback:
        plan = f"{plan}\n\n{NOTE}\n\n{asked.feedback}"
    attempt = transitions.transition(
        actor=actor, attempt=attempt, to=Status.SUCCEEDED, summary=plan
    )
    board_operations.show_agent(actor=actor, card_id=attempt.card_id, summary=plan)


@transaction.atomic
def revise_plan(*, actor: Actor, attempt: Attempt, approval: Approval, feedback: str) -> Turn:
    """This will refuse a plan with words on what to change; the turn that carries them."""
    answer_approval(actor=actor, approval=approval, decision=Decision.DENY, feedback=feedback)
    return attempt.turns.order_by("-number")[0]


@transaction.atomic
def approve_plan(*, actor: Actor, attempt: Attempt, approved: bool, feedback: str = "") -> Attempt:
    """This will answer the plan that waits; 409 NO_PENDING_PLAN when none does."""
    rules.require_worker(actor, attempt.project)
    admission.lock_slots()
    plan = attempt.approvals.filter(status=Approval.Status.PENDING, kind=Approval.Kind.PLAN).first()
    if plan is None:
        raise problems.Conflict("No plan waits for approval.", code="NO_PENDING_PLAN")
    decision = Decision.ALLOW_ONCE if approved else Decision.DENY
    words = feedback or ("" if approved else "Please revise the plan.")
    try:
        answer_approval(actor=actor, approval=plan, decision=decision, feedback=words)
    except problems.Conflict as problem:
        if problem.code != "NOT_AWAITING_APPROVAL":
            raise
        # Somebody answered between our look and our lock.
        raise problems.Conflict("No plan waits for approval.", code="NO_PENDING_PLAN") from problem
    return transitions.read(attempt.pk)


@transaction.atomic
def resume_work(*, actor: Actor, attempt: Attempt, epoch: int) -> Attempt:
    """This will make an attempt run again once nothing it asked is open; else it waits on."""
    held = transitions.hold(attempt)
    if held.status != Status.WAITING or _pending(held):
        return held
    return transitions.transition(actor=actor, attempt=held, to=Status.RUNNING, epoch=epoch)


def withdraw(attempt: Attempt, *, actor: Actor) -> None:
    """This will close the questions nobody needs to answer any more."""
    for asked in attempt.approvals.filter(status=Approval.Status.PENDING):
        asked.status = Approval.Status.WITHDRAWN
        asked.save(update_fields=["status", "updated_at"])
        events.attempt_approval_answered(attempt, asked, actor=actor)
