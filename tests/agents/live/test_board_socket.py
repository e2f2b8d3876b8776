from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.agents import events as agent_events
from apps.agents.live import stream
from apps.agents.live.shapes import KEYS
from apps.agents.live.socket import BoardSocket
from apps.agents.models import AttemptLog
from apps.boards import operations, outputs
from apps.boards.models import Board, Card, Column
from apps.core import events, publishing
from apps.core.actors import Actor
from apps.core.live.frames import dumps
from apps.core.models import Event, Topic
from tests import factories
from tests.live import Connection, bearer, do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEM = Actor.system("test")


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def connect(board: Board, user: User | None, query: str = "changes=delta") -> Connection:
    headers = bearer(user) if user is not None else {}
    path = f"/api/v1/ws?boardId={board.public_id}&{query}"
    return Connection(BoardSocket.application, path, headers)


async def begun(client: Connection) -> dict[str, Any]:
    """The snapshot a client is shown first."""
    hello, state = await client.until("state")
    assert hello["type"] == "hello"
    payload: dict[str, Any] = state["payload"]
    return payload


async def make_card(ada: User, column: Column, title: str = "Card") -> Card:
    return await do(operations.create_card, actor=actor_of(ada), column=column, title=title)


# --- the first messages --------------------------------------------------------------------------


async def test_it_says_hello_then_the_board_then_each_attempt_that_is_not_over(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["backlog"])
    running = await do(factories.Attempt.create, card=card, running=True)
    other = await make_card(ada, columns["backlog"], "Other")
    await do(factories.Attempt.create, card=other, succeeded=True)
    async with connect(board, ada) as client:
        first, second, third = [await client.next() for _ in range(3)]
        assert set(first) == {"type", "payload", "at"}
        assert (first["type"], set(first["payload"])) == ("hello", {"serverTime"})
        assert set(second) == {"type", "payload", "version", "at"}
        assert second["payload"] == await do(outputs.board_state, board)
        assert set(second["payload"]) == KEYS["state"]
        assert set(second["payload"]["attempts"]) == {card.public_id, other.public_id}
        assert third["payload"] == {
            "attemptId": running.public_id,
            "cardId": card.public_id,
            "status": "running",
        }
        assert await client.silent()


async def test_a_project_means_its_first_board(ada: User, board: Board) -> None:
    for query in (f"projectId={board.project.public_id}", f"projectId={board.public_id}"):
        async with Connection(
            BoardSocket.application, f"/api/v1/ws?{query}", bearer(ada)
        ) as client:
            assert set((await begun(client))["columns"]) == {
                column.public_id for column in await do(lambda: list(board.columns.all()))
            }


@pytest.mark.parametrize("secret", ["", "Bearer nonsense", "Bearer kbn_nonsense", "Basic abc"])
async def test_bad_credentials_are_accepted_and_then_closed_with_4001(
    board: Board, secret: str
) -> None:
    path = f"/api/v1/ws?boardId={board.public_id}"
    headers = {"Authorization": secret} if secret else {}
    async with Connection(BoardSocket.application, path, headers) as client:
        assert (await client.raw())["type"] == "websocket.accept"
        assert await client.raw() == {
            "type": "websocket.close",
            "code": 4001,
            "reason": "Sign in to continue",
        }


async def test_a_stranger_and_an_unknown_board_are_closed_alike(
    eve: User, ada: User, board: Board
) -> None:
    unknown = "board_01h455vb4pex5vsknk084sn02q"
    for user, board_id in ((eve, board.public_id), (ada, unknown), (ada, "nonsense")):
        path = f"/api/v1/ws?boardId={board_id}"
        async with Connection(BoardSocket.application, path, bearer(user)) as client:
            assert await client.closing() == (1008, "Board not found")


# --- changes -------------------------------------------------------------------------------------


async def test_everyone_hears_a_change_once_the_sender_too(
    ada: User, bob: User, board: Board, columns: dict[str, Column]
) -> None:
    async with connect(board, ada) as first, connect(board, bob) as second:
        await begun(first)
        await begun(second)
        await first.say(
            "create_card", {"columnId": columns["backlog"].public_id, "title": "New"}, id="a"
        )
        ack = (await first.until("ack"))[-1]
        assert set(ack["payload"]) == {"id", "version", "result"}
        assert (ack["payload"]["id"], ack["payload"]["version"]) == ("a", 1)
        heard = await second.next()
        assert set(heard) == {"type", "payload", "version", "at"}
        assert heard["payload"] == {
            "card": ack["payload"]["result"]["card"],
            "columnId": columns["backlog"].public_id,
            "index": 0,
        }
        assert (heard["type"], heard["version"]) == ("card_created", 1)
        assert await second.silent()


