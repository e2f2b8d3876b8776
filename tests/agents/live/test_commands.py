from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.accounts import operations as account_operations
from apps.accounts.models import User
from apps.agents.live import commands
from apps.agents.live.shapes import KEYS
from apps.agents.live.socket import BoardSocket
from apps.boards import operations, outputs
from apps.boards.models import Board, Card, Column
from apps.core.models import Event
from tests import factories
from tests.live import Connection, bearer, do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


@pytest.fixture
async def client(ada: User, board: Board) -> AsyncIterator[Connection]:
    """Ada at her board, with the first messages behind her."""
    path = f"/api/v1/ws?boardId={board.public_id}&changes=delta"
    async with Connection(BoardSocket.application, path, bearer(ada)) as found:
        await found.until("state")
        yield found


async def answer(client: Connection, kind: str, payload: Any, **more: Any) -> dict[str, Any]:
    """What a command is answered; events on the way are passed over."""
    await client.say(kind, payload, **more)
    while True:
        message = await client.next()
        if message["type"] in {"ack", "error"}:
            assert "version" not in message
            return message


async def make_card(ada: User, column: Column, title: str = "Card") -> Card:
    return await do(operations.create_card, actor=actor_of(ada), column=column, title=title)


async def test_a_card_is_created_updated_moved_and_deleted(
    client: Connection, board: Board, columns: dict[str, Column]
) -> None:
    backlog, review = columns["backlog"].public_id, columns["review"].public_id
    made = await answer(
        client,
        "create_card",
        {"columnId": backlog, "title": " New ", "description": "Why", "ticketType": "FIX"},
        id="1",
    )
    card = made["payload"]["result"]["card"]
    assert made["payload"] == {"id": "1", "version": 1, "result": {"card": card}}
    assert (card["title"], card["description"], card["ticketType"]) == ("New", "Why", "fix")
    changes = {
        "cardId": card["id"],
        "title": "Newer",
        "description": None,
        "isEnhanced": True,
        "disableAutoCloseOnPRMerge": True,
        "labels": ["a", "b"],
        "priority": "high",
    }
    changed = (await answer(client, "update_card", changes, id="2"))["payload"]["result"]["card"]
    assert {key: changed.get(key) for key in changes if key != "cardId"} == {
        **{key: value for key, value in changes.items() if key != "cardId"},
        "description": None,
    }
    moved = await answer(
        client, "move_card", {"cardId": card["id"], "toColumnId": review, "toIndex": 0}, id="3"
    )
    assert moved["payload"]["result"]["card"]["columnId"] == review
    gone = await answer(client, "delete_card", {"cardId": card["id"]}, id="4")
    assert gone["payload"]["result"] == {"cardId": card["id"]}
    assert await do(Card.objects.count) == 0
    rows = Event.objects.order_by("version")
    heard = [event.kind for event in await do(lambda: list(rows))]
    assert heard == ["card.created", "card.updated", "card.moved", "card.deleted"]


async def test_get_state_gives_the_board_and_ping_a_pong(client: Connection, board: Board) -> None:
    await client.say("get_state", id=5)
    state, ack = await client.until("ack")
    assert (state["type"], state["payload"]) == ("state", await do(outputs.board_state, board))
    assert ack["payload"] == {"id": 5, "version": 0, "result": {}}
    await client.say("ping")
    pong = await client.next()
    assert (pong["type"], set(pong["payload"])) == ("pong", {"ts"})
    await client.say("pong")
    assert await client.silent()


async def test_a_repeated_id_is_answered_again_and_not_executed_again(
    client: Connection, columns: dict[str, Column]
) -> None:
    payload = {"columnId": columns["backlog"].public_id, "title": "Once"}
    first = await answer(client, "create_card", payload, id="same")
    second = await answer(client, "create_card", payload, id="same")
    assert first["payload"] == second["payload"]
    assert await do(Card.objects.count) == 1
    refused = [await answer(client, "create_card", {}, id="bad") for _ in range(2)]
    assert refused[0]["payload"] == refused[1]["payload"]


