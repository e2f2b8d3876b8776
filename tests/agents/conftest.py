"""Agents at work: a real repository, the real demo agent, and the runner in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.agents import operations
from apps.agents.models import Attempt
from apps.agents.runner import work
from apps.boards.models import Board, Card, Column
from apps.core.actors import Actor
from apps.projects.models import Project
from tests import factories
from tests.people import actor_of

RunAttempt = Callable[[Attempt], Attempt]
MakeCard = Callable[..., Card]
# For a machine so busy that a worker needs half a minute to start.
PATIENCE = 120.0


@pytest.fixture(autouse=True)
def quick_agents(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short leases, a data folder for each test, and a demo agent that does not dawdle."""
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    settings.KANBANAI_AGENT_LEASE_SECONDS = 3
    settings.KANBANAI_PERMISSION_WAIT_SECONDS = 20
    settings.KANBANAI_SUMMARY_WAIT_SECONDS = 0
    monkeypatch.setenv("KANBANAI_DEMO_SPEED", "50")


@pytest.fixture
def make_card(real_project: Project, board: Board, columns: dict[str, Column]) -> MakeCard:
    """A card of the real project, in the backlog unless another column's key is given."""

    def make(prompt: str = "@say Done.", *, title: str = "Note", column: str = "backlog") -> Card:
        return factories.Card.create(column=columns[column], title=title, prompt=prompt)

    return make


@pytest.fixture
def system() -> Actor:
    """The product itself."""
    return Actor.system("tests")


@pytest.fixture
def ada_starts(transactional_db: None) -> Callable[..., Attempt]:
    """Starts the demo agent on a card as its project's owner."""

    def start(card: Card, *, agent: str = "demo", base_branch: str = "") -> Attempt:
        return operations.start_attempt(
            actor=actor_of(card.project.owner), card=card, agent=agent, base_branch=base_branch
        )

    return start


@pytest.fixture
def run_attempt(transactional_db: None) -> RunAttempt:
    """Runs a claimed turn to its end, as a worker's process does, and gives the attempt."""

    def run(attempt: Attempt) -> Attempt:
        asyncio.run(work.run(attempt.pk))
        attempt.refresh_from_db()
        return attempt

    return run


class Background:
    """A runner in a thread of its own, for tests that do something meanwhile."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(work.run(self._attempt.pk))

    def until(self, what: Callable[[Attempt], bool], seconds: float = PATIENCE) -> Attempt:
        """This will wait until the attempt is as wanted."""
        return wait_for(self._attempt, what, seconds)

    def join(self, seconds: float = PATIENCE) -> Attempt:
        """This will wait for the end of the run."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the runner did not end"
        self._attempt.refresh_from_db()
        return self._attempt


RunBeside = Callable[[Attempt], Background]


def wait_for(
    attempt: Attempt, what: Callable[[Attempt], bool], seconds: float = PATIENCE
) -> Attempt:
    """This will read an attempt again and again until it is as wanted."""
    deadline = time.monotonic() + seconds
    while True:
        found = Attempt.objects.get(pk=attempt.pk)
        if what(found):
            return found
        assert time.monotonic() < deadline, f"still {found.status} {found.reason} {found.detail}"
        time.sleep(0.02)


@pytest.fixture
def run_beside(transactional_db: None) -> RunBeside:
    """Runs a claimed turn in a thread."""
    return Background
