"""What people are told of; each kind is looked at by `notices`."""

from __future__ import annotations

from apps.core import events
from apps.dashboard import tasks

TOLD = (
    "attempt.completed",
    "attempt.status_changed",
    "attempt.approval_requested",
    "card.auto_mode_ended",
    "script.finished",
    "member.added",
    "membership.created",
)


def wire() -> None:
    """This will register everything; called once, when Django is ready."""
    for kind in TOLD:
        events.on(kind, tasks.tell)
