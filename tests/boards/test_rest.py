"""Boards over REST: shapes, edges, and what must be refused."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.boards.models import Board, Card, CardView, Column, ColumnType
from apps.core import ids
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

Columns = dict[str, Column]


@pytest.fixture
def bob_s(bob: User, client_of: ClientOf) -> APIClient:
    """Bob's client."""
    return client_of(bob)


@pytest.fixture
def url(project: Project) -> str:
    """The project's address."""
    return f"/api/v1/projects/{project.public_id}"


@pytest.fixture
def cards(columns: Columns) -> list[Card]:
    """Three cards in the backlog."""
    return factories.Card.create_batch(3, column=columns["backlog"])


def test_boards_are_listed_made_and_ordered(
    bob_s: APIClient, board: Board, project: Project, url: str
) -> None:
    made = bob_s.post(f"{url}/boards", {"name": "Second ✓"})
    assert made.status_code == 201
    second = made.json()["data"]
    assert second == {
        "id": second["id"],
        "name": "Second ✓",
        "projectId": project.public_id,
        "position": 1,
    }
    columns = bob_s.get(f"{url}/columns?boardId={second['id']}").json()["data"]
    assert [(item["name"], item["columnType"], item["position"]) for item in columns] == [
        ("Backlog", "backlog", 0),
        ("In Progress", "active", 1),
        ("Review", "active", 2),
        ("Done", "done", 3),
    ]
    order = [second["id"], board.public_id]
    assert bob_s.patch(f"{url}/boards/reorder", {"ids": order}).status_code == 200
    listed = bob_s.get(f"{url}/boards").json()["data"]
    assert [(item["id"], item["position"]) for item in listed] == [(order[0], 0), (order[1], 1)]


@pytest.mark.parametrize("what", ["missing", "twice", "foreign", "none", "nonsense"])
def test_an_order_is_of_all_boards_and_only_them(
    bob_s: APIClient, board: Board, project: Project, url: str, what: str
) -> None:
    second = factories.Board.create(project=project, name="Second")
    foreign = factories.Board.create()
    orders: dict[str, list[Any]] = {
        "missing": [board.public_id],
        "twice": [board.public_id, board.public_id, second.public_id],
        "foreign": [board.public_id, second.public_id, foreign.public_id],
        "none": [],
        "nonsense": [board.public_id, 5],
    }
    assert bob_s.patch(f"{url}/boards/reorder", {"ids": orders[what]}).status_code == 400
    assert not Event.objects.exists()


def test_a_board_is_read_whole_with_its_version(
    bob_s: APIClient, board: Board, columns: Columns, cards: list[Card], url: str
) -> None:
    answer = bob_s.get(f"{url}/boards/{board.public_id}/state").json()
    state = answer["data"]
    assert answer["meta"] == {"version": state["version"]} == {"version": 0}
    assert state["columnOrder"] == [
        columns[key].public_id for key in ("backlog", "inProgress", "review", "done")
    ]
    backlog = state["columns"][columns["backlog"].public_id]
    assert backlog["cardIds"] == [card.public_id for card in cards]
    assert [state["cards"][card.public_id]["position"] for card in cards] == [0, 1, 2]


def test_a_board_of_another_project_is_not_here(
    ada: User, client_of: ClientOf, board: Board, columns: Columns, cards: list[Card]
) -> None:
    other = factories.Project.create(owner=ada)
    client = client_of(ada)
    there = f"/api/v1/projects/{other.public_id}"
    assert client.get(f"{there}/boards/{board.public_id}/state").status_code == 404
    assert client.get(f"{there}/columns?boardId={board.public_id}").status_code == 404
    assert client.get(f"{there}/cards/{cards[0].public_id}/pipeline").status_code == 404
    body = {"columnId": columns["backlog"].public_id, "title": "Smuggled"}
    assert client.post(f"{there}/cards", body).status_code == 404
    move = {"columnId": columns["done"].public_id}
    assert client.patch(f"{there}/cards/{cards[0].public_id}/move", move).status_code == 404


