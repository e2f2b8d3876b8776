"""A short question to a session that is over: read-only, bounded, and no turn of its attempt."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from django.utils import timezone

from apps.agents import keys, places
from apps.agents.adapters import events, families, presets
from apps.agents.adapters.base import Decision
from apps.agents.adapters.failures import AdapterError, Cancelled
from apps.agents.operations import handoffs, records, summaries, transitions
from apps.agents.runner import preparation
from apps.agents.runner.hiding import Redactor
from apps.agents.runner.store import Store
from apps.core import git
from apps.core.actors import Actor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from decimal import Decimal
    from uuid import UUID

    from apps.agents.models import Attempt, Credential
    from apps.agents.worktrees.trees import Tree

log = structlog.get_logger(__name__)

ACTOR = Actor.system("runner")
SECONDS = 45.0
_POLL_SECONDS = 0.1


class Quiet:
    """Hears nothing but what was used, and allows nothing."""

    def __init__(self) -> None:
        self.cost: Decimal | None = None
        self.cost_seen: Decimal | None = None

    async def emit(self, event: events.Event) -> None:
        """This will take one event."""
        if isinstance(event, events.Usage):
            self.cost = event.cost if self.cost is None else self.cost + event.cost
            self.cost_seen = event.cost_seen

    async def ask(self, request: events.Request) -> Decision:
        """This will refuse whatever is asked."""
        return (
            Decision(outcome="declined") if request.kind == "question" else Decision.reject(request)
        )


class Ground:
    """What preparing needs to know of the attempt that is asked."""

    def __init__(self, store: Store, attempt: Attempt, tree: Tree) -> None:
        self.store = store
        self.attempt = attempt
        self.tree: Tree | None = tree
        self.place: preparation.Place


@contextlib.asynccontextmanager
async def session_of(attempt: Attempt, *, check: Callable[[], None]) -> AsyncIterator[None]:
    """This will hold an attempt's session on this host: one process at a time speaks to it.

    `check` is called while we wait and may raise. A process that dies lets go by itself.
    """
    folder = places.home_path(attempt).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "session.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                check()
                await asyncio.sleep(_POLL_SECONDS)
            else:
                break
        yield


async def ask(store: Store, attempt: Attempt, prompt: str, *, tree: Tree | None = None) -> str:
    """This will be the agent's answer; empty when it has none, or cannot be asked any more."""
    try:
        async with asyncio.timeout(SECONDS), session_of(attempt, check=lambda: None):
            found = tree or await asyncio.to_thread(places.find_tree, attempt)
            return await _ask(Ground(store, attempt, found), prompt) if found is not None else ""
    except (AdapterError, Cancelled, preparation.StageFailed, git.GitError) as error:
        log.info("session_not_asked", attempt=attempt.public_id, why=str(error))
    except TimeoutError:
        log.info("session_did_not_answer", attempt=attempt.public_id)
    except Exception:
        # Nobody's work depends on it: there is always something else to say.
        log.exception("session_not_asked", attempt=attempt.public_id)
    return ""


async def _ask(ground: Ground, prompt: str) -> str:
    store, attempt = ground.store, ground.attempt
    if not attempt.session_id:
        return ""
    # What is chosen now: what it worked with may have been replaced since.
    chosen = await store.run(_chosen, attempt)
    credential_id = chosen.pk if chosen is not None else None
    ground.place = await preparation.place(ground, credential_id)
    preset = ground.place.preset
    if preset.family == "command" or preset.resume == "none":
        return ""
    last_turn = await store.run(attempt.turns.count)
    spec = replace(
        await preparation.session(ground, last_turn=last_turn),
        resume="require",
        readonly=True,
        mode=presets.mode_for(preset, planning=True, confined=ground.place.confined),
    )
    heard, begin = Quiet(), timezone.now()
    adapter = families.adapter_for(preset, heard)
    try:
        await adapter.open(spec)
        result = await adapter.prompt(prompt)
    finally:
        await adapter.close(force=False)
    await store.run(
        records.record_spent,
        attempt_id=attempt.pk,
        credential_id=credential_id,
        started_at=begin,
        tokens=(result.tokens.input, result.tokens.output) if result.tokens else (0, 0),
        cost=heard.cost,
        cost_seen=heard.cost_seen,
    )
    if not result.succeeded:
        return ""
    redactor = Redactor()
    redactor.learn(ground.place.launch.secrets.values())
    return str(redactor.hide(result.last_message.strip()))


def _chosen(attempt: Attempt) -> Credential | None:
    rows = type(attempt).objects.select_related("card__project__organization", "profile")
    return keys.chosen_for(rows.get(pk=attempt.pk), keys.Ring.read())


async def summarize(attempt_id: UUID) -> None:
    """This will ask an attempt's agent for a summary and store it; in any case, an answer."""
    async with Store.lent(attempt=attempt_id) as store:
        attempt = await store.run(transitions.read, attempt_id)
        text = await ask(store, attempt, handoffs.SUMMARY_REQUEST)
        text = text or await store.run(handoffs.last_text, attempt) or attempt.summary
        await store.run(
            summaries.record_summary,
            actor=ACTOR,
            attempt=attempt,
            text=text[: summaries.CHARACTERS],
            is_answer=True,
        )