async def test_without_small_changes_a_fresh_board_comes_after_a_change(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    async with connect(board, ada, "") as client:
        assert (await begun(client))["cards"] == {}
        card = await make_card(ada, columns["backlog"])
        state = await client.next()
        assert state["type"] == "state"
        assert set(state["payload"]["cards"]) == {card.public_id}


async def test_a_hundred_changes_at_once_are_a_few_fresh_boards(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    async with connect(board, ada, "") as client:
        await begun(client)
        started = time.monotonic()
        for number in range(100):
            await make_card(ada, columns["backlog"], f"Card {number}")
        states = [await client.next()]
        while states[-1]["payload"]["version"] < 100:
            states.append(await client.next())
        assert {message["type"] for message in states} == {"state"}
        # At most ten a second: the first at once, the last when all is over.
        assert len(states) <= min(99, 2 + 10 * (time.monotonic() - started))
        assert len(states[-1]["payload"]["cards"]) == 100
        assert await client.silent()


# --- the state equation --------------------------------------------------------------------------


def apply(state: dict[str, Any], kind: str, payload: dict[str, Any]) -> None:
    """What a client does with a small change; it knows the messages and nothing else."""
    cards, columns = state["cards"], state["columns"]
    if kind in {"card_created", "card_moved", "card_deleted"}:
        card_id = payload.get("cardId") or payload["card"]["id"]
        for column in columns.values():
            if card_id in column["cardIds"]:
                column["cardIds"].remove(card_id)
        cards.pop(card_id, None)
    if kind in {"card_created", "card_moved"}:
        columns[payload["columnId"]]["cardIds"].insert(payload["index"], payload["card"]["id"])
    if "card" in payload:
        cards[payload["card"]["id"]] = payload["card"]
    if kind == "columns_changed":
        state["columnOrder"] = payload["columnOrder"]
        state["columns"] = {
            key: {**column, "cardIds": columns.get(key, {"cardIds": []})["cardIds"]}
            for key, column in payload["columns"].items()
        }
    if kind == "attempt_updated":
        state["attempts"][payload["cardId"]] = payload["attempt"]
    for column in state["columns"].values():
        for position, card_id in enumerate(column["cardIds"]):
            cards[card_id]["position"] = position


async def test_what_a_client_holds_with_the_changes_applied_is_the_new_state(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    actor = actor_of(ada)
    backlog, review, done = columns["backlog"], columns["review"], columns["done"]
    cards = [await make_card(ada, backlog, f"Card {number}") for number in range(4)]
    steps: list[tuple[Callable[..., object], dict[str, Any]]] = [
        (operations.create_card, {"column": review, "title": "Fifth", "labels": ["a"]}),
        (operations.update_card, {"card": cards[0], "changes": {"title": "Other"}}),
        (operations.set_dependencies, {"card": cards[1], "depends_on": [cards[2].pk]}),
        (operations.update_card, {"card": cards[0], "changes": {}, "assignees": [ada.pk]}),
        (operations.move_card, {"card": cards[3], "column_id": backlog.pk, "position": 0}),
        (operations.move_card, {"card": cards[0], "column_id": review.pk, "position": 0}),
        (operations.complete_card, {"card": cards[2]}),
        (operations.move_card, {"card": cards[2], "column_id": review.pk, "position": 9}),
        (operations.create_column, {"board": board, "name": "QA", "column_type": "active"}),
        (operations.update_column, {"column": done, "changes": {"name": "Fin"}}),
        (operations.delete_card, {"card": cards[2]}),
    ]
    async with connect(board, ada) as client:
        state = copy.deepcopy(await begun(client))
        for operation, arguments in steps:
            await do(operation, actor=actor, **arguments)
            wanted = await do(outputs.board_state, board)
            while state["version"] < wanted["version"]:
                message = await client.next()
                assert set(message["payload"]) == KEYS[message["type"]]
                apply(state, message["type"], message["payload"])
                state["version"] = message["version"]
            assert state == wanted
        assert await client.silent()


async def test_an_attempt_s_changes_keep_the_snapshot_s_attempts_true(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["review"])
    attempt = await do(factories.Attempt.create, card=card)

    def change() -> None:
        attempt.status = "running"
        attempt.live_line = "Reading"
        attempt.save()
        with transaction.atomic():
            agent_events.attempt_started(attempt, turn=1, actor=SYSTEM)

    async with connect(board, ada) as client:
        state = copy.deepcopy(await begun(client))
        await client.next()
        await do(change)
        for message in await client.until("attempt_updated"):
            apply(state, message["type"], message["payload"])
            state["version"] = message["version"]
        assert state == await do(outputs.board_state, board)


async def test_the_size_of_a_change_knows_nothing_of_the_size_of_the_board(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            factories.Card.create(column=columns["backlog"])

    sizes = []
    first = await make_card(ada, columns["backlog"], "Subject 0")
    async with connect(board, ada) as client:
        await begun(client)
        for turn, count in enumerate((0, 20, 200)):
            await do(fill, count)
            title = f"Subject {turn + 1}"
            await do(
                operations.update_card, actor=actor_of(ada), card=first, changes={"title": title}
            )
            message = await client.next()
            assert message["type"] == "card_updated"
            sizes.append(len(dumps({**message, "at": "", "version": 1})))
    assert max(sizes) - min(sizes) <= 8
    assert max(sizes) < 1500


# --- joining and coming back ---------------------------------------------------------------------


async def test_no_event_falls_between_joining_and_reading(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    stop = asyncio.Event()

    async def busy() -> None:
        while not stop.is_set():
            await make_card(ada, columns["backlog"])

    work = asyncio.ensure_future(busy())
    try:
        for _ in range(5):
            async with connect(board, ada) as client:
                state = copy.deepcopy(await begun(client))
                for _ in range(5):
                    message = await client.next()
                    assert message["version"] == state["version"] + 1
                    apply(state, message["type"], message["payload"])
                    state["version"] = message["version"]
                assert len(state["cards"]) == state["version"]
    finally:
        stop.set()
        await work


@pytest.mark.parametrize("missed", [0, 1, 17])
async def test_who_comes_back_gets_exactly_what_was_missed(
    ada: User, board: Board, columns: dict[str, Column], missed: int
) -> None:
    for _ in range(3):
        await make_card(ada, columns["backlog"])
    async with connect(board, ada) as client:
        version = (await begun(client))["version"]
    for _ in range(missed):
        await make_card(ada, columns["backlog"])
    async with connect(board, ada, f"changes=delta&since={version}") as client:
        assert (await client.next())["type"] == "hello"
        found = [await client.next() for _ in range(missed)]
        assert [message["version"] for message in found] == list(
            range(version + 1, version + 1 + missed)
        )
        assert {message["type"] for message in found} <= {"card_created"}
        assert await client.silent()
        await make_card(ada, columns["backlog"])
        assert (await client.next())["version"] == version + missed + 1


async def test_a_replay_is_read_in_pieces_without_a_gap(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    def much() -> None:
        topic = outputs.board_topic(board.pk)
        row = {"topic": topic, "kind": "git.status_changed", "data": {}, "actor": {}}
        at = timezone.now()
        Event.objects.bulk_create(
            Event(version=version, created_at=at, published_at=at, **row)
            for version in range(1, 1301)
        )
        Topic.objects.create(name=topic, version=1300)

    await do(much)
    async with connect(board, ada, "since=100") as client:
        await client.next()
        versions = [(await client.next())["version"] for _ in range(1200)]
        assert versions == list(range(101, 1301))
        assert await client.silent()


async def test_who_was_away_too_long_starts_over(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    for _ in range(4):
        await make_card(ada, columns["backlog"])
    await do(Topic.objects.update, oldest_version=4)
    for since, told in (("1", "too_old"), ("9", "unknown_cursor"), ("x", "unknown_cursor")):
        async with connect(board, ada, f"changes=delta&since={since}") as client:
            messages = await client.until("state")
            assert [message["type"] for message in messages] == ["hello", "resync", "state"]
            assert messages[1]["payload"] == {"reason": told}
    async with connect(board, ada, "changes=delta&since=3") as client:
        assert [(await client.next())["type"] for _ in range(2)] == ["hello", "card_created"]


async def test_who_missed_too_many_starts_over(ada: User, board: Board) -> None:
    topic = outputs.board_topic(board.pk)
    await do(Topic.objects.create, name=topic, version=5001)
    async with connect(board, ada, "since=0") as client:
        messages = await client.until("state")
        assert messages[1]["payload"] == {"reason": "too_many"}


async def test_with_fresh_boards_a_replay_ends_in_one(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    async with connect(board, ada, "") as client:
        version = (await begun(client))["version"]
    card = await make_card(ada, columns["backlog"])
    async with connect(board, ada, f"since={version}") as client:
        messages = await client.until("state")
        assert [message["type"] for message in messages] == ["hello", "state"]
        assert set(messages[1]["payload"]["cards"]) == {card.public_id}
        assert messages[1]["version"] == 1


# --- transcripts ---------------------------------------------------------------------------------


async def test_a_transcript_is_left_out_of_a_summary_until_it_is_watched(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["review"])
    attempt = await do(factories.Attempt.create, card=card, succeeded=True)
    items = [await do(factories.Item.create, attempt=attempt) for _ in range(3)]

    def converse(item: Any) -> None:
        with transaction.atomic():
            agent_events.attempt_conversed(attempt, [item], actor=SYSTEM)

    async with connect(board, ada, "changes=delta&detail=summary") as client:
        await begun(client)
        await do(converse, items[0])
        assert await client.silent()
        await client.say("watch", {"attemptId": attempt.public_id, "sinceSeq": items[0].seq}, id=1)
        found = await client.until("ack")
        assert [message["payload"].get("item", {}).get("id") for message in found[:-1]] == [
            item.public_id for item in items[1:]
        ]
        assert set(found[0]["payload"]) == KEYS["conversation_item"]
        assert found[-1]["payload"]["result"] == {
            "attemptId": attempt.public_id,
            "lastSeq": items[2].seq,
        }
        later = await do(factories.Item.create, attempt=attempt)
        await do(converse, later)
        assert (await client.next())["payload"]["item"]["id"] == later.public_id
        await client.say("unwatch", {"attemptId": attempt.public_id})
        await client.until("ack")
        await do(converse, await do(factories.Item.create, attempt=attempt))
        assert await client.silent()


async def test_a_watched_attempt_brings_its_items_and_log_lines_in_their_common_order(
    ada: User, board: Board, columns: dict[str, Column], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHUNK", 3)
    card = await make_card(ada, columns["review"])
    attempt = await do(factories.Attempt.create, card=card, succeeded=True)

    def write(number: int) -> Any:
        made = factories.AttemptLog if number % 3 else factories.Item
        return made.create(attempt=attempt, seq=number + 1)

    rows = [await do(write, number) for number in range(10)]
    async with connect(board, ada, "changes=delta&detail=summary") as client:
        await begun(client)
        for seen in (0, 4, 10):
            payload = {"attemptId": attempt.public_id, "sinceSeq": seen}
            await client.say("watch", payload, id=seen)
            found = await client.until("ack")
            assert [
                message["payload"].get("message") or message["payload"]["item"]["id"]
                for message in found[:-1]
            ] == [
                row.message if isinstance(row, AttemptLog) else row.public_id for row in rows[seen:]
            ]
            assert found[-1]["payload"]["result"]["lastSeq"] == 10
        line = await do(factories.AttemptLog.create, attempt=attempt, seq=11)

        def log() -> None:
            with transaction.atomic():
                agent_events.attempt_logged(attempt, [line], actor=SYSTEM)

        await do(log)
        heard = await client.next()
        assert (heard["type"], heard["payload"]["message"]) == ("attempt_log", line.message)
        assert set(heard["payload"]) == KEYS["attempt_log"]
        assert await client.silent(0.1)


async def test_passing_text_is_heard_and_never_replayed(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    place = {"attemptId": "sess_1", "cardId": "card_1", "itemId": "msg_1"}
    async with connect(board, ada) as client:
        await begun(client)
        await do(
            publishing.send_ephemeral,
            topic=outputs.board_topic(board.pk),
            kind="attempt.delta",
            data={"projectId": "proj_1", **place, "type": "message", "delta": "Hi"},
        )
        message = await client.next()
        assert message["type"] == "conversation_delta"
        assert message["payload"] == {**place, "text": "Hi"}
        assert "version" not in message


async def test_what_happens_on_the_server_reaches_every_board(ada: User, board: Board) -> None:
    def register() -> None:
        with transaction.atomic():
            events.record(
                topic="server",
                kind="agent.registered",
                data={"agent": "demo", "label": "Demo"},
                actor=SYSTEM,
            )

    async with connect(board, ada) as client:
        await begun(client)
        await do(register)
        message = await client.next()
        assert message["payload"] == {"agent": "demo", "label": "Demo"}
