"""One claim from beginning to end: prepare the place, let the agent speak, tidy up, conclude."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from apps.agents import control, events
from apps.agents.adapters import families
from apps.agents.operations import admission, handoffs, records, transitions, turns
from apps.agents.runner import asides, commits, driving, outcomes, preparation, transcript
from apps.agents.runner.claims import Claim
from apps.agents.runner.lease import Lease
from apps.agents.runner.sink import Sink
from apps.agents.runner.store import Store
from apps.agents.runner.writer import Told, Writer
from apps.agents.worktrees import status
from apps.boards import outputs as board_outputs
from apps.boards.models import AgentMode
from apps.core import git
from apps.core.actors import Actor
from apps.projects.models import ProjectSettings

if TYPE_CHECKING:
    from uuid import UUID

    from apps.agents.adapters.base import AgentAdapter, TurnResult
    from apps.agents.models import Attempt, Turn
    from apps.agents.operations.turns import Outcome
    from apps.agents.worktrees.status import GitStatus
    from apps.agents.worktrees.trees import Tree

ACTOR = Actor.system("runner")
DEBOUNCE_SECONDS = 0.3


async def run(attempt_id: UUID, *, worker: str = "") -> None:
    """This will work on an attempt that was let in; nothing happens when another already does."""
    async with Store.lent(attempt=attempt_id) as store:
        claimed = await store.run(
            turns.claim_turn,
            actor=ACTOR,
            attempt_id=attempt_id,
            owner=driving.owner_name(),
            lease_seconds=settings.KANBANAI_AGENT_LEASE_SECONDS,
            sandbox_level=driving.sandbox_level(),
        )
        if claimed is not None:
            attempt, turn = claimed
            await Work(store, attempt, worker=worker).go(turn)
            await store.run(admission.dispatch_queue, actor=ACTOR)


class Work(Claim["Turn"]):
    """What one process does for one attempt."""

    def __init__(self, store: Store, attempt: Attempt, *, worker: str) -> None:
        mine: dict[str, Any] = {"attempt_id": attempt.pk, "epoch": attempt.epoch}
        lease = Lease(
            store,
            renew=partial(turns.renew_lease, owner=driving.owner_name(), **mine),
            channel=control.attempt_channel(attempt.pk),
            worker=worker,
        )
        writer = Writer(
            store,
            lease,
            record=partial(records.record_batch, actor=ACTOR, **mine),
            told=Told(
                topic=board_outputs.board_topic(attempt.board_id),
                delta="attempt.delta",
                place=events.place_of(attempt),
            ),
        )
        super().__init__(
            store, name=attempt.public_id, epoch=attempt.epoch, lease=lease, writer=writer
        )
        self.attempt = attempt
        self.project: ProjectSettings
        self.place: preparation.Place
        self.sink: Sink
        self.tree: Tree | None = None
        self._seen: GitStatus | None = None

    async def hand_back(self, outcome: Outcome) -> Turn | None:
        """This will conclude the claim, or give the turn that came in the last moment."""
        return await self.store.insist(
            self.lease.seconds,
            turns.conclude,
            actor=ACTOR,
            attempt_id=self.attempt.pk,
            epoch=self.epoch,
            outcome=outcome,
        )

    async def perform(self, turn: Turn) -> Outcome:
        """This will prepare the place and let the agent work on it."""
        self.number = turn.number
        before = self.attempt.relayed_from_id if turn.number == 1 else None
        if before is None:
            await self._tell_prompt(turn)
        await self._prepare(turn)
        if before is not None:
            turn = await self._hand_over(turn, before)
            await self._tell_prompt(turn)
        async with asides.session_of(self.attempt, check=self.lease.check):
            return await self._converse(turn)

    async def _hand_over(self, turn: Turn, before_id: UUID) -> Turn:
        """Let the session before write its hand-off, as long as it can still be asked."""
        before = await self.store.run(transitions.read, before_id)
        self.writer.log(f"[runner] asking session #{before.number} for a hand-off")
        handoff = await asides.ask(self.store, before, handoffs.REQUEST, tree=self.tree)
        self.lease.check()
        if not handoff:
            self.writer.log("[runner] it gave none: told is what is stored of it", level="warn")
            return turn
        return await self.store.run(handoffs.write_handoff, turn=turn, handoff=handoff)

    async def tidy_up(self, outcome: Outcome) -> None:
        """This will count what changed, and keep and clean up as the project wants it."""
        if self.tree is None:
            return
        await self._look()
        if outcome.kind == "succeeded" and self.project.auto_commit_on_finish:
            await commits.commit_automatically(self, outcome)
        if outcome.kind != "waiting":
            await preparation.clean_up(self, self.number)

    async def _tell_prompt(self, turn: Turn) -> None:
        self.number = turn.number
        self.writer.put(
            transcript.prompt_item(
                turn.number,
                turn.prompt,
                at=timezone.now(),
                is_continuation=turn.is_continuation,
            )
        )
        await self.writer.flush()

    async def _prepare(self, turn: Turn) -> None:
        """Worktree, files, setup script: made once, looked at each time."""
        self.lease.check()
        self.project = await self.store.run(
            ProjectSettings.objects.get, project_id=self.attempt.project_id
        )
        self.tree = await preparation.worktree(self)
        self.lease.check()
        self.place = await preparation.place(self, turn.credential_id)
        self.has_key = self.place.has_key
        self.writer.redactor.learn(self.place.launch.secrets.values())
        await preparation.files_and_setup(self, turn.number)
        self.lease.check()

    async def _converse(self, turn: Turn) -> Outcome:
        """Prompt the agent for this turn and all that are in line behind it."""
        adapter = await self._open(turn)
        watching = asyncio.create_task(self._watch_changes(), name="changes")
        try:
            while True:
                result = await driving.until_halted(
                    adapter.prompt(turn.prompt), adapter, self.lease
                )
                self.writer.log(
                    f"[runner] turn {turn.number} ended: {result.failure or result.stop_reason}"
                )
                self.count(result)
                self.lease.check()
                following = None
                if result.succeeded and self.attempt.mode != AgentMode.PLAN:
                    following = await self._next(turn, result.stop_reason)
                if following is None:
                    return await self._judge(result)
                turn = following
                await self._tell_prompt(turn)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _next(self, turn: Turn, stop_reason: str) -> Turn | None:
        """The turn that this process can take; one that needs another key waits for another."""
        await self.writer.flush()
        if not await self.store.run(turns.has_next, self.attempt.pk):
            return None
        if not await preparation.is_up_to_date(self, turn.credential_id):
            self.writer.log("[runner] its credential was changed: the agent is started anew")
            return None
        return await self.store.run(
            turns.continue_turn,
            actor=ACTOR,
            attempt_id=self.attempt.pk,
            epoch=self.epoch,
            stop_reason=stop_reason,
            credential_id=turn.credential_id,
        )

    async def _judge(self, result: TurnResult) -> Outcome:
        changes = await self._look()
        return outcomes.of_result(
            result,
            left_waiting=self.sink.left_waiting,
            accepted_plan=self.sink.accepted_plan,
            has_changes=changes > 0,
        )

    async def _open(self, turn: Turn) -> AgentAdapter:
        self.sink = Sink(
            self.store,
            self.lease,
            self.writer,
            self.attempt,
            actor=ACTOR,
            policy=self.place.policy,
            planning=self.attempt.mode == AgentMode.PLAN,
            confined=self.place.confined,
        )
        self.listener = self.sink
        adapter = families.adapter_for(self.place.preset, self.sink)
        self.adapter = adapter
        spec = await preparation.session(self, last_turn=turn.number - 1)
        self.writer.log(f"[runner] starting {self.place.preset.label}")
        info = await driving.until_halted(adapter.open(spec), adapter, self.lease)
        if info.lost_history:
            self.writer.log("[runner] the agent did not take its session up again", level="warn")
        return adapter

    async def _watch_changes(self) -> None:
        """Tell how the worktree changes, a moment after each tool call that has ended."""
        while True:
            await self.sink.changed.wait()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            self.sink.changed.clear()
            await self._look()

    async def _look(self) -> int:
        """Count what the worktree changes and tell it; the number of changed files."""
        if self.tree is None:
            return 0
        read = partial(
            status.read,
            self.tree,
            base_branch=self.attempt.base_branch or None,
            base_sha=self.attempt.base_sha or None,
        )
        try:
            found = await asyncio.to_thread(read)
        except git.GitError as error:
            self.writer.log(f"[git] {error.message}", level="warn")
            return 0
        if found == self._seen:
            return len(found["files"])
        await self.store.run(
            records.record_changes,
            actor=ACTOR,
            attempt_id=self.attempt.pk,
            files_changed=len(found["files"]),
            insertions=sum(one["insertions"] for one in found["files"]),
            deletions=sum(one["deletions"] for one in found["files"]),
        )
        # Only now: a watch that is cancelled while it tells leaves it to the last look.
        self._seen = found
        return len(found["files"])
