"""Calling the tools a client offers: the Model Context Protocol over the pipes of a program."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

_VERSION = "2025-06-18"
_LONGEST_LINE = 4 * 1024 * 1024
_PATIENCE = 20.0


class NoTools(Exception):
    """There is no server, or it does not answer."""


class Tools:
    """A tool server under way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._number = 0

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
        """This will call a tool: whether it worked, and what it said.

        Raises:
            NoTools: when the server does not answer, or knows no such tool.
        """
        result = await self.request("tools/call", {"name": name, "arguments": arguments})
        texts = [str(part.get("text", "")) for part in result.get("content") or []]
        return not result.get("isError"), "\n".join(texts)

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """This will ask the server and wait for its answer."""
        self._number += 1
        number = self._number
        self.send({"id": number, "method": method, "params": params})
        assert self._process.stdout is not None  # noqa: S101
        while True:
            try:
                line = await asyncio.wait_for(self._process.stdout.readline(), _PATIENCE)
            except TimeoutError as error:
                raise NoTools("the tools do not answer") from error
            if not line:
                raise NoTools("the tools have gone")
            message = json.loads(line)
            if message.get("id") != number:
                continue
            if "error" in message:
                raise NoTools(str(message["error"].get("message", "refused")))
            result = message.get("result")
            return result if isinstance(result, dict) else {}

    def send(self, message: dict[str, Any]) -> None:
        """This will write one message."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


@contextlib.asynccontextmanager
async def connected(servers: list[dict[str, Any]]) -> AsyncIterator[Tools]:
    """This will start the first server that is a program, and end it afterwards.

    Raises:
        NoTools: when there is none.
    """
    server = next((one for one in servers if one.get("command")), None)
    if server is None:
        raise NoTools("I was given no tools")
    env = {str(pair["name"]): str(pair["value"]) for pair in server.get("env") or []}
    process = await asyncio.create_subprocess_exec(
        str(server["command"]),
        *(str(word) for word in server.get("args") or []),
        env={**os.environ, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    try:
        tools = Tools(process)
        await tools.request(
            "initialize",
            {
                "protocolVersion": _VERSION,
                "capabilities": {},
                "clientInfo": {"name": "kanbanai-demo", "version": "1.0"},
            },
        )
        tools.send({"method": "notifications/initialized"})
        yield tools
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
