"""A claim from beginning to end, whatever it is on: turns one after the other, always concluded."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone

from apps.agents.adapters.failures import AdapterError, Cancelled
from apps.agents.operations.transitions import OutOfTurn
from apps.agents.runner import driving, outcomes, preparation, transcript
from apps.agents.runner.lease import Halted
from apps.agents.states import Reason
from apps.core import git, problems

if TYPE_CHECKING:
    from apps.agents.adapters.base import AgentAdapter, TurnResult
    from apps.agents.operations.turns import Outcome
    from apps.agents.runner.lease import Lease
    from apps.agents.runner.listening import Listener
    from apps.agents.runner.store import Store
    from apps.agents.runner.writer import Writer

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Claim(abc.ABC, Generic[T]):
    """What one process does for one row; `T` is what it knows of a turn."""

    def __init__(
        self, store: Store, *, name: str, epoch: int, lease: Lease, writer: Writer
    ) -> None:
        self.store = store
        self.name = name
        self.epoch = epoch
        self.lease = lease
        self.writer = writer
        # The turn that is under way, as items are told of it.
        self.number = 0
        # Set once the agent is given a key.
        self.has_key = False
        self.listener: Listener | None = None
        self.adapter: AgentAdapter | None = None

    @abc.abstractmethod
    async def perform(self, turn: T) -> Outcome:
        """This will do a turn, and those that follow at once; how the last one ended."""

    @abc.abstractmethod
    async def hand_back(self, outcome: Outcome) -> T | None:
        """This will say how the turn ended, and give the next one if there is one."""

    async def tidy_up(self, outcome: Outcome) -> None:
        """This will do what is to be done at every end, after the agent has gone."""

    async def go(self, turn: T) -> None:
        """This will take turns until none is in line, and conclude whatever happens."""
        helpers = [
            asyncio.create_task(self.lease.beat(), name="lease"),
            asyncio.create_task(self.lease.listen(), name="control"),
            asyncio.create_task(self.writer.work(), name="writer"),
        ]
        following: T | None = turn
        try:
            with driving.politely(self.lease):
                while following is not None:
                    outcome = await self._outcome(following)
                    following = await self._conclude(outcome)
        except (Halted, OutOfTurn, problems.NotFound, ObjectDoesNotExist):
            # Somebody else has it, or it was deleted: there is nothing left for us to say.
            log.warning("claim_lost", claim=self.name)
        except asyncio.CancelledError:
            # The process is being ended: what can be said in a moment is said.
            with contextlib.suppress(Exception):
                await self._conclude(outcomes.of_halt("shutdown"))
            raise
        finally:
            await self.close(force=True)
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _conclude(self, outcome: Outcome) -> T | None:
        await self.writer.flush()
        return await self.hand_back(outcome)

    async def _outcome(self, turn: T) -> Outcome:
        try:
            outcome = await self.perform(turn)
        except Halted as halt:
            if halt.word == "lost":
                raise
            outcome = outcomes.of_halt(halt.word)
        except Cancelled:
            outcome = outcomes.of_halt(self.lease.word or "stop")
        except OutOfTurn:
            raise
        except preparation.StageFailed as error:
            outcome = outcomes.failed(error.reason, str(error))
        except AdapterError as error:
            outcome = outcomes.failed(error.failure, error.detail)
        except git.GitError as error:
            outcome = outcomes.failed(Reason.WORKTREE_FAILED, error.message)
        except Exception as error:
            log.exception("turn_failed", claim=self.name)
            outcome = outcomes.failed(
                Reason.AGENT_CRASHED, f"Something went wrong on our side: {error}"
            )
        if self.has_key:
            outcome = outcomes.with_key(outcome)
        detail, summary = self.writer.tidy([outcome.detail, outcome.summary])
        return await self._finish(replace(outcome, detail=detail, summary=summary))

    async def _finish(self, outcome: Outcome) -> Outcome:
        """What is done at every end, in this order: the agent goes, its work is looked at, kept."""
        await self.close(force=self.lease.word is not None)
        if self.listener is not None:
            self.listener.end_turn("cancelled" if outcome.kind == "stopped" else "failed")
        if self.lease.word == "lost":
            self.lease.check()
        if outcome.kind in {"failed", "paused"}:
            self._tell_failure(outcome)
        await self.tidy_up(outcome)
        return outcome

    def _tell_failure(self, outcome: Outcome) -> None:
        self.writer.put(
            transcript.error_item(
                self.number,
                f"{self.number}-error-{self.epoch}",
                outcome.detail,
                details=outcome.reason,
                at=timezone.now(),
            )
        )
        self.writer.log(f"[runner] {outcome.reason}: {outcome.detail}", level="error")

    def count(self, result: TurnResult) -> None:
        """This will add the tokens that the agent only tells at the end of its turn."""
        if result.tokens is not None:
            batch = self.writer.batch
            batch.input_tokens += result.tokens.input
            batch.output_tokens += result.tokens.output
            batch.used = True
            self.writer.touch()

    async def close(self, *, force: bool) -> None:
        """This will end the agent, if one is running."""
        adapter, self.adapter = self.adapter, None
        if adapter is not None:
            with contextlib.suppress(Exception):
                await adapter.close(force=force)
