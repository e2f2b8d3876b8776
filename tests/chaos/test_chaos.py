"""Whatever dies, nobody loses or doubles an event, and every agent comes to an end.

`CHAOS_SECONDS` says for how long things are killed (`make chaos` asks for ten minutes), and
`CHAOS_SEED` makes the luck the same again.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.agents.live.messages import API, BOARD
from apps.core.live.catalogue import Channel
from tests import git_world
from tests.chaos.board import fold
from tests.chaos.followers import Follower, ProjectFollower, SocketFollower, StreamFollower
from tests.chaos.monkey import Monkey
from tests.chaos.people import Person, Team
from tests.ops import running
from tests.state_equation import State

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
SETTLE_SECONDS = 240.0
WAITING = {"waiting_approval", "waiting_input"}
PASSWORD = "a very long walk in the rain"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(SECONDS + 2 * SETTLE_SECONDS + 120)]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[running.Installation]:
    """The product as `make up` starts it, on SQLite, or on PostgreSQL with `DATABASE_URL`."""
    (tmp_path / "roots").mkdir()
    more = {name: os.environ[name] for name in ("DATABASE_URL",) if name in os.environ}
    variables = running.environment(
        tmp_path / "data",
        DJANGO_SETTINGS_MODULE="kanbanai.settings.embedded",
        KANBANAI_PROJECT_ROOTS=str(tmp_path / "roots"),
        KANBANAI_AGENT_SLOTS="2",
        KANBANAI_AGENT_LEASE_SECONDS="5",
        KANBANAI_DEMO_SPEED="5",
        KANBANAI_WEB_PROCESSES="2",
        **more,
    )
    started = running.Installation(variables)
    try:
        started.until_it_runs()
        yield started
    finally:
        started.clean_up()


class Stage:
    """One board on which people and agents work, and everybody who follows it."""

    def __init__(self, installation: running.Installation, person: Person) -> None:
        self.installation = installation
        self.person = person
        self.project = self.board = ""
        self.columns: list[str] = []
        self.base: State = {}
        self.followers: dict[str, Follower] = {}

    @property
    def path(self) -> str:
        return f"projects/{self.project}"

    async def state(self) -> State:
        """The board as the REST interface shows it now."""
        found: State = await self.person.ask("GET", f"{self.path}/boards/{self.board}/state")
        return found

    async def set(self, folder: Path) -> None:
        """This will make the first account, a project, and a client for each channel."""
        ask = self.person.ask
        account = {"email": "ada@example.org", "password": PASSWORD}
        self.person.token = (await ask("POST", "auth/setup", account))["token"]
        body = {"name": "Engine", "path": str(git_world.repository(folder))}
        self.project = (await ask("POST", "projects", body))["id"]
        self.board = (await ask("GET", f"{self.path}/boards"))[0]["id"]
        self.columns = [one["id"] for one in await ask("GET", f"{self.path}/columns")]
        self.base = await self.state()
        origin = f"http://127.0.0.1:{self.installation.port}"
        of_board, token = f"boardId={self.board}", self.person.token
        small, since = f"{of_board}&changes=delta", str(self.base["version"])
        project = ProjectFollower("project", f"{origin}/api/ws", token)
        project.project = self.project
        for one in (
            SocketFollower("socket", f"{origin}/api/v1/ws?{small}", token, since),
            StreamFollower("stream", f"{origin}/api/v1/sse?{small}", token, since),
            SocketFollower("whole", f"{origin}/api/v1/ws?{of_board}&detail=summary", token),
            SocketFollower("dashboard", f"{origin}/api/v1/ws/dashboard?", token),
            StreamFollower("overview", f"{origin}/api/v1/sse", token),
            project,
        ):
            self.followers[one.name] = one

    async def agents_are_over(self) -> bool:
        """True when every agent has ended, or waits for a person.

        Those that wait for an answer keep their slots; where others queue for these, the answer is
        a stop.
        """
        rows = await self.person.ask("GET", f"{self.path}/active-agents")
        statuses = {row["status"] for row in rows}
        if statuses <= WAITING | {"queued"} and "queued" in statuses:
            for row in rows:
                if row["status"] in WAITING:
                    card = f"{self.path}/cards/{row['cardId']}"
                    await self.person.ask("POST", f"{card}/agent/cancel", allow=(404,))
        return statuses <= WAITING

    async def everybody_is_there(self) -> bool:
        """True when every client of the board has heard of its last change."""
        version = (await self.state())["version"]
        found = {self.followers[name].newest for name in ("socket", "stream")}
        shown = self.followers["whole"].latest.get("version")
        return found | {shown} == {version} and not lost(self, API, self.followers["project"])

    async def overviews_are_right(self) -> bool:
        """True when the live overviews show what the REST interface answers."""
        # Moments, and sums by moments, are others each time.
        passing = {"generatedAt", "updatedAt", "timeRange", "meta", "metrics"}

        def lasting(found: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in found.items() if key not in passing}

        answer = lasting(await self.person.ask("GET", "dashboard"))
        return all(
            lasting(self.followers[name].latest) == answer for name in ("dashboard", "overview")
        )

    async def nothing_is_left_on_disk(self) -> bool:
        """True when no agent's worktree is there any more."""
        return not list((self.installation.folder / "worktrees").glob("*/*"))

    def told(self) -> str:
        """What to say when something took too long."""
        return str({one.name: (one.connections, one.newest) for one in self.followers.values()})

    def require_no_trouble(self) -> None:
        """Nobody heard what must not be heard."""
        assert [one.trouble for one in self.followers.values() if one.trouble] == []


