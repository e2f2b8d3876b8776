"""Clients of every channel that come back when they are thrown out, and keep what they heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets

PAUSE_SECONDS = 0.2
# Longer than the server's pings and heartbeats: a connection silent for so long is dead.
SILENCE_SECONDS = 35.0
WHOLE = 1 << 30
STATES = {"hello", "state", "heartbeat", "pong"}


class Wrong(AssertionError):
    """A client heard what it must not hear."""


@dataclass(frozen=True)
class Heard:
    """One message of the journal: its version, its part of that version, what it says."""

    version: int
    part: int
    type: str
    payload: Any = field(compare=False)


@dataclass
class Follower:
    """A client of one address; `cursor` is where it goes on after it was thrown out."""

    name: str
    address: str
    token: str
    cursor: str = ""
    heard: list[Heard] = field(default_factory=list)
    latest: dict[str, Any] = field(default_factory=dict)
    connections: int = 0
    trouble: str = ""

    async def follow(self) -> None:
        """This will listen until it is cancelled, or hears something wrong."""
        try:
            await self._come_back_again_and_again()
        except Wrong as wrong:
            self.trouble = str(wrong)

    async def _come_back_again_and_again(self) -> None:
        while True:
            # Every way in which a killed server shows: refused, reset, cut off, 503, silence.
            with contextlib.suppress(
                OSError, TimeoutError, websockets.WebSocketException, httpx.HTTPError, EOFError
            ):
                async for kind, cursor, payload in self._messages():
                    self._take(kind, cursor, payload)
            await asyncio.sleep(PAUSE_SECONDS)

    def _messages(self) -> AsyncIterator[tuple[str, str, Any]]:
        raise NotImplementedError

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _take(self, kind: str, cursor: str, payload: Any) -> None:
        if kind == "resync":
            raise Wrong(f"{self.name} was told that events are gone")
        if kind in {"state", "dashboard_overview"}:
            self.latest = payload
        if not cursor or kind in STATES:
            return
        version, _, part = cursor.rpartition(":")[2].partition(".")
        heard = Heard(int(version), int(part) if part else WHOLE, kind, payload)
        if self.heard and not _follows(self.heard[-1], heard):
            raise Wrong(f"{self.name}: {heard} after {self.heard[-1]}")
        self.heard.append(heard)
        self.cursor = cursor

    @property
    def newest(self) -> int:
        """The last version of which everything was heard."""
        if not self.heard:
            return 0
        last = self.heard[-1]
        return last.version if last.part == WHOLE else last.version - 1


def _follows(before: Heard, after: Heard) -> bool:
    return (after.version, after.part) > (before.version, before.part)


class SocketFollower(Follower):
    """`{type, payload, version, cursor?}` over a WebSocket."""

    async def _messages(self) -> AsyncIterator[tuple[str, str, Any]]:
        since = f"&since={self.cursor}" if self.cursor else ""
        url = f"ws{self.address.removeprefix('http')}{since}"
        async with websockets.connect(
            url, additional_headers=self.headers, max_size=None, open_timeout=10, close_timeout=1
        ) as socket:
            self.connections += 1
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = json.loads(await socket.recv())
                cursor = message.get("cursor") or str(message.get("version", ""))
                yield message["type"], cursor, message["payload"]


class StreamFollower(Follower):
    """`id:`, `event:`, `data:` over HTTP."""

    async def _messages(self) -> AsyncIterator[tuple[str, str, Any]]:
        headers = {**self.headers, "Accept": "text/event-stream"}
        if self.cursor:
            headers["Last-Event-ID"] = self.cursor
        timeout = httpx.Timeout(10, read=SILENCE_SECONDS)
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("GET", self.address, headers=headers) as answer,
        ):
            answer.raise_for_status()
            self.connections += 1
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                    fields = {}


class ProjectFollower(Follower):
    """`{type, data, version}` over a WebSocket, for one subscribed project and all its topics.

    The version names every topic, as `topic:version[.part]`; each message brings one of them on.
    """

    project: str = ""

    async def _messages(self) -> AsyncIterator[tuple[str, str, Any]]:
        url = f"ws{self.address.removeprefix('http')}"
        async with websockets.connect(
            url, additional_headers=self.headers, max_size=None, open_timeout=10, close_timeout=1
        ) as socket:
            payload = {"projectId": self.project, **({"since": self.cursor} if self.cursor else {})}
            await socket.send(json.dumps({"type": "subscribe", "payload": payload}))
            self.connections += 1
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = json.loads(await socket.recv())
                if message["type"] == "error":
                    raise Wrong(f"{self.name}: {message}")
                if message["type"] == "subscribed" and not self.cursor:
                    self.cursor = message["data"]["version"]
                yield message["type"], message.get("version", ""), message["data"]

    def _take(self, kind: str, cursor: str, payload: Any) -> None:
        if kind == "resync":
            raise Wrong(f"{self.name} was told that events are gone")
        # What is heard without a subscription has a place of its own.
        if self.project not in cursor:
            return
        before, after = _places(self.cursor), _places(cursor)
        moved = [topic for topic in after if after[topic] != before.get(topic, (0, WHOLE))]
        if len(moved) != 1 or after[moved[0]] < before.get(moved[0], (0, WHOLE)):
            raise Wrong(f"{self.name}: {cursor} after {self.cursor}")
        version, part = after[moved[0]]
        if moved[0].startswith("board_"):
            self.heard.append(Heard(version, part, kind, payload))
        self.cursor = cursor

    @property
    def newest(self) -> int:
        """The last version of the board of which everything was heard."""
        boards = [place for topic, place in _places(self.cursor).items() if topic[:6] == "board_"]
        return max(
            (version if part == WHOLE else version - 1 for version, part in boards), default=0
        )


def _places(cursor: str) -> dict[str, tuple[int, int]]:
    found = {}
    for one in filter(None, cursor.split(",")):
        topic, _, place = one.rpartition(":")
        version, _, part = place.partition(".")
        found[topic] = (int(version), int(part) if part else WHOLE)
    return found
