"""Conversations: a real repository, the real demo agent in a sandbox, the runner in process."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents.conversation_tables import Conversation
from apps.agents.runner import talking
from apps.boards.models import Card, Column
from apps.core.actors import Actor
from apps.projects.models import Project, ProjectSettings
from tests import factories
from tests.agents.conftest import PATIENCE
from tests.people import ClientOf

SYSTEM = Actor.system("tests")


@pytest.fixture
def talkative(real_project: Project) -> Project:
    """Ada's real project, whose agent is the demo agent."""
    ProjectSettings.objects.filter(project=real_project).update(default_agent="demo")
    return real_project


@pytest.fixture
def deferred(talkative: Project, columns: dict[str, Column]) -> Card:
    """A card nobody works on yet."""
    return factories.Card.create(
        column=columns["backlog"],
        title="Explain the engine",
        prompt="Extend the README.",
        is_deferred=True,
    )


class Talker:
    """A person who talks over REST, in one project."""

    def __init__(self, client: APIClient, project: Project) -> None:
        self.client = client
        self.base = f"/api/v1/projects/{project.public_id}"

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        # As text: half a surrogate can be written in JSON, and in nothing else.
        return self.client.post(
            f"{self.base}/{path}", json.dumps(body or {}), content_type="application/json"
        )

    def get(self, path: str) -> Any:
        return self.client.get(f"{self.base}/{path}")

    def open(self, card: Card) -> str:
        """Opens a pre-session and gives its id."""
        answer = self.post("pre-session", {"cardId": card.public_id})
        assert answer.status_code == 201, answer.json()
        return str(answer.json()["data"]["id"])

    def say(self, session: str, text: str) -> dict[str, Any]:
        """Says something in a pre-session."""
        answer = self.post(f"pre-session/{session}/message", {"content": text})
        assert answer.status_code == 201, answer.json()
        return dict(answer.json()["data"])

    def tell(self, text: str) -> dict[str, Any]:
        """Says something to the assistant."""
        answer = self.post("assistant/message", {"content": text})
        assert answer.status_code == 201, answer.json()
        return dict(answer.json()["data"])


TalkerOf = Callable[[User], Talker]


@pytest.fixture
def talker_of(client_of: ClientOf, talkative: Project) -> TalkerOf:
    """`talker_of(ada).say(…)`."""
    return lambda user: Talker(client_of(user), talkative)


def answer_now() -> Conversation:
    """Runs the one conversation that is in line to its end, as a worker does."""
    row = Conversation.objects.get(activity="queued")
    asyncio.run(talking.run(row.pk))
    return Conversation.objects.get(pk=row.pk)


class Beside:
    """A runner in a thread of its own."""

    def __init__(self) -> None:
        self.row = Conversation.objects.get(activity="queued")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(talking.run(self.row.pk))

    def until(self, what: Callable[[Conversation], bool]) -> Conversation:
        return wait_for(self.row, what)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the runner did not end"


def wait_for(
    row: Conversation, what: Callable[[Conversation], bool], seconds: float = PATIENCE
) -> Conversation:
    """Reads a conversation again and again until it is as wanted."""
    deadline = time.monotonic() + seconds
    while True:
        found = Conversation.objects.get(pk=row.pk)
        if what(found):
            return found
        assert time.monotonic() < deadline, f"still {found.status} {found.activity}"
        time.sleep(0.02)


def speaks(row: Conversation) -> bool:
    """The agent has begun to say something."""
    return row.items.filter(role="assistant").exists()