def test_a_card_is_made_with_everything_that_can_be_said(
    bob_s: APIClient, bob: User, columns: Columns, cards: list[Card], url: str
) -> None:
    body = {
        "columnId": columns["backlog"].public_id,
        "title": "  Zahnrad ⚙  ",
        "prompt": "# Why\n\n\tbecause",
        "ticketType": "FEAT",
        "priority": "high",
        "labels": ["api", "api", "ui"],
        "dependsOn": [cards[0].public_id],
        "isDeferred": True,
    }
    answer = bob_s.post(f"{url}/cards", body)
    assert answer.status_code == 201
    shown = answer.json()["data"]
    wanted = {
        "ticketKey": "ABC-4",
        "title": "Zahnrad ⚙",
        "prompt": "# Why\n\n\tbecause",
        "ticketType": "feat",
        "priority": "high",
        "labels": ["api", "ui"],
        "dependsOn": [cards[0].public_id],
        "blocked": True,
        "isDeferred": True,
        "position": 3,
        "columnName": "Backlog",
        "hasActiveAgent": False,
        "agentStatus": None,
    }
    assert {key: shown[key] for key in wanted} == wanted
    assert Card.objects.get(number=4).created_by == bob


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"title": " \t "}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": "nul\0"}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": 5}, "title"),
        ({"prompt": "\x1b[31m"}, "prompt"),
        ({"prompt": "x" * 200_001}, "prompt"),
        ({"prompt": ["x"]}, "prompt"),
        ({"columnId": None}, "columnId"),
        ({"columnId": "col_x"}, "columnId"),
        ({"columnId": 5}, "columnId"),
        ({"columnId": {"id": 1}}, "columnId"),
        ({"ticketType": "epic"}, "ticketType"),
        ({"priority": "highest"}, "priority"),
        ({"priority": None}, "priority"),
        ({"labels": "api"}, "labels"),
        ({"labels": [{"name": "api"}]}, "labels.0"),
        ({"labels": ["x" * 51]}, "labels.0"),
        ({"labels": [str(number) for number in range(21)]}, "labels"),
        ({"dependsOn": ["card_x"]}, "dependsOn.0"),
        ({"isDeferred": "true"}, "isDeferred"),
        ({"isAutoMode": 1}, "isAutoMode"),
    ],
)
def test_a_wrong_field_makes_no_card(
    bob_s: APIClient, columns: Columns, url: str, values: dict[str, Any], field: str
) -> None:
    body = {"columnId": columns["backlog"].public_id, "title": "New"} | values
    answer = bob_s.post(f"{url}/cards", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["field"] == field
    assert not Card.objects.exists()
    assert not Event.objects.exists()


def test_cards_are_listed_column_by_column(
    bob_s: APIClient, columns: Columns, cards: list[Card], url: str
) -> None:
    last = factories.Card.create(column=columns["done"])
    listed = bob_s.get(f"{url}/cards").json()["data"]
    assert [(item["id"], item["position"]) for item in listed] == [
        *((card.public_id, place) for place, card in enumerate(cards)),
        (last.public_id, 0),
    ]
    assert {"id", "title", "columnId", "position", "hasActiveAgent"} <= set(listed[0])


@pytest.mark.parametrize(
    ("position", "place"), [(0, 0), (1, 1), (2, 2), (3, 2), (10**9, 2), (-1, 0), (None, 2)]
)
def test_a_place_beyond_the_ends_is_the_nearest_end(
    bob_s: APIClient,
    columns: Columns,
    cards: list[Card],
    url: str,
    position: int | None,
    place: int,
) -> None:
    for _ in range(2):
        factories.Card.create(column=columns["review"])
    body = {"columnId": columns["review"].public_id, "position": position}
    answer = bob_s.patch(f"{url}/cards/{cards[1].public_id}/move", body)
    assert answer.status_code == 200
    assert answer.json()["data"]["position"] == place
    listed = bob_s.get(f"{url}/cards").json()["data"]
    review = [item for item in listed if item["columnId"] == columns["review"].public_id]
    assert [item["position"] for item in review] == [0, 1, 2]
    assert review[place]["id"] == cards[1].public_id


@pytest.mark.parametrize("position", ["0", 1.5, True, [], {}, 10**30])
def test_a_place_is_a_whole_number(
    bob_s: APIClient, columns: Columns, cards: list[Card], url: str, position: Any
) -> None:
    body = {"columnId": columns["review"].public_id, "position": position}
    answer = bob_s.patch(f"{url}/cards/{cards[0].public_id}/move", body)
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert position == 10**30
    else:
        assert answer.json()["errors"][0]["field"] == "position"


def test_a_card_does_not_leave_its_project(
    bob_s: APIClient, columns: Columns, cards: list[Card], url: str
) -> None:
    foreign = factories.Column.create()
    for column_id in (foreign.public_id, ids.encode("col", ids.uuid7())):
        body = {"columnId": column_id}
        answer = bob_s.patch(f"{url}/cards/{cards[0].public_id}/move", body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "columnId"
    assert not Event.objects.exists()


def test_a_blocked_card_says_what_it_waits_for(
    bob_s: APIClient, columns: Columns, cards: list[Card], url: str
) -> None:
    factories.CardDependency.create(card=cards[0], depends_on=cards[1])
    body = {"columnId": columns["inProgress"].public_id}
    answer = bob_s.patch(f"{url}/cards/{cards[0].public_id}/move", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "CARD_BLOCKED")
    assert problem["blockedBy"] == [cards[1].public_id]
    assert cards[1].key in problem["detail"]


def test_looking_at_a_card_is_noted_and_told_once_to_nobody_else(
    bob: User, bob_s: APIClient, cards: list[Card], url: str
) -> None:
    for _ in range(2):
        assert bob_s.post(f"{url}/cards/{cards[0].public_id}/view").status_code == 204
    assert CardView.objects.get().user == bob
    told = Event.objects.get()
    assert (told.topic, told.kind) == (f"user.{bob.public_id}", "card.read")


def test_what_happened_since_is_counted_as_unread(
    ada: User, bob_s: APIClient, cards: list[Card], columns: Columns, url: str, client_of: ClientOf
) -> None:
    def unread(client: APIClient) -> int:
        return int(client.get(url).json()["data"]["unreadCount"])

    assert unread(bob_s) == 3
    bob_s.post(f"{url}/cards/{cards[0].public_id}/view")
    assert unread(bob_s) == 2
    move = {"columnId": columns["done"].public_id}
    client_of(ada).patch(f"{url}/cards/{cards[0].public_id}/move", move)
    assert unread(bob_s) == 3
    bob_s.post(f"{url}/mark-all-read")
    assert unread(bob_s) == 0
    assert unread(client_of(ada)) == 3
    body = {"columnId": columns["backlog"].public_id, "title": "Mine"}
    bob_s.post(f"{url}/cards", body)
    assert unread(bob_s) == 0
    listed = bob_s.get("/api/v1/projects").json()["data"]
    assert [item["unreadCount"] for item in listed] == [0]


def test_completing_is_done_once(
    bob_s: APIClient, columns: Columns, cards: list[Card], url: str
) -> None:
    factories.Card.create(column=columns["done"])
    for _ in range(2):
        assert bob_s.post(f"{url}/cards/{cards[0].public_id}/complete").status_code == 204
    listed = bob_s.get(f"{url}/cards").json()["data"]
    done = [item["id"] for item in listed if item["columnId"] == columns["done"].public_id]
    assert done[0] == cards[0].public_id
    assert Event.objects.count() == 1


def test_a_pipeline_is_chosen_and_given_back(
    bob_s: APIClient, board: Board, columns: Columns, cards: list[Card], url: str
) -> None:
    address = f"{url}/cards/{cards[0].public_id}/pipeline"
    default = bob_s.get(address).json()["data"]["steps"]
    assert [step["columnName"] for step in default] == ["Backlog", "In Progress", "Review", "Done"]
    steps = [
        {"columnId": columns["review"].public_id, "prompt": "Look."},
        {"columnId": columns["done"].public_id, "enabled": False},
    ]
    chosen = bob_s.put(address, {"steps": steps}).json()["data"]["steps"]
    assert [(step["columnName"], step["prompt"], step["enabled"]) for step in chosen] == [
        ("Review", "Look.", True),
        ("Done", "", False),
    ]
    assert bob_s.get(address).json()["data"]["steps"] == chosen
    foreign = factories.Column.create().public_id
    wrong_steps: list[Any] = [[steps[0], steps[0]], [{"columnId": foreign}], [{}], "all", None]
    for wrong in wrong_steps:
        assert bob_s.put(address, {"steps": wrong}).status_code == 400
    assert bob_s.put(address, {"steps": []}).json()["data"]["steps"] == default


def test_columns_are_made_and_changed(bob_s: APIClient, board: Board, url: str) -> None:
    body = {"name": "QA", "columnType": "active", "boardId": board.public_id, "prompt": "Test."}
    made = bob_s.post(f"{url}/columns", body)
    assert made.status_code == 201
    column = made.json()["data"]
    assert (column["agentMode"], column["wipLimit"], column["prompt"]) == ("code", None, "Test.")
    changes = {"name": "Checks", "agentMode": "plan", "wipLimit": 3}
    changed = bob_s.patch(f"{url}/columns/{column['id']}", changes).json()["data"]
    assert {key: changed[key] for key in changes} == changes
    bob_s.patch(f"{url}/columns/{column['id']}", {"wipLimit": None})
    assert Column.objects.get(name="Checks").wip_limit is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"columnType": "passive"}, "columnType"),
        ({"columnType": None}, "columnType"),
        ({"boardId": "board_x"}, "boardId"),
        ({"columnType": "done", "agentMode": "code"}, "agentMode"),
        ({"agentMode": "yolo"}, "agentMode"),
        ({"wipLimit": 0}, "wipLimit"),
        ({"wipLimit": -1}, "wipLimit"),
        ({"wipLimit": "3"}, "wipLimit"),
        ({"wipLimit": 10**12}, "wipLimit"),
        ({"prompt": "bell \a"}, "prompt"),
    ],
)
def test_a_wrong_field_makes_no_column(
    bob_s: APIClient, board: Board, url: str, values: dict[str, Any], field: str
) -> None:
    body = {"name": "QA", "columnType": "active", "boardId": board.public_id} | values
    answer = bob_s.post(f"{url}/columns", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert board.columns.count() == 4


def test_a_column_with_cards_stays(
    bob_s: APIClient, columns: Columns, cards: list[Card], url: str
) -> None:
    answer = bob_s.delete(f"{url}/columns/{columns['backlog'].public_id}")
    assert answer.status_code == 409
    assert bob_s.delete(f"{url}/columns/{columns['review'].public_id}").status_code == 204
    assert bob_s.delete(f"{url}/columns/{columns['review'].public_id}").status_code == 404


def test_a_card_by_project_goes_to_the_first_backlog(
    bob_s: APIClient, project: Project, columns: Columns, cards: list[Card]
) -> None:
    answer = bob_s.post("/api/v1/cards", {"projectId": project.public_id, "title": "From a script"})
    assert answer.status_code == 201
    shown = answer.json()["data"]
    assert shown == {
        "id": shown["id"],
        "title": "From a script",
        "projectId": project.public_id,
        "columnId": columns["backlog"].public_id,
        "position": 3,
    }
    assert bob_s.get(f"/api/v1/cards/{shown['id']}/status").json()["data"] == {
        "id": shown["id"],
        "title": "From a script",
        "columnName": "Backlog",
        "hasActiveAgent": False,
    }


def test_without_a_backlog_it_goes_to_the_first_column(
    bob_s: APIClient, project: Project, columns: Columns
) -> None:
    Column.objects.filter(column_type=ColumnType.BACKLOG).delete()
    body = {"projectId": project.public_id, "title": "From a script"}
    shown = bob_s.post("/api/cards", body).json()["data"]
    assert shown["columnId"] == columns["inProgress"].public_id
    Card.objects.all().delete()
    Column.objects.all().delete()
    assert bob_s.post("/api/cards", body).status_code == 409