@pytest.mark.parametrize(
    ("kind", "payload", "code", "status"),
    [
        ("create_card", {}, "VALIDATION_ERROR", 400),
        ("create_card", [], "VALIDATION_ERROR", 400),
        ("create_card", {"columnId": "col_1", "title": "x"}, "VALIDATION_ERROR", 400),
        (
            "create_card",
            {"columnId": "col_01h455vb4pex5vsknk084sn02q", "title": "x"},
            "NOT_FOUND",
            404,
        ),
        ("delete_card", {"cardId": "card_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND", 404),
        ("move_card", {"cardId": 7}, "VALIDATION_ERROR", 400),
        ("fly", {}, "VALIDATION_ERROR", 400),
        ("watch", {"attemptId": "sess_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND", 404),
        ("watch", {"attemptId": "x", "sinceSeq": -1}, "VALIDATION_ERROR", 400),
        ("unwatch", {}, "VALIDATION_ERROR", 400),
    ],
)
async def test_a_wrong_command_is_answered_with_its_problem(
    client: Connection, kind: str, payload: Any, code: str, status: int
) -> None:
    error = await answer(client, kind, payload, id=3)
    assert error["type"] == "error"
    assert set(error["payload"]) - {"errors"} == KEYS["error"]
    assert (error["payload"]["id"], error["payload"]["code"]) == (3, code)
    assert error["payload"]["status"] == status
    assert await do(Event.objects.count) == 0


@pytest.mark.parametrize("wrong", [{}, [], True, 1.5, "x" * 201])
async def test_an_id_must_be_short_and_plain(client: Connection, wrong: Any) -> None:
    error = await answer(client, "get_state", {}, id=wrong)
    assert error["payload"]["code"] == "VALIDATION_ERROR"


async def test_a_card_of_another_board_is_out_of_reach(
    client: Connection, ada: User, bob: User
) -> None:
    other = await do(factories.BoardWithColumns.create)
    column = await do(other.columns.first)
    assert column is not None
    card = await do(factories.Card.create, column=column)
    for kind, payload in (
        ("update_card", {"cardId": card.public_id, "title": "Mine"}),
        ("delete_card", {"cardId": card.public_id}),
        ("create_card", {"columnId": column.public_id, "title": "Mine"}),
    ):
        assert (await answer(client, kind, payload))["payload"]["code"] == "NOT_FOUND"
    assert await do(Event.objects.count) == 0


async def test_an_old_version_is_stale_when_somebody_changed_the_card(
    client: Connection, ada: User, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["backlog"])
    other = await make_card(ada, columns["backlog"], "Other")
    change = {"cardId": card.public_id, "title": "Mine"}
    fine = await answer(client, "update_card", change, expectedVersion=1)
    assert fine["type"] == "ack"
    stale = await answer(client, "update_card", {**change, "title": "Old"}, expectedVersion=1, id=1)
    assert stale["payload"]["code"] == "STALE"
    assert stale["payload"]["status"] == 412
    assert stale["payload"]["current"]["title"] == "Mine"
    gone = await answer(client, "delete_card", {"cardId": card.public_id}, expectedVersion=1)
    assert gone["payload"]["code"] == "STALE"
    fresh = await answer(
        client, "update_card", {"cardId": other.public_id, "title": "New"}, expectedVersion=3
    )
    assert fresh["type"] == "ack"


async def test_what_an_agent_shows_on_a_card_makes_nobody_s_version_stale(
    client: Connection, ada: User, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["backlog"])
    await do(operations.show_agent, actor=actor_of(ada), card_id=card.pk, live_line="Reading files")
    change = {"cardId": card.public_id, "title": "Mine"}
    assert (await answer(client, "update_card", change, expectedVersion=1))["type"] == "ack"


async def test_a_reading_token_hears_and_changes_nothing(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    issued = await do(
        account_operations.create_token, actor=actor_of(ada), name="Reader", scope="read"
    )
    path = f"/api/v1/ws?boardId={board.public_id}&token={issued.secret}"
    async with Connection(BoardSocket.application, path) as client:
        await client.until("state")
        payload = {"columnId": columns["backlog"].public_id, "title": "No"}
        assert (await answer(client, "create_card", payload))["payload"]["code"] == "FORBIDDEN"
    assert await do(Card.objects.count) == 0


async def test_a_thousand_commands_at_once_are_all_answered_and_most_refused(
    client: Connection, ada: User, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["backlog"])
    await client.until("card_created")
    for number in range(1000):
        change = {"cardId": card.public_id, "title": f"Title {number}"}
        await client.say("update_card", change, id=number)
    answers: dict[int, str] = {}
    while len(answers) < 1000:
        message = await client.next(30)
        if message["type"] in {"ack", "error"}:
            answers[message["payload"]["id"]] = message["payload"].get("code", "done")
    assert sorted(answers) == list(range(1000))
    done = sum(code == "done" for code in answers.values())
    assert set(answers.values()) == {"done", "RATE_LIMITED"}
    assert commands.BURST <= done < 500
    # Who slows down is served again, under the same id.
    again = next(number for number, code in answers.items() if code == "RATE_LIMITED")
    payload = {"cardId": card.public_id, "title": "Last"}
    while (await answer(client, "update_card", payload, id=again))["type"] != "ack":
        pass


# --- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{", "[]", "7", '"x"', "{}", '{"type": 7}', "[" * 100_000])
async def test_three_unreadable_frames_end_the_connection(client: Connection, text: str) -> None:
    for _ in range(2):
        await client.text(text)
        error = await client.next()
        assert (error["type"], error["payload"]["code"]) == ("error", "VALIDATION_ERROR")
    await client.text(text)
    assert await client.raw() == {
        "type": "websocket.close",
        "code": 1003,
        "reason": "Frames must be JSON objects with a type",
    }


async def test_binary_frames_are_unreadable(client: Connection) -> None:
    for _ in range(3):
        await client.received.put({"type": "websocket.receive", "bytes": b'{"type":"ping"}'})
    assert (await client.closing())[0] == 1003
