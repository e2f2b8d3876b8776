"""What `/api/ws` says of conversations, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.accounts.models import User
from apps.agents import operations
from apps.agents.conversation_tables import Conversation
from apps.agents.live.api_shapes import API_KEYS
from apps.agents.live.api_socket import ApiSocket
from apps.agents.runner import talking
from apps.boards.models import Card, Column
from apps.projects.models import Project
from tests.live import Connection, bearer, do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


async def subscribed(client: Connection, project: Project) -> None:
    await client.say("subscribe", {"projectId": project.public_id})
    assert (await client.next())["type"] == "subscribed"


async def heard_until(client: Connection, last: str) -> list[dict[str, Any]]:
    """Everything up to the message whose type and status are `last`."""
    heard: list[dict[str, Any]] = []
    while not heard or [heard[-1]["type"], heard[-1]["data"].get("activity")] != last.split():
        heard.append(await client.next())
    for message in heard:
        required, optional = API_KEYS[message["type"]]
        assert set(message["data"]) - optional == required
    return heard


async def answer() -> None:
    row = await Conversation.objects.aget(activity="queued")
    await talking.run(row.pk)


async def test_an_assistant_is_heard_by_its_person_alone(
    ada: User, bob: User, talkative: Project, columns: dict[str, Column]
) -> None:
    mine = Connection(ApiSocket.application, "/api/ws", bearer(ada))
    other = Connection(ApiSocket.application, "/api/ws", bearer(bob))
    async with mine as client, other as bystander:
        await subscribed(bystander, talkative)
        await do(
            operations.say_to_assistant,
            actor=actor_of(ada),
            project=talkative,
            text='@call create_card {"title": "Oil"}',
        )
        await answer()

        heard = await heard_until(client, "assistant.status idle")

        words = [one["data"]["content"] for one in heard if one["type"] == "assistant.message"]
        assert words[0].startswith("@call create_card")
        assert words[-1].endswith("“Oil” in Backlog.")
        statuses = [one["data"]["status"] for one in heard if one["type"] == "assistant.status"]
        assert statuses == ["running", "running", "idle"]
        # All bob hears is the card.
        assert (await bystander.next())["type"] == "card.created"
        await bystander.say("ping")
        assert (await bystander.next())["type"] == "pong"


async def test_a_pre_session_is_heard_by_its_project(
    ada: User, bob: User, talkative: Project, deferred: Card
) -> None:
    async with Connection(ApiSocket.application, "/api/ws", bearer(bob)) as client:
        await subscribed(client, talkative)
        row = await do(operations.open_presession, actor=actor_of(ada), card=deferred)
        await do(operations.say, actor=actor_of(ada), conversation=row, text="@say So be it.")
        await answer()

        heard = await heard_until(client, "preSession.status idle")
        heard += await heard_until(client, "preSession.status idle")

        assert {one["data"]["sessionId"] for one in heard} == {row.public_id}
        said = [one["data"]["content"] for one in heard if one["type"] == "preSession.message"]
        assert said[0] == "@say So be it."
        assert said[-1] == "So be it."
        streamed = [one["data"]["delta"] for one in heard if one["type"] == "preSession.delta"]
        assert "".join(streamed) == "So be it."
