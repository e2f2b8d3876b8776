"""What board sockets may ask for: the same operations, and nothing beyond their board."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from apps.accounts.models import User
from apps.boards import commands
from apps.boards.models import Board, Card, Column
from apps.core import problems
from apps.core.models import Event
from tests import factories
from tests.people import actor_of

Columns = dict[str, Column]


@pytest.fixture
def card(columns: Columns) -> Card:
    """A card in the backlog."""
    return factories.Card.create(column=columns["backlog"])


def run(user: User, board: Board, command: str, payload: object) -> dict[str, Any]:
    result = commands.COMMANDS[command](actor=actor_of(user), board=board, payload=payload)
    shown: dict[str, Any] = result["card"]
    return shown


def test_a_card_is_made_changed_and_moved(bob: User, board: Board, columns: Columns) -> None:
    made = run(
        bob,
        board,
        "create_card",
        {
            "columnId": columns["backlog"].public_id,
            "title": "New",
            "description": "# Body",
            "ticketType": " Fix ",
        },
    )
    assert (made["title"], made["description"], made["ticketType"]) == ("New", "# Body", "fix")
    changes: dict[str, Any] = {
        "title": "Newer",
        "ticketType": None,
        "labels": ["api"],
        "priority": "high",
    }
    changes |= {"isEnhanced": True, "disableAutoCloseOnPRMerge": True}
    changed = run(bob, board, "update_card", {"cardId": made["id"], **changes})
    assert {key: changed[key] for key in changes} == changes
    moved = run(
        bob,
        board,
        "move_card",
        {"cardId": made["id"], "toColumnId": columns["done"].public_id, "toIndex": 10**9},
    )
    assert (moved["columnId"], moved["position"]) == (columns["done"].public_id, 0)
    kinds = Event.objects.order_by("version").values_list("kind", flat=True)
    assert list(kinds) == ["card.created", "card.updated", "card.moved"]


def test_a_socket_reaches_no_other_board(bob: User, board: Board, card: Card) -> None:
    sister = factories.BoardWithColumns.create(project=board.project, name="Second")
    there = sister.columns.get(key="done")
    elsewhere = factories.Card.create(column=there)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("create_card", {"columnId": there.public_id, "title": "New"}),
        (
            "move_card",
            {"cardId": card.public_id, "toColumnId": there.public_id, "toIndex": 0},
        ),
        ("update_card", {"cardId": elsewhere.public_id, "title": "New"}),
    ]
    for command, payload in cases:
        with pytest.raises(problems.NotFound):
            run(bob, board, command, payload)
    assert not Event.objects.exists()


def test_a_stranger_finds_nothing(eve: User, board: Board, columns: Columns, card: Card) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("create_card", {"columnId": columns["done"].public_id, "title": "New"}),
        (
            "move_card",
            {"cardId": card.public_id, "toColumnId": columns["done"].public_id, "toIndex": 0},
        ),
        ("update_card", {"cardId": card.public_id, "title": "New"}),
    ]
    for command, payload in cases:
        with pytest.raises(problems.NotFound):
            run(eve, board, command, payload)
    assert not Event.objects.exists()


@pytest.mark.parametrize("command", sorted(commands.COMMANDS))
@pytest.mark.parametrize("payload", [None, [], "text", 7, {}, {"cardId": 1}, {"cardId": None}])
def test_what_has_no_shape_is_refused(
    bob: User, board: Board, command: str, payload: object
) -> None:
    with pytest.raises((problems.ValidationFailed, ValidationError)):
        run(bob, board, command, payload)
