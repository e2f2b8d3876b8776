"""Long lists in parts: whole and in order however they are cut, and versions beside them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core.models import Topic
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf, actor_of


@pytest.fixture
def cards(ada: User, bob: User, columns: dict[str, Column]) -> list[Card]:
    """Seven cards in three columns; every other one is labelled."""
    made = []
    for number, key in enumerate(["backlog"] * 3 + ["review"] * 2 + ["done"] * 2):
        card = operations.create_card(
            actor=actor_of(ada),
            column=columns[key],
            title=f"Wheel {number}",
            labels=["gears", "ö'\"%_"] if number % 2 else ["Gears"],
        )
        made.append(card)
    operations.update_card(actor=actor_of(ada), card=made[4], changes={}, assignees=[bob.pk])
    return made


@pytest.fixture
def path(project: Project) -> str:
    return f"/api/v1/projects/{project.public_id}/cards"


def ids_of(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def parts(client: APIClient, path: str, limit: int, key: str = "id", **query: Any) -> list[str]:
    """All parts of a list, one after the other."""
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = client.get(path, {"limit": limit, **cursor, **query})
        assert answer.status_code == 200, answer.content
        data, meta = answer.json()["data"], answer.json()["meta"]
        rows = data["users"] if isinstance(data, dict) else data
        assert len(rows) == limit or not meta["hasMore"]
        found += [row[key] for row in rows]
        if not meta["hasMore"]:
            assert meta["nextCursor"] is None
            return found
        cursor = {"cursor": meta["nextCursor"]}


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_all_parts_together_are_the_whole_list(
    client_of: ClientOf, ada: User, cards: list[Card], path: str, limit: int
) -> None:
    client = client_of(ada)
    whole = client.get(path).json()

    assert parts(client, path, limit) == [card.public_id for card in cards]
    assert [row["id"] for row in whole["data"]] == [card.public_id for card in cards]
    assert [row["position"] for row in whole["data"]] == [0, 1, 2, 0, 1, 0, 1]
    assert (whole["meta"]["hasMore"], whole["meta"]["nextCursor"]) == (False, None)


def test_a_card_knows_its_place_in_any_part(
    client_of: ClientOf, ada: User, cards: list[Card], path: str
) -> None:
    client = client_of(ada)
    cursor = client.get(path, {"limit": 4}).json()["meta"]["nextCursor"]

    second = client.get(path, {"cursor": cursor}).json()["data"]

    assert [row["position"] for row in second] == [1, 0, 1]


def test_what_goes_meanwhile_moves_nothing(
    client_of: ClientOf, ada: User, cards: list[Card], path: str
) -> None:
    client = client_of(ada)
    cursor = client.get(path, {"limit": 3}).json()["meta"]["nextCursor"]
    for card in cards[:3]:
        operations.delete_card(actor=actor_of(ada), card=card)

    assert ids_of(client.get(path, {"cursor": cursor})) == [card.public_id for card in cards[3:]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"columnId": "review"}, [3, 4]),
        ({"label": "gears"}, [1, 3, 5]),
        ({"label": "Gears"}, [0, 2, 4, 6]),
        ({"label": "ö'\"%_"}, [1, 3, 5]),
        ({"label": "gear"}, []),
        ({"search": "WHEEL 3"}, [3]),
        ({"search": ""}, [0, 1, 2, 3, 4, 5, 6]),
        ({"search": "%"}, []),
        ({"assignee": "bob"}, [4]),
        ({"assignee": "ada"}, []),
        ({"agentStatus": "running"}, [2]),
        ({"columnId": "backlog", "label": "gears"}, [1]),
        ({"columnId": "backlog", "limit": "2"}, [0, 1]),
    ],
)
def test_filters_are_all_kept(
    client_of: ClientOf,
    ada: User,
    bob: User,
    board: Board,
    columns: dict[str, Column],
    cards: list[Card],
    path: str,
    query: dict[str, str],
    wanted: list[int],
) -> None:
    Card.objects.filter(pk=cards[2].pk).update(agent_status="running")
    names = {name: column.public_id for name, column in columns.items()}
    names |= {"ada": ada.public_id, "bob": bob.public_id}
    asked = {key: names.get(value, value) for key, value in query.items()}

    for further in ({}, {"boardId": board.public_id}):
        answer = client_of(ada).get(path, asked | further)
        assert ids_of(answer) == [cards[number].public_id for number in wanted]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "a" * 1001}, "cursor"),
        ({"cursor": [1, 2, 3]}, "cursor"),
        ({"cursor": [None] * 5}, "cursor"),
        ({"cursor": [{}, [], 1.5, True, "a"]}, "cursor"),
        ({"cursor": ["a", "no id", "a", "no id", "a"]}, "cursor"),
        ({"cursor": ["\0", "\0", "\0", "\0", "\0"]}, "cursor"),
        ({"cursor": ["\ud800"] * 5}, "cursor"),
        ({"cursor": [2**70] * 5}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"boardId": "7"}, "boardId"),
        ({"columnId": "board_01kar2m8v5e9qf3h7n0c4x6wzt"}, "columnId"),
        ({"label": "x" * 51}, "label"),
        ({"search": "\0"}, "search"),
    ],
)
def test_wrong_wishes_are_named(
    client_of: ClientOf, ada: User, path: str, query: dict[str, Any], field: str
) -> None:
    asked = {
        key: value
        if isinstance(value, str)
        else base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
        for key, value in query.items()
    }

    answer = client_of(ada).get(path, asked)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_lists_of_a_project_tell_its_version_and_those_of_its_boards(
    client_of: ClientOf, ada: User, project: Project, board: Board, cards: list[Card], path: str
) -> None:
    client = client_of(ada)
    base = f"/api/v1/projects/{project.public_id}"
    second = client.post(f"{base}/boards", {"name": "Second"}).json()["data"]["id"]
    topics = dict(Topic.objects.values_list("name", "version"))
    of_board = topics[f"board.{board.public_id}"]
    of_project = topics[f"project.{project.public_id}"]
    both = {board.public_id: of_board, second: topics.get(f"board.{second}", 0)}
    one = {"version": of_board, "versions": {board.public_id: of_board}}

    def told(address: str) -> dict[str, Any]:
        meta = client.get(address).json()["meta"]
        return {key: meta[key] for key in ("version", "versions")}

    for address in (path, f"{base}/boards", f"{base}/columns"):
        assert told(address) == {"version": of_project, "versions": both}
    for address in (path, f"{base}/columns"):
        assert told(f"{address}?boardId={board.public_id}") == one
    state = client.get(f"{base}/boards/{board.public_id}/state").json()
    assert state["meta"] == {"version": of_board}

    order = [column.public_id for column in board.columns.order_by("-rank")]
    reordered = client.patch(f"{base}/columns/reorder", {"ids": order}).json()["meta"]
    assert reordered["version"] == of_board + 1
    answer = client.patch(f"{base}/boards/reorder", {"ids": [second, board.public_id]})
    assert answer.json()["meta"]["version"] > of_project


def test_people_are_listed_by_cursor_as_well(client_of: ClientOf, root: User) -> None:
    for number in range(4):
        factories.User.create(email=f"p{number}@example.org")
    path = "/api/v1/admin/users"
    client = client_of(root)
    whole = [user["id"] for user in client.get(path).json()["data"]["users"]]

    assert len(whole) == 5
    assert parts(client, path, 2) == whole
    page = client.get(path, {"offset": 1, "limit": 2}).json()
    assert [user["id"] for user in page["data"]["users"]] == whole[1:3]
    assert page["meta"]["hasMore"] is True
    assert page["data"]["total"] == 5
    on = client.get(path, {"cursor": page["meta"]["nextCursor"], "search": "example.org"}).json()
    assert [user["id"] for user in on["data"]["users"]] == whole[3:]


def test_attempts_sessions_and_logs_are_listed_in_parts(
    client_of: ClientOf, ada: User, cards: list[Card], path: str
) -> None:
    card = cards[0]
    attempts = [factories.Attempt.create(card=card, succeeded=True) for _ in range(5)]
    newest_first = [attempt.public_id for attempt in attempts][::-1]
    client = client_of(ada)
    base = f"{path}/{card.public_id}"

    for address in (f"{base}/attempts", f"{base}/agent/sessions", f"{base}/agent/history"):
        assert parts(client, address, 2) == newest_first
        assert ids_of(client.get(address)) == newest_first
        assert client.get(address, {"cursor": "x"}).status_code == 400

    for _ in range(5):
        factories.AttemptLog.create(attempt=attempts[0])
    logs = f"/api/v1/attempts/{attempts[0].public_id}/logs"
    last = client.get(logs, {"limit": 2}).json()
    first = client.get(logs, {"cursor": last["meta"]["nextCursor"]}).json()
    whole = client.get(logs).json()["data"]["logs"]
    assert first["data"]["logs"] + last["data"]["logs"] == whole
    assert (len(whole), first["meta"]["hasMore"]) == (5, False)


def test_a_conversation_is_read_backwards_and_forwards(
    client_of: ClientOf, ada: User, cards: list[Card], path: str
) -> None:
    for _ in range(2):
        attempt = factories.Attempt.create(card=cards[0], succeeded=True)
        for _ in range(4):
            factories.Item.create(attempt=attempt)
    messages = f"{path}/{cards[0].public_id}/agent/messages"
    client = client_of(ada)
    whole = ids_of(client.get(messages))
    assert len(whole) == 8

    for since, step in ((None, -1), ("2020-01-01T00:00:00Z", 1)):
        asked: dict[str, Any] = {"limit": 3} | ({"since": since} if since else {})
        seen: list[list[str]] = []
        while True:
            answer = client.get(messages, asked)
            seen.append(ids_of(answer))
            meta = answer.json()["meta"]
            if not meta["hasMore"]:
                break
            asked["cursor"] = meta["nextCursor"]
        assert [len(part) for part in seen] == [3, 3, 2]
        assert [one for part in seen[::step] for one in part] == whole
