"""One claim on a conversation: an agent reads the project's folder, answers, changes nothing."""

from __future__ import annotations

import asyncio
import shutil
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.agents import control, places
from apps.agents import conversation_events as events
from apps.agents import conversation_queries as queries
from apps.agents.adapters import base, families, policies, presets
from apps.agents.adapters.mcp import server
from apps.agents.conversation_tables import Conversation
from apps.agents.operations import admission, conversing, notes
from apps.agents.runner import board_tools, driving, outcomes, preparation
from apps.agents.runner.bounds import bounded
from apps.agents.runner.claims import Claim
from apps.agents.runner.lease import Lease
from apps.agents.runner.listening import Listener
from apps.agents.runner.store import Store
from apps.agents.runner.writer import Told, Writer
from apps.agents.states import Reason
from apps.core.actors import Actor

if TYPE_CHECKING:
    from uuid import UUID

    from apps.agents.adapters import events as agent_events
    from apps.agents.operations.conversing import Ask
    from apps.agents.operations.turns import Outcome

ACTOR = Actor.system("runner")
LIMITS = {"items": 500, "output_bytes": 16 * 1024 * 1024, "line_bytes": 8 * 1024 * 1024}
SAID_BEFORE = 60


async def run(conversation_id: UUID, *, worker: str = "") -> None:
    """This will answer in a conversation that was let in; nothing where another already does."""
    async with Store.lent(conversation=conversation_id) as store:
        claimed = await store.run(
            conversing.claim_conversation,
            actor=ACTOR,
            conversation_id=conversation_id,
            owner=driving.owner_name(),
            lease_seconds=settings.KANBANAI_AGENT_LEASE_SECONDS,
        )
        if claimed is not None:
            conversation, ask = claimed
            await Talk(store, conversation, worker=worker).go(ask)
            await store.run(_forget_when_over, conversation)
            await store.run(conversing.dispatch_conversations, actor=ACTOR)
            await store.run(admission.dispatch_queue, actor=ACTOR)


class Reader(Listener):
    """Hears an agent that only reads: what would change something is refused without asking."""

    async def ask(self, request: agent_events.Request) -> base.Decision:
        """This will decide at once; nobody is waited for."""
        return policies.decide_reading(request, tools=server.NAME)


