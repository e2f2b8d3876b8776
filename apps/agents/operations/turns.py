"""What a runner writes: it takes a turn, keeps its lease, and says how it ended.

Every write names the epoch of the claim. Who has lost it writes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from django.db import transaction
from django.utils import timezone

from apps.agents import events, keys
from apps.agents.models import Approval, Attempt, Then, Turn
from apps.agents.operations import admission, approvals, successions, transitions
from apps.agents.states import Reason, Status, WaitingFor
from apps.boards import operations as board_operations
from apps.boards.models import AgentMode

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor

PAUSE = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a turn ended, in our words; `stop_reason` is the adapter's."""

    kind: Literal["succeeded", "failed", "paused", "waiting", "stopped"]
    reason: str = ""
    detail: str = ""
    summary: str = ""
    stop_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What a heartbeat finds: whether the lease holds, whether to stop, which answers came."""

    held: bool
    stopping: bool = False
    answers: tuple[Approval, ...] = ()


@transaction.atomic
def claim_turn(
    *, actor: Actor, attempt_id: UUID, owner: str, lease_seconds: float, sandbox_level: str = ""
) -> tuple[Attempt, Turn] | None:
    """This will take an attempt that was let in, for `owner`; None when there is nothing to take.

    The second of two messages finds the attempt taken.
    """
    known = Attempt.objects.filter(pk=attempt_id).first()
    if known is None or known.status != Status.QUEUED:
        return None
    attempt = transitions.hold(known, board=True)
    if attempt.status != Status.QUEUED or attempt.dispatched_at is None:
        return None
    turn = attempt.turns.filter(status=Turn.Status.QUEUED).order_by("number").first()
    if turn is None:
        transitions.transition(
            actor=actor, attempt=attempt, to=Status.STOPPED, detail="There was nothing to do."
        )
        return None
    now = timezone.now()
    taken = transitions.transition(
        actor=actor,
        attempt=attempt,
        to=Status.RUNNING,
        epoch=attempt.epoch,
        lease_owner=owner,
        lease_expires_at=now + timedelta(seconds=lease_seconds),
        started_at=attempt.started_at or now,
        stop_requested_at=None,
        sandbox_level=sandbox_level,
        # What is done from now on is not in the base branch yet.
        merged_sha="",
        new_epoch=attempt.epoch + 1,
    )
    _begin(turn, taken)
    transitions.move_to_work(taken, actor=actor)
    events.attempt_started(taken, turn=turn.number, actor=actor)
    return transitions.read(taken.pk), turn


def _begin(turn: Turn, attempt: Attempt) -> None:
    turn.status = Turn.Status.RUNNING
    turn.started_at = timezone.now()
    turn.credential_id = attempt.credential_id
    turn.save(update_fields=["status", "started_at", "credential", "updated_at"])


@transaction.atomic
def renew_lease(
    *, attempt_id: UUID, epoch: int, owner: str, lease_seconds: float, asked: list[UUID]
) -> Pulse:
    """This will prolong a claim and read what people want; `asked` are open questions' ids."""
    held = Attempt.objects.filter(pk=attempt_id, epoch=epoch, lease_owner=owner).update(
        lease_expires_at=timezone.now() + timedelta(seconds=lease_seconds)
    )
    if not held:
        return Pulse(held=False)
    status = Attempt.objects.values_list("status", flat=True).get(pk=attempt_id)
    answers = (
        Approval.objects.filter(pk__in=asked).exclude(status=Approval.Status.PENDING)
        if asked
        else ()
    )
    return Pulse(held=True, stopping=status == Status.STOPPING, answers=tuple(answers))


def has_next(attempt_id: UUID) -> bool:
    """True while a prompt is in line behind the one that is worked on."""
    return Turn.objects.filter(attempt_id=attempt_id, status=Turn.Status.QUEUED).exists()


@transaction.atomic
def continue_turn(
    *, actor: Actor, attempt_id: UUID, epoch: int, stop_reason: str, credential_id: UUID | None
) -> Turn | None:
    """This will end a turn that succeeded and take the next one in line, if there is one.

    None too when that one has another credential than `credential_id`: it takes another process.
    """
    attempt = transitions.hold(transitions.read(attempt_id))
    if attempt.epoch != epoch:
        raise transitions.OutOfTurn
    if attempt.status != Status.RUNNING:
        return None
    turn = attempt.turns.filter(status=Turn.Status.QUEUED).order_by("number").first()
    if turn is None or successions.is_relay_due(attempt):
        return None
    if _next_credential(attempt) != credential_id:
        return None
    _close(attempt, stop_reason)
    _begin(turn, attempt)
    events.attempt_started(attempt, turn=turn.number, actor=actor)
    return turn


def _next_credential(attempt: Attempt) -> UUID | None:
    chosen = keys.chosen_for(attempt, keys.Ring.read())
    return chosen.pk if chosen is not None else None


def _close(attempt: Attempt, stop_reason: str) -> None:
    now = timezone.now()
    attempt.turns.filter(status=Turn.Status.RUNNING).update(
        status=Turn.Status.DONE, stop_reason=stop_reason, ended_at=now, updated_at=now
    )


