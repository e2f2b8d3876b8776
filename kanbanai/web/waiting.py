"""Waiting inside one event loop, for connections that are many and mostly silent.

asyncio's own queues and events keep room for those who wait even while nobody does: some kilobytes
for each connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kanbanai.web.asgi_types import Message


class Flow:
    """Whether a client takes what is written to it."""

    __slots__ = ("_waiting", "blocked")

    def __init__(self) -> None:
        # True while too much is waiting for the client.
        self.blocked = False
        self._waiting: list[asyncio.Future[None]] = []

    def pause(self) -> None:
        """This will make senders wait."""
        self.blocked = True

    def resume(self) -> None:
        """This will let senders go on; also called when the connection ends."""
        self.blocked = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def wait(self) -> None:
        """This will return when the client takes more, or is gone."""
        while self.blocked:
            one = asyncio.get_running_loop().create_future()
            self._waiting.append(one)
            await one


class Inbox:
    """What a connection has for its application; one at a time takes from it."""

    __slots__ = ("_messages", "_waiting", "emptied")

    def __init__(self) -> None:
        # Called when the application has taken everything there was.
        self.emptied: Callable[[], None] | None = None
        self._messages: list[Message] = []
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, message: Message) -> None:
        """This will add a message."""
        self._messages.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def get(self) -> Message:
        """This will give the oldest message, and wait for one."""
        while not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        message = self._messages.pop(0)
        if not self._messages and self.emptied is not None:
            self.emptied()
        return message
