"""Tools for an agent, by the Model Context Protocol: a server as long as a turn, for one agent.

Every agent can start a tool server over pipes, few can reach one over HTTP, and a sandbox may have
no network. So the runner listens on a socket in the agent's home, and the agent starts `bridge`,
which joins its pipes to it. Whoever connects must bring the token that only this agent was given.
"""

import asyncio
import contextlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.agents.adapters import base
from apps.agents.adapters.mcp import bridge

NAME = "kanbanai"
VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
LINE_BYTES = 1024 * 1024
MOST_CALLS = 200
MOST_CONNECTIONS = 8
HELLO_SECONDS = 10.0

_PARSE_ERROR, _INVALID, _NOT_FOUND, _PARAMS = -32700, -32600, -32601, -32602
_BRIDGE = Path(bridge.__file__).resolve()


class Refused(Exception):
    """A call that was not done; the text is for the agent."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool: what an agent reads of it, and what a call does.

    `call` gets the arguments as the agent wrote them, unchecked; it raises Refused.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    call: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
    reads: bool = False

    def shown(self) -> dict[str, Any]:
        """This will be the tool as a list shows it."""
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": dict(self.schema),
            "annotations": {
                "readOnlyHint": self.reads,
                "destructiveHint": False,
                "openWorldHint": False,
            },
        }


class _Wrong(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(kw_only=True)
class ToolServer:
    """Listens in `folder` (the agent's home) from `start` to `close`."""

    tools: Sequence[Tool]
    folder: Path
    instructions: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    calls: int = 0
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def offer(self) -> base.McpServer:
        """This will be the server as a session is told of it."""
        return base.McpServer(
            name=NAME,
            command=sys.executable,
            args=("-I", "-S", str(_BRIDGE), str(self.folder)),
            env={bridge.TOKEN: self.token},
        )

    async def start(self) -> None:
        """This will begin to listen."""
        # A socket's path must be short; a data folder's need not be.
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self._unlink()
            self._server = await asyncio.start_unix_server(
                self._accept, path=f"/proc/self/fd/{folder}/{bridge.SOCKET}", limit=LINE_BYTES
            )
        finally:
            os.close(folder)

    async def close(self) -> None:
        """This will end the server and whoever is connected."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._unlink()

    def _unlink(self) -> None:
        (self.folder / bridge.SOCKET).unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._connections.add(task)
        try:
            if len(self._connections) <= MOST_CONNECTIONS and await self._is_ours(reader):
                await self._serve(reader, writer)
        except (ConnectionError, ValueError, TimeoutError, asyncio.CancelledError):
            # It went away, wrote a line beyond the limit, or the turn is over.
            pass
        finally:
            self._connections.discard(task)
            with contextlib.suppress(OSError):
                writer.close()

    async def _is_ours(self, reader: asyncio.StreamReader) -> bool:
        said = await asyncio.wait_for(reader.readline(), HELLO_SECONDS)
        return hmac.compare_digest(said.rstrip(b"\n"), self.token.encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            answer = await self._answer(line)
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    async def _answer(self, line: bytes) -> dict[str, Any] | None:
        number: Any = None
        try:
            message = _read(line)
            number = message.get("id")
            method, params = message.get("method"), message.get("params")
            if not isinstance(method, str):
                # An answer to something we never ask, or nonsense.
                return None
            result = await self._handle(method, params if isinstance(params, dict) else {})
        except _Wrong as error:
            said = {"error": {"code": error.code, "message": str(error)}}
        else:
            said = {"result": result}
            if number is None:
                return None
        return {"jsonrpc": "2.0", "id": number, **said}

    async def _handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "initialize":
                return self._hello(params)
            case "ping" | "notifications/initialized" | "notifications/cancelled":
                return {}
            case "tools/list":
                return {"tools": [tool.shown() for tool in self.tools]}
            case "tools/call":
                return await self._call(params)
        raise _Wrong(_NOT_FOUND, f"there is no method {method[:100]}")

    def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": NAME, "title": "KanbanAI", "version": "1"},
            **({"instructions": self.instructions} if self.instructions else {}),
        }

    async def _call(self, params: dict[str, Any]) -> dict[str, Any]:
        name, given = params.get("name"), params.get("arguments")
        tool = next((one for one in self.tools if one.name == name), None)
        if tool is None:
            raise _Wrong(_PARAMS, f"there is no tool {str(name)[:100]}")
        self.calls += 1
        if self.calls > MOST_CALLS:
            return _refused(f"No more than {MOST_CALLS} calls in one turn.")
        if given is not None and not isinstance(given, dict):
            return _refused("The arguments must be an object.")
        try:
            found = await tool.call(given or {})
        except Refused as refusal:
            return _refused(str(refusal))
        text = json.dumps(found, ensure_ascii=False)
        return {
            "content": [{"type": "text", "text": text}],
            "structuredContent": found,
            "isError": False,
        }


def _refused(why: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": why}], "isError": True}


def _read(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Wrong(_PARSE_ERROR, "this is not JSON") from error
    if not isinstance(message, dict):
        raise _Wrong(_INVALID, "one message a line is understood")
    return message
