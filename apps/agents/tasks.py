"""Celery's way in: ids, and one call."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog
from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutting_down

from apps.agents import control, operations, queries, registry
from apps.agents.operations import conversing, reacting
from apps.agents.runner import project_scripts
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.models import Event

if TYPE_CHECKING:
    from types import ModuleType

    from celery import Task

log = structlog.get_logger(__name__)

REAPER = Actor.system("reaper")


def runner() -> ModuleType:
    """This will be the runner, which brings the agents' SDK: other processes need not load it."""
    return import_module("apps.agents.runner.work")


@shared_task(bind=True, queue="agents")
def run_turn(
    self: Task[Any, Any], /, *, attempt_id: str = "", event_id: int | None = None, **_: object
) -> None:
    """This will work on an attempt that was let in, named itself or by the event that says so."""
    if event_id is not None:
        event = Event.objects.filter(pk=event_id).first()
        if event is None or not event.data.get("admitted"):
            return
        attempt_id = event.data["attemptId"]
    try:
        key = ids.decode("sess", attempt_id)
    except problems.NotFound:
        return
    asyncio.run(runner().run(key, worker=str(self.request.hostname or "")))


@shared_task(queue="agents", expires=60)
def write_summary(*, event_id: int, **_: object) -> None:
    """This will ask an agent for the summary that somebody waits for."""
    event = Event.objects.filter(pk=event_id).first()
    if event is not None:
        key = ids.decode("sess", event.data["attemptId"])
        asyncio.run(import_module("apps.agents.runner.asides").summarize(key))


@shared_task(bind=True, queue="agents")
def run_conversation(
    self: Task[Any, Any], /, *, session_id: str = "", event_id: int | None = None, **_: object
) -> None:
    """This will answer in a conversation that was let in, named itself or by its event."""
    if event_id is not None:
        event = Event.objects.filter(pk=event_id).first()
        if event is None or not event.data.get("admitted"):
            return
        session_id = event.data["sessionId"]
    key = conversing.key_of(session_id)
    if key is not None:
        talking = import_module("apps.agents.runner.talking")
        asyncio.run(talking.run(key, worker=str(self.request.hostname or "")))


@shared_task(queue="fast")
def dispatch_queue(**_: object) -> None:
    """This will let queued attempts start where slots are free, and end pauses that are over.

    Cards in auto mode that had to wait for room or for other cards are taken on first.
    """
    while operations.resume_paused(actor=REAPER):
        pass
    for attempt in queries.stalled_attempts():
        reacting.take_on(attempt)
    operations.dispatch_queue(actor=REAPER)
    waiting = operations.unclaimed_attempts()
    for attempt_id in waiting:
        run_turn.delay(attempt_id=ids.encode("sess", attempt_id))
    if waiting:
        operations.mark_sent(attempt_ids=waiting)
    conversing.dispatch_conversations(actor=REAPER)
    for name in conversing.send_again():
        run_conversation.delay(session_id=name)


@shared_task(queue="fast")
def reap(**_: object) -> None:
    """This will end what lost runners left, kill stray processes, and let the next ones start."""
    for attempt in operations.lost_attempts():
        log.warning("attempt_lost", attempt=attempt.public_id, owner=attempt.lease_owner)
        operations.reap_attempt(actor=REAPER, attempt=attempt)
    operations.reap_scripts(actor=REAPER)
    operations.kill_strays()
    for conversation in conversing.lost_conversations():
        log.warning("conversation_lost", conversation=conversation.public_id)
        conversing.reap_conversation(actor=REAPER, conversation=conversation)
    conversing.kill_strays()
    operations.close_stale(actor=REAPER)
    conversing.dispatch_conversations(actor=REAPER)
    operations.dispatch_queue(actor=REAPER)


@shared_task(queue="fast")
def expire_logins(**_: object) -> None:
    """This will end logins at providers that nobody finished in time."""
    operations.expire_logins(actor=Actor.system("provider"))


@shared_task(queue="fast", ignore_result=True)
def run_script(*, event_id: int, **_: object) -> None:
    """This will run the script whose start an event tells of, to its end."""
    event = Event.objects.filter(pk=event_id).first()
    if event is not None:
        project_scripts.run(ids.decode("run", event.data["runId"]))


@shared_task(queue="fast")
def look_for_agents(**_: object) -> None:
    """This will look which agents this host has, and remember it for everybody."""
    registry.look()


@shared_task(queue="fast")
def follow_card(*, event_id: int, **_: object) -> None:
    """This will start or stop the agent of a card that was moved or made."""
    reacting.follow_card(event_id=event_id)


@shared_task(queue="fast")
def follow_end(*, event_id: int, **_: object) -> None:
    """This will begin what waited for an attempt's end, and take cards in auto mode on."""
    reacting.follow_end(event_id=event_id)


@worker_shutting_down.connect
def end_politely(sender: object = "", **_: object) -> None:
    """This will tell the runners of this worker to end: their attempts can be continued."""
    control.say(control.worker_channel(str(sender)), control.SHUTDOWN)
    project_scripts.stop_all()


@worker_init.connect
def load_early(**_: object) -> None:
    """This will load the runner before the pool forks: once, and shared by all children."""
    runner()


@worker_ready.connect
def begin_tidy(**_: object) -> None:
    """This will put the house in order after a restart, before anything new is waited for."""
    look_for_agents.delay()
    reap.delay()
