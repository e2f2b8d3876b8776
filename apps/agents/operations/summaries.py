"""What was done on a card, in the words of whoever did it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.agents import events, registry, rules
from apps.agents.models import Attempt
from apps.agents.operations import admission, handoffs, transitions
from apps.agents.states import FINAL
from apps.boards import operations as board_operations
from apps.boards.models import AgentMode
from apps.core import problems

if TYPE_CHECKING:
    from datetime import datetime

    from apps.core.actors import Actor

# Whoever asks while the model writes waits for the same words.
WRITING = timedelta(seconds=60)
# What keeps an agent from working on a card does not keep it from telling what it did.
HARMLESS = frozenset({"CARD_DONE", "CARD_BLOCKED", "WIP_LIMIT", "CONFLICT"})
CHARACTERS = 20_000
_POLL_SECONDS = 0.1


def summarize(*, actor: Actor, attempt: Attempt) -> str:
    """This will have a session summarized by its own agent, and store it on the card.

    A worker asks the agent; we wait some seconds for it. Where it does not answer in time, or
    cannot be asked, the summary is the last thing it said, and what it writes later still
    becomes the card's. 409 where nothing was said yet.
    """
    said = handoffs.last_text(attempt) or attempt.summary
    if not said and not attempt.session_id:
        raise problems.Conflict("There is no session to summarize yet.")
    asked_at = ask_for_summary(actor=actor, attempt=attempt)
    if asked_at is not None:
        deadline = time.monotonic() + settings.KANBANAI_SUMMARY_WAIT_SECONDS
        while time.monotonic() < deadline:
            found = transitions.read(attempt.pk)
            if found.summarized_at is not None and found.summarized_at >= asked_at:
                return found.card.summary
            time.sleep(_POLL_SECONDS)
    return record_summary(actor=actor, attempt=attempt, text=said)


@transaction.atomic
def ask_for_summary(*, actor: Actor, attempt: Attempt) -> datetime | None:
    """This will have a worker ask the agent; since when, or None where it cannot be asked."""
    rules.require_worker(actor, attempt.project)
    held = transitions.hold(attempt)
    preset = registry.find_preset(held.agent)
    speaks = preset is not None and preset.family != "command" and preset.resume != "none"
    if not speaks or not held.session_id or held.status not in FINAL or not held.worktree_path:
        return None
    problem = admission.refusal(actor=actor, card=held.card, agent=held.agent, attempt=held)
    if problem is not None and problem.code not in HARMLESS:
        return None
    now, before = timezone.now(), held.summary_asked_at
    answered = held.summarized_at is not None and before and held.summarized_at >= before
    if before is not None and not answered and now - before < WRITING:
        return before
    Attempt.objects.filter(pk=held.pk).update(summary_asked_at=now)
    events.attempt_summary_asked(held, actor=actor)
    return now


@transaction.atomic
def record_summary(*, actor: Actor, attempt: Attempt, text: str, is_answer: bool = False) -> str:
    """This will store a summary on the card; that of a plan stays the plan on its attempt."""
    held = transitions.hold(attempt)
    if held.status not in FINAL and is_answer:
        # It works again: what it did before is no summary of that.
        return held.card.summary
    now = timezone.now()
    values: dict[str, object] = {"summarized_at": now} if is_answer else {}
    if text and is_answer and held.mode != AgentMode.PLAN:
        values["summary"] = text
    if values:
        Attempt.objects.filter(pk=held.pk).update(**values, updated_at=now)
    newer = Attempt.objects.filter(card_id=held.card_id, number__gt=held.number).exists()
    if text and not newer:
        board_operations.show_agent(actor=actor, card_id=held.card_id, summary=text)
    return text