@transaction.atomic
def conclude(*, actor: Actor, attempt_id: UUID, epoch: int, outcome: Outcome) -> Turn | None:
    """This will end the runner's claim with the outcome's state, and give its slot back.

    A message that came in the last moment is taken instead: then its turn is the answer, and the
    claim goes on. A stop that was asked for meanwhile wins over every outcome.
    """
    seen = transitions.read(attempt_id)
    if outcome.kind in {"waiting", "succeeded"} or seen.mode == AgentMode.PLAN:
        # What came in the last moment, or has another credential, puts it in line again.
        admission.lock_slots()
    attempt = transitions.hold(seen, board=True)
    if attempt.epoch != epoch:
        raise transitions.OutOfTurn
    if outcome.kind == "succeeded" and attempt.status == Status.RUNNING:
        turn = continue_turn(
            actor=actor,
            attempt_id=attempt_id,
            epoch=epoch,
            stop_reason=outcome.stop_reason,
            credential_id=attempt.credential_id,
        )
        if turn is not None:
            return turn
    _close(attempt, outcome.stop_reason)
    if (
        outcome.kind == "succeeded"
        and attempt.status == Status.RUNNING
        and _has_other_credential(attempt)
    ):
        # There may be no place for it at the moment.
        admission.enqueue(attempt, actor=actor)
        return None
    if attempt.status == Status.STOPPING:
        approvals.withdraw(attempt, actor=actor)
        transitions.transition(actor=actor, attempt=attempt, to=Status.STOPPED)
    elif attempt.status == Status.WAITING and outcome.kind == "waiting":
        _leave_waiting(attempt, actor=actor)
    else:
        approvals.withdraw(attempt, actor=actor)
        if attempt.status == Status.WAITING:
            attempt = transitions.transition(actor=actor, attempt=attempt, to=Status.RUNNING)
        _end(attempt, outcome, actor=actor)
    return None


def _has_other_credential(attempt: Attempt) -> bool:
    """Whether a turn is in line in this session for which another credential was chosen."""
    if not has_next(attempt.pk):
        return False
    return (
        not successions.is_relay_due(attempt) and _next_credential(attempt) != attempt.credential_id
    )


NO_LEASE: dict[str, Any] = {"lease_owner": "", "lease_expires_at": None, "dispatched_at": None}


def _leave_waiting(attempt: Attempt, *, actor: Actor) -> None:
    """The process goes; the question stays, or was answered in the last moment."""
    Attempt.objects.filter(pk=attempt.pk).update(**NO_LEASE, updated_at=timezone.now())
    left = transitions.read(attempt.pk)
    if left.approvals.filter(status=Approval.Status.PENDING).exists():
        events.attempt_status_changed(left, actor=actor)
    else:
        approvals.settle(left, actor=actor)


def _end(attempt: Attempt, outcome: Outcome, *, actor: Actor) -> None:
    match outcome.kind:
        case "succeeded" if attempt.mode == AgentMode.PLAN:
            _propose(attempt, outcome.summary, actor=actor)
        case "succeeded":
            succeed(attempt, outcome, actor=actor)
        case "paused":
            transitions.transition(
                actor=actor,
                attempt=attempt,
                to=Status.PAUSED,
                reason=outcome.reason,
                detail=outcome.detail,
                resume_at=timezone.now() + PAUSE,
            )
        case "stopped" | "waiting":
            # Ended from outside without anybody's wish: the worker goes, the work can go on.
            transitions.transition(
                actor=actor,
                attempt=attempt,
                to=Status.INTERRUPTED,
                reason=outcome.reason or Reason.HOST_LOST,
                detail=outcome.detail,
                then="" if attempt.auto_retried else Then.RESUME,
                then_by=None,
            )
        case "failed":
            transitions.transition(
                actor=actor,
                attempt=attempt,
                to=Status.FAILED,
                reason=outcome.reason,
                detail=outcome.detail,
            )


def succeed(attempt: Attempt, outcome: Outcome, *, actor: Actor) -> None:
    """This will end an attempt well: the card goes where people look at it.

    One whose context is full may go on in a fresh session instead; then the card stays.
    """
    follows: dict[str, Any] = {}
    if successions.is_relay_due(attempt):
        follows = {"then": Then.RELAY, "then_by": None}
    ended = transitions.transition(
        actor=actor,
        attempt=attempt,
        to=Status.SUCCEEDED,
        detail=outcome.detail,
        summary=outcome.summary,
        **follows,
    )
    if outcome.summary:
        board_operations.show_agent(actor=actor, card_id=ended.card_id, summary=outcome.summary)
    if not follows:
        transitions.move_to_review(ended, actor=actor)


def _propose(attempt: Attempt, plan: str, *, actor: Actor) -> None:
    """The last message of an agent that was to plan is its plan, if it proposed none itself."""
    approved = attempt.approvals.filter(
        kind=Approval.Kind.PLAN,
        status=Approval.Status.ANSWERED,
        decision__in=[Approval.Decision.ALLOW_ONCE, Approval.Decision.ALLOW_ALWAYS],
    ).order_by("-answered_at")
    accepted = approved.first()
    if accepted is not None:
        approvals.accept_plan(attempt, accepted, actor=actor)
        return
    waiting = transitions.transition(
        actor=actor, attempt=attempt, to=Status.WAITING, waiting_for=WaitingFor.PLAN, **NO_LEASE
    )
    approval = Approval.objects.create(
        attempt=waiting,
        turn_number=waiting.turns.count(),
        kind=Approval.Kind.PLAN,
        title="The plan",
        request={"text": plan, "emulated": True},
    )
    events.attempt_approval_requested(waiting, approval, actor=actor)
    events.attempt_plan_proposed(waiting, approval, actor=actor)
    approvals.pause_step(waiting, approval, actor=actor)
