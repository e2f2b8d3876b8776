"""Our claim on a row: kept alive, and the way people's words reach the work."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal, Protocol

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from redis import asyncio as redis_asyncio
from redis.exceptions import RedisError

from apps.agents import control

if TYPE_CHECKING:
    from uuid import UUID

    from apps.agents.models import Approval
    from apps.agents.operations.turns import Pulse
    from apps.agents.runner.store import Store

log = structlog.get_logger(__name__)

Word = Literal["stop", "lost", "shutdown"]
BEATS = 3
RECONNECT_SECONDS = 1.0


class Halted(Exception):
    """The work has to end: somebody stopped it, the claim is lost, or the worker goes."""

    def __init__(self, word: Word) -> None:
        super().__init__(word)
        self.word = word


class Renew(Protocol):
    """How a claim is prolonged, whatever it is on."""

    def __call__(self, *, lease_seconds: float, asked: list[UUID]) -> Pulse:
        """This will prolong it and tell what people want; `asked` are open questions' ids."""


class Lease:
    """Beats every third of the lease, and at once when somebody calls on its channel."""

    def __init__(self, store: Store, *, renew: Renew, channel: str, worker: str) -> None:
        self._store = store
        self._renew = renew
        self._channel = channel
        self._worker = worker
        self.seconds = float(settings.KANBANAI_AGENT_LEASE_SECONDS)
        self._called = asyncio.Event()
        self._asked: dict[UUID, asyncio.Future[Approval]] = {}
        self.halted = asyncio.Event()
        self.word: Word | None = None

    def halt(self, word: Word) -> None:
        """This will end the work; a lost claim outweighs what was said before."""
        if self.word is None or word == "lost":
            self.word = word
        self.halted.set()

    def check(self) -> None:
        """This will raise Halted where the work has to end."""
        if self.word is not None:
            raise Halted(self.word)

    async def answer(self, approval_id: UUID, *, timeout: float) -> Approval:
        """This will wait for a person's answer; TimeoutError after `timeout` seconds."""
        future: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
        self._asked[approval_id] = future
        # It may have been answered before we were ready to hear it.
        self._called.set()
        try:
            return await asyncio.wait_for(future, timeout)
        finally:
            del self._asked[approval_id]

    async def beat(self) -> None:
        """This will keep the claim until it is cancelled or the claim is lost."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while self.word != "lost":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._called.wait(), self.seconds / BEATS)
            self._called.clear()
            try:
                pulse = await self._store.run(
                    self._renew, lease_seconds=self.seconds, asked=list(self._asked)
                )
            except (DatabaseError, InterfaceError) as error:
                log.warning("lease_not_renewed", error=str(error))
                if loop.time() - last >= self.seconds:
                    self.halt("lost")
                await asyncio.sleep(min(1.0, self.seconds / 10))
                continue
            last = loop.time()
            self._hear(pulse)

    def _hear(self, pulse: Pulse) -> None:
        if not pulse.held:
            self.halt("lost")
            return
        if pulse.stopping:
            self.halt("stop")
        for approval in pulse.answers:
            future = self._asked.get(approval.pk)
            if future is not None and not future.done():
                future.set_result(approval)

    async def listen(self) -> None:
        """This will hear words sent by Redis until it is cancelled; without Redis beats suffice."""
        channels = [self._channel]
        if self._worker:
            channels.append(control.worker_channel(self._worker))
        while True:
            try:
                await self._listen(channels)
            except (RedisError, OSError) as error:
                log.warning("control_not_heard", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, channels: list[str]) -> None:
        client = redis_asyncio.Redis.from_url(settings.KANBANAI_REDIS_URL)
        try:
            async with client.pubsub() as words:
                await words.subscribe(*channels)
                # What was said before we listened is in the rows.
                self._called.set()
                async for message in words.listen():
                    if message["type"] != "message":
                        continue
                    if message["data"].decode() == control.SHUTDOWN:
                        self.halt("shutdown")
                    self._called.set()
        finally:
            await client.aclose()
