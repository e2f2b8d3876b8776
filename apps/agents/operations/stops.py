"""Stopping, at every stage, and always with the same end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from apps.agents import control, rules
from apps.agents.models import Attempt
from apps.agents.operations import approvals, transitions
from apps.agents.states import FINAL, Status

if TYPE_CHECKING:
    from apps.core.actors import Actor


@transaction.atomic
def stop_attempt(*, actor: Actor, attempt: Attempt) -> Attempt:
    """This will stop an attempt: at once where no process runs, else as soon as its runner hears.

    Stopping what is over or is being stopped changes nothing, but that nothing else follows it.
    """
    rules.require_worker(actor, attempt.project)
    held = transitions.hold(attempt)
    if held.status in FINAL:
        return held
    if held.then:
        Attempt.objects.filter(pk=held.pk).update(then="", then_by=None)
    if held.status == Status.STOPPING:
        control.say_on_commit(held.pk, control.STOP)
        return held
    if held.lease_owner:
        stopping = transitions.transition(
            actor=actor, attempt=held, to=Status.STOPPING, stop_requested_at=timezone.now()
        )
        control.say_on_commit(held.pk, control.STOP)
        return stopping
    approvals.withdraw(held, actor=actor)
    return transitions.transition(
        actor=actor, attempt=held, to=Status.STOPPED, stop_requested_at=timezone.now()
    )
