"""The state equation of `/api/ws`: REST before, with what was said since, is REST after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.agents import events as agent_events
from apps.agents.live.api_shapes import API_KEYS
from apps.agents.live.api_socket import ApiSocket
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.core.actors import Actor
from apps.projects import operations as project_operations
from apps.projects.models import Project
from tests import factories
from tests.live import Connection, bearer, do, hub
from tests.people import ClientOf, actor_of

pytestmark = pytest.mark.django_db(transaction=True)

State = dict[str, Any]


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def apply(state: State, kind: str, data: dict[str, Any]) -> None:
    """What a client does with a message: it knows the names and the shapes of REST, no more."""
    noun, _, done = kind.partition(".")
    row = {key: value for key, value in data.items() if key not in MORE.get(kind, ())}
    if kind == "project.updated":
        state["project"] |= {key: value for key, value in row.items() if key in state["project"]}
    elif kind == "members.changed":
        others = [one for one in state["members"] if one["email"] != row["member"]["email"]]
        gone = row["change"] in {"removed", "uninvited"}
        state["members"] = others if gone else [*others, row["member"]]
    elif noun == "script":
        state["scripts"] = row["scripts"]
    elif done == "reordered":
        listed = row[f"{noun}s"]
        known = {one["id"] for one in listed}
        state[f"{noun}s"] = [one for one in state[f"{noun}s"] if one["id"] not in known] + listed
    else:
        rows(state[f"{noun}s"], noun, done, row)


def rows(listed: list[dict[str, Any]], noun: str, done: str, row: dict[str, Any]) -> None:
    """Rows with positions among their siblings."""
    of = {"card": "columnId", "column": "boardId", "board": "projectId"}[noun]
    old = next((one for one in listed if one["id"] == row["id"]), None)
    if done == "updated":
        assert old is not None
        listed[listed.index(old)] = row
        return
    if old is not None:
        listed.remove(old)
    if done != "deleted":
        for one in listed:
            if one[of] == row[of] and one["position"] >= row["position"]:
                one["position"] += 1
        listed.append(row)
    for parent in {one[of] for one in listed}:
        siblings = sorted((one for one in listed if one[of] == parent), key=place)
        for position, one in enumerate(siblings):
            one["position"] = position


def place(row: dict[str, Any]) -> int:
    return int(row["position"])


# What a message carries beside the row.
MORE = {
    "card.updated": {"changes"},
    "card.moved": {"fromColumnId", "fromBoardId"},
    "column.created": {"projectId"},
    "column.updated": {"projectId"},
}


def read(client: Any, project: Project) -> tuple[State, dict[str, Any]]:
    """What REST lists of a project, in no order but that of ids; and where a stream goes on."""
    address = f"/api/projects/{project.public_id}"
    boards = client.get(f"{address}/boards").json()
    state = {
        "boards": boards["data"],
        "columns": client.get(f"{address}/columns").json()["data"],
        "cards": client.get(f"{address}/cards").json()["data"],
        "members": client.get(f"{address}/members").json()["data"],
        "scripts": client.get(f"{address}/scripts").json()["data"],
        "project": client.get(address).json()["data"],
    }
    for name in ("boards", "columns", "cards"):
        state[name].sort(key=lambda row: row["id"])
    state["members"].sort(key=lambda row: row["email"])
    return state, boards["meta"]


def settled(state: State) -> State:
    for name in ("boards", "columns", "cards"):
        state[name].sort(key=lambda row: row["id"])
    state["members"].sort(key=lambda row: row["email"])
    return state


def much_happens(ada: User, bob: User, project: Project, columns: dict[str, Column]) -> None:
    actor = actor_of(ada)
    backlog, review = columns["backlog"], columns["review"]
    cards = [
        operations.create_card(actor=actor, column=backlog, title=f"Card {number}")
        for number in range(4)
    ]
    board = operations.create_board(actor=actor, project=project, name="Second")
    far = board.columns.order_by("rank").first()
    assert far is not None
    operations.create_card(actor=actor, column=far, title="Far")
    operations.update_card(
        actor=actor, card=cards[0], changes={"title": "Other", "labels": ["a"], "prompt": "Do."}
    )
    operations.set_dependencies(actor=actor, card=cards[1], depends_on=[cards[2].pk])
    operations.update_card(actor=actor, card=cards[0], changes={}, assignees=[ada.pk])
    operations.move_card(actor=actor, card=cards[3], column_id=review.pk, position=0)
    operations.move_card(actor=actor, card=cards[2], column_id=backlog.pk, position=0)
    operations.delete_card(actor=actor, card=cards[1])
    made = operations.create_column(
        actor=actor, board=backlog.board, name="QA", column_type="active"
    )
    operations.update_column(actor=actor, column=made, changes={"name": "Checks"})
    ordered = [column.pk for column in backlog.board.columns.order_by("-rank")]
    operations.reorder_columns(actor=actor, board=backlog.board, column_ids=ordered)
    operations.delete_column(actor=actor, column=columns["done"])
    operations.rename_board(actor=actor, board=board, name="Renamed")
    operations.reorder_boards(actor=actor, project=project, board_ids=[board.pk, backlog.board_id])
    third = operations.create_board(actor=actor, project=project, name="Third")
    operations.delete_board(actor=actor, board=third)
    project_operations.update_project(actor=actor, project=project, changes={"name": "Machine"})


async def test_what_rest_listed_with_the_messages_applied_is_what_rest_lists(
    ada: User,
    bob: User,
    project: Project,
    board: Board,
    columns: dict[str, Column],
    client_of: ClientOf,
) -> None:
    rest = client_of(ada)
    state, meta = await do(read, rest, project)
    await do(much_happens, ada, bob, project, columns)
    async with Connection(ApiSocket.application, "/api/ws", bearer(ada)) as client:
        # The meta of a list says where to go on: nothing falls between the two.
        await client.say("subscribe", {"projectId": project.public_id, "since": meta})
        assert (await client.next())["type"] == "subscribed"
        heard = await client.until("project.updated")
        said = {message["type"] for message in heard}
        for message in heard:
            required, optional = API_KEYS[message["type"]]
            assert set(message["data"]) - optional == required, message["type"]
            apply(state, message["type"], message["data"])
        assert said >= {
            *(f"card.{done}" for done in ("created", "updated", "moved", "deleted")),
            *(f"column.{done}" for done in ("created", "updated", "deleted", "reordered")),
            *(f"board.{done}" for done in ("created", "updated", "deleted", "reordered")),
        }
        after, _meta = await do(read, rest, project)
        gone = {row["id"] for row in after["boards"]}
        state["columns"] = [row for row in state["columns"] if row["boardId"] in gone]
        state["cards"] = [row for row in state["cards"] if row["boardId"] in gone]
        for name, listed in settled(state).items():
            if name != "project":
                assert listed == after[name], name
        assert state["project"]["name"] == after["project"]["name"] == "Machine"


async def test_messages_of_an_agent_are_those_of_the_message_list(
    ada: User, project: Project, columns: dict[str, Column], client_of: ClientOf
) -> None:
    card = await do(
        operations.create_card, actor=actor_of(ada), column=columns["review"], title="Card"
    )
    attempt = await do(factories.Attempt.create, card=card, running=True)
    items = [await do(factories.Item.create, attempt=attempt) for _ in range(3)]

    def converse() -> None:
        with transaction.atomic():
            agent_events.attempt_conversed(attempt, items, actor=Actor.system("test"))
            agent_events.attempt_status_changed(attempt, actor=Actor.system("test"))

    async with Connection(ApiSocket.application, "/api/ws", bearer(ada)) as client:
        await client.say("subscribe", {"projectId": project.public_id})
        await client.next()
        await do(converse)
        said = [(await client.next())["data"] for _ in range(3)]
        status = await client.next()

    def listed() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        address = f"/api/projects/{project.public_id}/cards/{card.public_id}"
        rest = client_of(ada)
        return (
            rest.get(f"{address}/agent/messages").json()["data"],
            rest.get(f"{address}/agent/sessions").json()["data"][0],
        )

    messages, session = await do(listed)
    # When it was said, and when it was written, differ by as long as a batch takes.
    for one in (*said, *messages):
        one.pop("createdAt")
    assert [{key: one[key] for key in messages[0]} for one in said] == messages
    assert status["type"] == "agent.status"
    assert (status["data"]["sessionId"], status["data"]["status"]) == (
        session["id"],
        session["status"],
    )
