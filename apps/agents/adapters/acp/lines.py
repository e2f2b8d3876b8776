"""JSON-RPC lines to and from an agent process, with patience for what agents really print.

Updates of the session are handed over here, in the order of the wire and before any task is
made of them; the SDK's connection sees requests and responses only. The bounded queue behind
`on_update` pushes back: a flood slows the agent instead of filling our memory.
"""

import asyncio
import collections
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

UPDATE = "session/update"

_KEPT_LINES = 50
_KEPT_CHARACTERS = 2_000
_READ = 64 * 1024


class Lines:
    """A transport for the SDK's connection over the pipes of a process.

    `on_update` takes the parameters of an update, `on_noise` a line that is no message, `on_bytes`
    counts; `on_overlong` is told of a line beyond `line_bytes`, which also ends the stream.
    """

    def __init__(
        self,
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line_bytes: int,
        on_update: Callable[[dict[str, Any]], Awaitable[None]],
        on_noise: Callable[[str], None],
        on_bytes: Callable[[int], None],
        on_overlong: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._line_bytes = line_bytes
        self._on_update = on_update
        self._on_noise = on_noise
        self._on_bytes = on_bytes
        self._on_overlong = on_overlong
        self._buffer = bytearray()
        self._searched = 0
        self._sending = asyncio.Lock()
        self.recent: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)

    async def send(self, message: dict[str, Any]) -> None:
        """This will write one message; answers to an agent that has gone are dropped."""
        line = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        try:
            async with self._sending:
                self._writer.write(line)
                await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:
            if "method" in message:
                raise ConnectionError("the agent no longer reads") from error

    async def receive(self) -> dict[str, Any] | None:
        """This will be the next request or response, None at the end of the stream."""
        while (line := await self._line()) is not None:
            text = line.strip()
            if not text:
                continue
            message = _parse(text)
            if message is None:
                self._on_noise(text[:_KEPT_CHARACTERS].decode(errors="replace"))
                continue
            self.recent.append(text[:_KEPT_CHARACTERS].decode(errors="replace"))
            if message.get("method") == UPDATE and "id" not in message:
                params = message.get("params")
                if isinstance(params, dict):
                    await self._on_update(params)
                continue
            return message
        return None

    async def close(self) -> None:
        """This will end the agent's input."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.close()

    async def _line(self) -> bytes | None:
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._buffer)
            if self._searched > self._line_bytes:
                self._on_overlong()
                return None
            try:
                data = await self._reader.read(_READ)
            except (ConnectionError, OSError):
                return None
            if not data:
                return None
            self._on_bytes(len(data))
            self._buffer += data


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not ({"method", "id"} & message.keys()):
        return None
    return message