@contextlib.asynccontextmanager
async def listening(followers: Iterable[Follower]) -> AsyncIterator[None]:
    """Everybody follows meanwhile."""
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], Awaitable[bool]], seconds: float, stage: Stage) -> None:
    """This will ask again and again until it holds."""
    ends = asyncio.get_running_loop().time() + seconds
    while not await true():
        stage.require_no_trouble()
        assert asyncio.get_running_loop().time() < ends, stage.told()
        await asyncio.sleep(0.5)


async def test_everybody_ends_up_with_what_is_true(
    installation: running.Installation, tmp_path: Path
) -> None:
    say(f"seed {SEED}, {SECONDS:.0f} s")
    stage = Stage(installation, Person(f"http://127.0.0.1:{installation.port}"))
    await stage.set(tmp_path / "roots" / "engine")
    team = Team(stage.person, stage.path, stage.columns, SEED)
    monkey = Monkey(installation, SEED, os.environ.get("DATABASE_URL", ""))
    async with listening(stage.followers.values()):
        await until(lambda: _connected(stage), 30, stage)
        working = asyncio.create_task(team.work())
        await monkey.rage(SECONDS)
        await _put_down(working, team)
        say(f"killed {dict(monkey.killed)}, done {dict(team.done)}, again {stage.person.again}")
        await until(stage.agents_are_over, SETTLE_SECONDS, stage)
        await until(stage.everybody_is_there, SETTLE_SECONDS, stage)
        await until(stage.overviews_are_right, SETTLE_SECONDS, stage)
        final = await stage.state()
    stage.require_no_trouble()
    say(f"{stage.told()}, versions {final['version'] - stage.base['version']}")

    socket, stream = stage.followers["socket"], stage.followers["stream"]
    assert socket.heard == stream.heard
    assert fold(copy.deepcopy(stage.base), socket.heard) == final
    assert fold(copy.deepcopy(stage.base), stream.heard) == final
    assert stage.followers["whole"].latest == final
    assert lost(stage, BOARD, socket) == lost(stage, API, stage.followers["project"]) == set()
    assert {card: final["cards"][card]["title"] for card in team.made} == team.made
    # A process that is killed between a card's commit and its answer's makes it once more.
    assert len(final["cards"]) - len(team.made) <= stage.person.unanswered

    for card in final["cards"]:
        await stage.person.ask("DELETE", f"{stage.path}/cards/{card}?force=true", allow=(404,))
    await until(stage.nothing_is_left_on_disk, SETTLE_SECONDS, stage)
    await stage.person.client.aclose()
    children = list(installation.children())
    assert installation.stop() == 0
    assert running.wait_until_gone(children) == []
    assert _left_behind(installation.folder) == {}


def say(text: str) -> None:
    """What somebody needs to see it again."""
    print(f"chaos: {text}")  # noqa: T201


async def _connected(stage: Stage) -> bool:
    return all(one.connections for one in stage.followers.values()) and bool(
        stage.followers["project"].cursor
    )


async def _put_down(working: asyncio.Task[None], team: Team) -> None:
    """People finish what they have begun; what they were refused is raised here."""
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    await team.doing


def lost(stage: Stage, channel: Channel, follower: Follower) -> set[int]:
    """The versions that had something to say to a channel and were not heard there."""
    since = int(stage.base["version"])
    journal = list(_journal(stage.installation, f"board.{stage.board}", since))
    assert [row[0] for row in journal] == list(range(since + 1, since + 1 + len(journal)))
    said = {version for version, kind, data in journal if channel.messages(kind, data)}
    return said - {one.version for one in follower.heard}


def _journal(
    installation: running.Installation, topic: str, since: int
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The rows of a topic, as the database has them."""
    query = "SELECT version, kind, data FROM core_event WHERE topic = {} AND version > {}"
    url = os.environ.get("DATABASE_URL", "")
    if url:
        with psycopg.connect(url) as connection:
            yield from connection.execute(
                f"{query.format('%s', '%s')} ORDER BY version", (topic, since)
            )
        return
    path = installation.folder / "kanbanai.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for version, kind, data in connection.execute(
            f"{query.format('?', '?')} ORDER BY version", (topic, since)
        ):
            yield version, kind, json.loads(data)


def _left_behind(folder: Path) -> dict[int, str]:
    """Processes that still belong to the installation, by their folder or their environment."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            said = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            where = str((entry / "cwd").readlink())
            if re.search(re.escape(str(folder)).encode(), said) or where.startswith(str(folder)):
                found[pid] = running.command_line(pid)
    return found