class Talk(Claim["Ask"]):
    """What one process does for one conversation."""

    def __init__(self, store: Store, conversation: Conversation, *, worker: str) -> None:
        mine: dict[str, Any] = {
            "conversation_id": conversation.pk,
            "epoch": conversation.epoch,
        }
        lease = Lease(
            store,
            renew=partial(conversing.renew_conversation, owner=driving.owner_name(), **mine),
            channel=control.attempt_channel(conversation.pk),
            worker=worker,
        )
        writer = Writer(
            store,
            lease,
            record=partial(conversing.record_conversation, actor=ACTOR, **mine),
            told=Told(
                topic=events.topic_of(conversation),
                delta=events.delta_kind(conversation),
                place=events.place_of(conversation),
            ),
            tidy=bounded,
        )
        super().__init__(
            store,
            name=conversation.public_id,
            epoch=conversation.epoch,
            lease=lease,
            writer=writer,
        )
        self.conversation = conversation
        self._position = 0
        self._tools: server.ToolServer | None = None

    async def hand_back(self, outcome: Outcome) -> Ask | None:
        """This will end the turn, or give the next one."""
        return await self.store.insist(
            self.lease.seconds,
            conversing.conclude_conversation,
            actor=ACTOR,
            conversation_id=self.conversation.pk,
            epoch=self.epoch,
            outcome=outcome,
            position=self._position,
        )

    async def perform(self, turn: Ask) -> Outcome:
        """This will let the agent answer one message."""
        self.number, self._position = turn.turn, turn.position
        self.lease.check()
        where = await self._place(turn)
        self.lease.check()
        self.listener = reader = Reader(self.lease, self.writer)
        self.adapter = adapter = families.adapter_for(where.preset, reader)
        spec = await self._spec(where, turn)
        await driving.until_halted(adapter.open(spec), adapter, self.lease)
        result = await driving.until_halted(adapter.prompt(turn.text), adapter, self.lease)
        self.count(result)
        self.lease.check()
        return outcomes.of_result(result, left_waiting=False, accepted_plan=None, has_changes=False)

    async def tidy_up(self, outcome: Outcome) -> None:  # noqa: ARG002
        """This will take the tools away."""
        tools, self._tools = self._tools, None
        if tools is not None:
            await tools.close()

    async def _place(self, turn: Ask) -> preparation.Place:
        conversation = self.conversation
        folder = Path(conversation.project.path)
        if not await asyncio.to_thread(folder.is_dir):
            raise preparation.StageFailed(
                Reason.WORKTREE_FAILED, "The project's folder is not there."
            )
        profile = conversation.profile
        config = dict(profile.config) if profile and profile.agent == conversation.agent else {}
        where = await preparation.equip(
            self.store,
            agent=conversation.agent,
            config=config,
            home=places.conversation_folder(conversation) / "home",
            env={},
            access=await preparation.reach(self.store, turn.credential_id, config),
        )
        self.has_key = where.has_key
        self.writer.redactor.learn(where.launch.secrets.values())
        if not where.confined:
            raise preparation.StageFailed(
                Reason.SANDBOX_UNAVAILABLE,
                "No sandbox is available that could keep the agent from changing files.",
            )
        return where

    async def _spec(self, where: preparation.Place, turn: Ask) -> base.SessionSpec:
        conversation = self.conversation
        fresh, said = await self.store.run(_memory, conversation, turn.position)
        offers = await self._offer_tools(where)
        folder = Path(conversation.project.path)
        return base.SessionSpec(
            attempt_id=conversation.public_id,
            cwd=folder,
            home=where.home,
            command=where.launch.command,
            env=where.launch.env,
            session_meta=where.launch.session_meta,
            git_dir=folder / ".git" if (folder / ".git").is_dir() else None,
            sandbox=where.sandbox,
            read_paths=where.read_paths,
            network="none" if where.config.get("network") == "none" else "shared",
            connect_ports=where.launch.connect_ports,
            mcp_servers=offers,
            session_id=fresh.session_id or None,
            resume="new" if where.preset.resume == "none" else "auto",
            mode=presets.mode_for(where.preset, planning=False, confined=where.confined),
            readonly=True,
            system_note=notes.note(fresh, said),
            turn=turn.turn - 1,
            cost_seen=Decimal(0) if where.preset.restarts_cost else _cost_seen(fresh),
            limits=base.Limits(
                turn=float(settings.KANBANAI_AGENT_TURN_SECONDS),
                idle=float(settings.KANBANAI_AGENT_IDLE_SECONDS),
                **LIMITS,
            ),
        )

    async def _offer_tools(self, where: preparation.Place) -> tuple[base.McpServer, ...]:
        """An assistant works on the board for its person; a pre-session only reads."""
        conversation = self.conversation
        if conversation.is_presession:
            return ()
        tools = server.ToolServer(
            tools=board_tools.tools(
                self.store,
                person_id=conversation.person_id,
                project_id=conversation.project_id,
            ),
            folder=where.home,
        )
        self.writer.redactor.learn([tools.token])
        await tools.start()
        self._tools = tools
        return (tools.offer(),)


def _forget_when_over(conversation: Conversation) -> None:
    """What the agent kept for resuming goes with the conversation."""
    rows = type(conversation).objects.filter(pk=conversation.pk)
    if not rows.filter(status=Conversation.Status.ACTIVE).exists():
        shutil.rmtree(places.conversation_folder(conversation), ignore_errors=True)


def _memory(conversation: Conversation, position: int) -> tuple[Conversation, list[Any]]:
    fresh = type(conversation).objects.select_related("project", "card", "person")
    row = fresh.get(pk=conversation.pk)
    said = queries.newest_items(row, limit=SAID_BEFORE)
    return row, [item for item in said if item.position < position]


def _cost_seen(row: Conversation) -> Decimal:
    try:
        return Decimal(str(row.session_info.get("costSeen", "0")))
    except InvalidOperation:
        return Decimal(0)
