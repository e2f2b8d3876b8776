"""Several web processes behind one port: clients are spread, and the end of one costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.ops import running

CLIENTS = 24
PATIENCE = 30.0
PASSWORD = "a horse, a battery and a staple"


class World:
    """One installation with an account, a board, and the names of its columns."""

    def __init__(self, installation: running.Installation) -> None:
        self.installation = installation
        self.rest = httpx.Client(base_url=self.url(), timeout=PATIENCE)
        account = {"email": "ada@example.org", "password": PASSWORD, "displayName": "Ada"}
        self.token = self._call("POST", "auth/setup", json=account)["token"]
        self.rest.headers["Authorization"] = f"Bearer {self.token}"
        self.project = self._call("POST", "projects/demo", json={})["id"]
        self.board = self._call("GET", f"projects/{self.project}/boards")[0]["id"]
        columns = self._call("GET", f"projects/{self.project}/columns")
        self.column = columns[0]["id"]

    def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = self.rest.request(method, f"/api/v1/{path}", **options)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.installation.port}"

    def create(self, title: str) -> None:
        path = f"projects/{self.project}/cards"
        self._call("POST", path, json={"columnId": self.column, "title": title})

    def ticket(self) -> str:
        found: str = self._call("POST", "realtime/tickets")["ticket"]
        return found

    async def connect(self, query: str = "") -> ClientConnection:
        path = f"/api/v1/ws?boardId={self.board}&changes=delta{query}"
        headers = {} if "ticket" in query else {"Authorization": f"Bearer {self.token}"}
        return await websockets.connect(
            self.url("ws") + path, additional_headers=headers, compression=None, max_size=None
        )

    def web(self) -> dict[int, int]:
        """The web processes, each with the number of connections it holds."""
        return {
            pid: connections(pid, self.installation.port)
            for pid, command in self.installation.children().items()
            if re.search(r"manage\.py serve", command)
        }


def socket_of(entry: Path) -> str:
    """The number of the socket behind a descriptor; empty for everything else."""
    try:
        target = str(entry.readlink())
    except FileNotFoundError:
        return ""
    return target.removeprefix("socket:[").rstrip("]") if target.startswith("socket:[") else ""


def connections(pid: int, port: int) -> int:
    """How many accepted connections of a port a process holds."""
    held = {place for entry in Path(f"/proc/{pid}/fd").iterdir() if (place := socket_of(entry))}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    return len(held & established)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "one").mkdir()
    variables = running.environment(tmp_path / "one" / "data", KANBANAI_WEB_PROCESSES="2")
    installation = running.Installation(variables)
    try:
        installation.until_it_runs()
        installation.until(lambda: listening(installation.port) == 2)
        yield World(installation)
    finally:
        installation.clean_up()


def listening(port: int) -> int:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


async def hear(client: ClientConnection, until: int) -> list[int]:
    """The versions a client hears, up to one of them."""
    found: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while not found or found[-1] < until:
            message = json.loads(await client.recv())
            if message["type"] == "card_created":
                found.append(message["version"])
    return found


async def state_of(client: ClientConnection) -> int:
    """The version of the snapshot a client begins with."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message = json.loads(await client.recv())
            if message["type"] == "state":
                version: int = message["version"]
                return version


async def go_on(world: World, client: ClientConnection, seen: int) -> ClientConnection:
    """Whoever was cut off comes back with its cursor, as clients do; the others stay."""
    try:
        async with asyncio.timeout(0.5):
            while json.loads(await client.recv())["type"] != "card_created":
                """Who is here may be told, and that the connection lives."""
            pytest.fail("nothing had happened yet")
    except TimeoutError:
        return client
    except ConnectionClosed:
        async with asyncio.timeout(PATIENCE):
            while True:
                # Who comes while the process is ending may be sent away by the system itself.
                with contextlib.suppress(OSError, EOFError, InvalidMessage):
                    return await world.connect(f"&since={seen}")


async def test_clients_are_spread_and_nobody_loses_an_event_when_one_process_dies(
    world: World,
) -> None:
    clients = [await world.connect() for _number in range(CLIENTS)]
    (first,) = {await state_of(client) for client in clients}
    spread = world.web()
    assert len(spread) == 2
    assert all(count > 0 for count in spread.values())

    await asyncio.to_thread(world.create, "Before")
    heard = await asyncio.gather(*(hear(client, first + 1) for client in clients))
    assert heard == [[first + 1]] * CLIENTS

    killed = max(spread, key=lambda pid: spread[pid])
    os.kill(killed, signal.SIGKILL)
    assert await asyncio.to_thread(running.wait_until_gone, [killed]) == []
    clients = list(await asyncio.gather(*(go_on(world, one, first + 1) for one in clients)))

    def create_some() -> None:
        for number in range(3):
            world.create(f"After {number}")

    await asyncio.to_thread(create_some)
    heard = await asyncio.gather(*(hear(client, first + 4) for client in clients))
    assert heard == [[first + 2, first + 3, first + 4]] * CLIENTS

    # The lost one comes back and takes its share again.
    await asyncio.to_thread(
        world.installation.until,
        lambda: killed not in world.web() and listening(world.installation.port) == 2,
    )
    later = [await world.connect() for _number in range(CLIENTS)]
    assert all(count > 0 for count in world.web().values())
    for client in [*clients, *later]:
        await client.close()
    assert await asyncio.to_thread(world.installation.stop) == 0


async def test_tickets_and_limits_hold_for_all_processes_together(world: World) -> None:
    """A ticket of one process opens a socket of any other, once."""
    for _number in range(6):
        ticket = await asyncio.to_thread(world.ticket)
        client = await world.connect(f"&ticket={ticket}")
        await state_of(client)
        await client.close()
        again = await world.connect(f"&ticket={ticket}")
        with pytest.raises(ConnectionClosed):
            await state_of(again)
        assert again.close_code == 4001

    def sign_in() -> int:
        # A connection of its own each time, so that either process is asked.
        wrong = {"email": "ada@example.org", "password": "not it"}
        return httpx.post(
            f"{world.url()}/api/v1/auth/login", json=wrong, timeout=PATIENCE
        ).status_code

    said = [await asyncio.to_thread(sign_in) for _number in range(40)]
    assert 429 in said
    limit = said.index(429)
    assert said == [401] * limit + [429] * (40 - limit)


def test_a_port_that_several_processes_share_is_in_use(world: World, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    port = str(world.installation.port)
    for processes in ("1", "2"):
        variables = running.environment(
            tmp_path / "two" / "data", KANBANAI_PORT=port, KANBANAI_WEB_PROCESSES=processes
        )
        done = subprocess.run(
            running.manage("up"), env=variables, capture_output=True, text=True, check=False
        )
        said = f"Port {port} on 127.0.0.1 is in use; set KANBANAI_PORT to a free one.\n"
        assert (done.returncode, done.stderr) == (1, said)
