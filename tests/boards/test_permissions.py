"""Who gets which answer: rows are addresses, columns are people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Role, User
from apps.boards import models
from apps.boards.models import Board, Card, Column
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

PEOPLE = ("ada", "bob", "ole", "eve", "adam", "root")
MEMBERS = (200, 200, 200, 404, 404, 200)
NO_BODY = (204, 204, 204, 404, 404, 204)
MADE = (201, 201, 201, 404, 404, 201)

PROJECT = "projects/{project}"
CARD = "projects/{project}/cards/{card}"

# method, path, body, answers for PEOPLE; names in braces stand for ids
ROWS: list[tuple[str, str, dict[str, Any] | None, tuple[int, ...]]] = [
    ("GET", f"{PROJECT}/boards", None, MEMBERS),
    ("POST", f"{PROJECT}/boards", {"name": "Second"}, MADE),
    ("PATCH", f"{PROJECT}/boards/reorder", {"ids": ["{board}"]}, MEMBERS),
    ("GET", f"{PROJECT}/boards/{{board}}/state", None, MEMBERS),
    ("GET", f"{PROJECT}/columns", None, MEMBERS),
    (
        "POST",
        f"{PROJECT}/columns",
        {"name": "QA", "columnType": "active", "boardId": "{board}"},
        MADE,
    ),
    (
        "PATCH",
        f"{PROJECT}/columns/reorder",
        {"ids": ["{done}", "{review}", "{inProgress}", "{backlog}"]},
        MEMBERS,
    ),
    ("PATCH", f"{PROJECT}/columns/{{done}}", {"name": "Shipped"}, MEMBERS),
    ("DELETE", f"{PROJECT}/columns/{{review}}", None, NO_BODY),
    ("GET", f"{PROJECT}/cards", None, MEMBERS),
    ("POST", f"{PROJECT}/cards", {"columnId": "{backlog}", "title": "New"}, MADE),
    ("POST", f"{CARD}/view", None, NO_BODY),
    ("PATCH", f"{CARD}/move", {"columnId": "{done}", "position": 0}, MEMBERS),
    ("PATCH", f"{CARD}/auto-mode", {"enabled": True}, MEMBERS),
    ("GET", f"{CARD}/pipeline", None, MEMBERS),
    ("PUT", f"{CARD}/pipeline", {"steps": [{"columnId": "{done}"}]}, MEMBERS),
    ("POST", f"{CARD}/complete", None, NO_BODY),
    ("POST", "cards", {"projectId": "{project}", "title": "New"}, MADE),
    ("GET", "cards/{card}/status", None, MEMBERS),
]
CASES = [
    pytest.param(name, method, path, body, expected, id=f"{name} {method} {path}")
    for method, path, body, answers in ROWS
    for name, expected in zip(("nobody", *PEOPLE), (401, *answers), strict=True)
]


@pytest.fixture
def people(ada: User, bob: User, eve: User, root: User, project: Project) -> dict[str, User]:
    """Ada owns, bob is a member, ole is in the organization; eve is a stranger; adam is an admin
    of the server, which opens no board; root may everything."""
    ole = factories.User.create(email="ole@example.org")
    project.organization = factories.Organization.create(members=[ole])
    project.save()
    adam = factories.User.create(email="adam@example.org", role=Role.ADMIN)
    return {"ada": ada, "bob": bob, "ole": ole, "eve": eve, "adam": adam, "root": root}


@pytest.fixture
def card(columns: dict[str, Column]) -> Card:
    """A card in the backlog."""
    return factories.Card.create(column=columns["backlog"])


def stored() -> list[Any]:
    """Everything that a refused request must leave as it is."""
    tables = (models.Board, models.Column, models.Card, models.CardView, Event)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.parametrize(("name", "method", "path", "body", "expected"), CASES)
def test_the_table_holds(
    *,
    people: dict[str, User],
    board: Board,
    columns: dict[str, Column],
    card: Card,
    client_of: ClientOf,
    nobody: APIClient,
    name: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    expected: int,
) -> None:
    raw, url = "" if body is None else json.dumps(body), path
    named = {
        "project": board.project.public_id,
        "board": board.public_id,
        "card": card.public_id,
        **{key: column.public_id for key, column in columns.items()},
    }
    for key, public_id in named.items():
        raw = raw.replace(f"{{{key}}}", public_id)
        url = url.replace(f"{{{key}}}", public_id)
    client = nobody if name == "nobody" else client_of(people[name])
    before = stored()
    answer = client.generic(method, f"/api/v1/{url}", raw, content_type="application/json")
    assert answer.status_code == expected, answer.content
    if expected >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert stored() == before
