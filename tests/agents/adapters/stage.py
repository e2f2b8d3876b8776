"""A real repository with a worktree, a sink that remembers, and the demo agent to play."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from apps.agents.adapters import base, events, presets
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice

Found = TypeVar("Found", bound=events.Event)

PATIENCE = 20.0


@dataclass(frozen=True, kw_only=True)
class World:
    repository: Path
    worktree: Path
    home: Path
    attempt_id: str

    @property
    def git_dir(self) -> Path:
        return self.repository / ".git"

    def status(self) -> str:
        return git(self.worktree, "status", "--short", "--untracked-files=all")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.test", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def make_world(folder: Path) -> World:
    repository, worktree = folder / "repository", folder / "worktrees" / "one"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    (repository / "readme.md").write_text("# Example\n")
    git(repository, "add", "readme.md")
    git(repository, "commit", "-q", "-m", "Begin")
    worktree.parent.mkdir()
    git(repository, "worktree", "add", "-q", "-b", "feat/one", str(worktree))
    return World(
        repository=repository,
        worktree=worktree,
        home=folder / "homes" / "one",
        attempt_id=f"sess_{uuid.uuid4().hex}",
    )


def allow(request: events.Request) -> base.Decision:
    return base.Decision.allow(request)


def reject(request: events.Request) -> base.Decision:
    return base.Decision.reject(request)


@dataclass
class Recorder:
    """A sink that keeps everything and decides as it is told."""

    decide: Callable[[events.Request], base.Decision] = allow
    told: list[events.Event] = field(default_factory=list)
    asked: list[events.Request] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def emit(self, event: events.Event) -> None:
        self.told.append(event)
        self._news.set()

    async def ask(self, request: events.Request) -> base.Decision:
        self.asked.append(request)
        return self.decide(request)

    def of(self, kind: type[Found]) -> list[Found]:
        return [event for event in self.told if isinstance(event, kind)]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def texts(self) -> list[str]:
        return [event.text for event in self.of(events.Message) if event.done]

    def tools(self) -> dict[str, events.Tool]:
        """The last word on each tool, by title."""
        return {event.title: event for event in self.of(events.Tool)}


class Undecided(Recorder):
    """A sink whose people never come."""

    async def ask(self, request: events.Request) -> base.Decision:
        self.asked.append(request)
        self._news.set()
        await asyncio.Event().wait()
        raise AssertionError


def demo_spec(world: World, **fields: Any) -> base.SessionSpec:
    values: dict[str, Any] = {
        "attempt_id": world.attempt_id,
        "cwd": world.worktree,
        "home": world.home,
        "git_dir": world.git_dir,
        "command": presets.DEMO.command,
        "env": {"KANBANAI_DEMO_SPEED": "100"},
        "limits": base.Limits(start=PATIENCE, cancel=2.0, eof=0.5, terminate=0.5),
    }
    return base.SessionSpec(**(values | fields))


def python_agent(code: str) -> tuple[str, ...]:
    """An agent of a few lines, for what the demo agent is too well-behaved to do."""
    return (sys.executable, "-I", "-S", "-c", code)


def levels() -> list[sandboxes.Level]:
    """The levels that work on this machine."""
    found = [sandboxes.Level.NONE]
    for level in (sandboxes.Level.LANDLOCK, sandboxes.Level.BUBBLEWRAP):
        try:
            choice.find(level)
        except choice.Unavailable:
            continue
        found.append(level)
    return found


async def play(
    world: World, prompt: Sequence[base.Block] | str, *, sink: Recorder | None = None, **fields: Any
) -> tuple[base.TurnResult, Recorder]:
    """Run one turn of the demo agent."""
    sink = sink or Recorder()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(demo_spec(world, **fields))
        result = await adapter.prompt(prompt)
    return result, sink


async def within(seconds: float, awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(seconds):
        return await awaitable
