"""Attempts whose runner went away end by themselves, and can be continued with nothing lost."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.agents import processes
from apps.agents.models import Approval, Attempt, Then, Turn
from apps.agents.operations import admission, approvals, attempts, prompts, transitions, turns
from apps.agents.states import Reason, Status
from apps.core import ids, problems

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor

LOST = "The worker that ran the agent went away; the attempt can be continued."
# A message that nobody has taken for this long is sent again.
RESEND_SECONDS = 30


def lost_attempts() -> list[Attempt]:
    """This will list the attempts whose lease has run out."""
    return list(
        Attempt.objects.filter(lease_owner__gt="", lease_expires_at__lt=timezone.now()).order_by(
            "lease_expires_at"
        )
    )


def reap_attempt(*, actor: Actor, attempt: Attempt) -> Attempt | None:
    """This will end what a lost runner left: its processes, its claim, its turn.

    Processes are only looked for on the host that ran them. None when its lease was renewed.
    """
    if attempt.lease_owner.partition("/")[0] == socket.gethostname():
        processes.kill_marked(attempt.public_id)
    return _close(actor=actor, attempt=attempt)


@transaction.atomic
def _close(*, actor: Actor, attempt: Attempt) -> Attempt | None:
    admission.lock_slots()
    try:
        held = transitions.hold(attempt, board=True)
    except problems.NotFound:
        return None
    expired = held.lease_expires_at is not None and held.lease_expires_at < timezone.now()
    if not held.lease_owner or held.epoch != attempt.epoch or not expired:
        return None
    Attempt.objects.filter(pk=held.pk).update(epoch=held.epoch + 1, **turns.NO_LEASE)
    held = transitions.read(held.pk)
    if held.status == Status.WAITING:
        _close_turns(held)
        if not held.approvals.filter(status=Approval.Status.PENDING).exists():
            approvals.settle(held, actor=actor)
        return transitions.read(held.pk)
    approvals.withdraw(held, actor=actor)
    if held.status == Status.STOPPING:
        return transitions.transition(actor=actor, attempt=held, to=Status.STOPPED)
    ended = transitions.transition(
        actor=actor,
        attempt=held,
        to=Status.INTERRUPTED,
        reason=Reason.HOST_LOST,
        detail=LOST,
    )
    return _again(ended, actor=actor)


def _close_turns(attempt: Attempt) -> None:
    now = timezone.now()
    attempt.turns.filter(status=Turn.Status.RUNNING).update(
        status=Turn.Status.DONE, stop_reason="lost", ended_at=now, updated_at=now
    )


def _again(attempt: Attempt, *, actor: Actor) -> Attempt:
    """Once by itself, and only before the agent has touched anything."""
    if attempt.auto_retried or attempt.items.filter(type="tool").exists():
        return attempt
    try:
        attempts.require_may_go_on(actor, attempt)
    except problems.Problem:
        return attempt
    attempts.repeat_last_turn(attempt, actor=actor)
    return admission.enqueue(attempt, actor=actor, ended_at=None, auto_retried=True)


@transaction.atomic
def resume_interrupted(*, actor: Actor, attempt: Attempt) -> Attempt | None:
    """This will let an attempt go on whose worker was shut down; once, if nothing is against it.

    What it has begun it takes up where it was, in the same session; what it had hardly begun it
    begins again.
    """
    admission.lock_slots()
    held = transitions.hold(attempt, board=True)
    if held.then != Then.RESUME or held.status != Status.INTERRUPTED:
        return None
    Attempt.objects.filter(pk=held.pk).update(then="", then_by=None)
    person = held.started_by
    if held.auto_retried or person is None:
        return None
    asker = replace(actor, user=person, origin="task")
    attempts.require_may_go_on(asker, held)
    if held.session_id and held.items.filter(type="tool").exists():
        attempts.add_turn(held, prompts.GO_ON, actor=asker, is_continuation=True, first=True)
    else:
        attempts.repeat_last_turn(held, actor=asker)
    return admission.enqueue(held, actor=asker, ended_at=None, auto_retried=True)


def kill_strays() -> int:
    """This will kill this host's marked processes whose attempt nobody runs, and count them.

    Attempts we do not know are let be: another installation on this machine may have them.
    """
    found: dict[UUID, str] = {}
    for name in processes.find_marked():
        with contextlib.suppress(problems.NotFound):
            found[ids.decode("sess", name)] = name
    idle = Attempt.objects.filter(pk__in=found, lease_owner="").values_list("pk", flat=True)
    return sum(processes.kill_marked(found[attempt_id]) for attempt_id in idle)


@transaction.atomic
def resume_paused(*, actor: Actor) -> int:
    """This will put the attempts in line whose pause is over, and count them."""
    due = list(
        Attempt.objects.filter(status=Status.PAUSED, resume_at__lte=timezone.now()).order_by("pk")
    )
    if not due:
        return 0
    admission.lock_slots()
    attempt = transitions.hold(due[0], board=True)
    if attempt.status != Status.PAUSED:
        return 0
    attempts.repeat_last_turn(attempt, actor=actor)
    admission.enqueue(attempt, actor=actor)
    return 1


def unclaimed_attempts() -> list[UUID]:
    """This will list the attempts that were let in and that no runner has taken since."""
    before = timezone.now() - timedelta(
        seconds=max(RESEND_SECONDS, settings.KANBANAI_AGENT_LEASE_SECONDS)
    )
    return list(
        Attempt.objects.filter(status=Status.QUEUED, dispatched_at__lt=before).values_list(
            "pk", flat=True
        )
    )


@transaction.atomic
def mark_sent(*, attempt_ids: list[UUID]) -> None:
    """This will note that attempts were handed to the broker again just now."""
    Attempt.objects.filter(pk__in=attempt_ids, status=Status.QUEUED).update(
        dispatched_at=timezone.now()
    )
