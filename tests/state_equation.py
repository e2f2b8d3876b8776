"""The state equation: what a client holds, with the events applied, is what a fresh snapshot says.

`apply` is the browser's reducer in Python: it knows a board's events and nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from apps.boards import outputs
from apps.boards.models import Board
from apps.core.models import Event

State = dict[str, Any]


def apply(state: State, kind: str, data: dict[str, Any]) -> None:
    """Change a board's state as its client does on an event of `card.*` or `column.*`."""
    if kind == "card.deleted":
        take_out(state, data["id"])
    elif kind in {"card.created", "card.moved"}:
        put_in(state, data)
    elif kind in {"card.updated", "card.auto_mode_ended"}:
        state["cards"][data["card"]["id"]] = data["card"]
    elif kind.startswith("column."):
        _columns(state, data)
    else:
        raise AssertionError(kind)
    count_positions(state)


def put_in(state: State, data: dict[str, Any]) -> None:
    """Place a card where an event says that it came or went to."""
    card = data["card"]
    take_out(state, card["id"])
    state["cards"][card["id"]] = card
    state["columns"][data["columnId"]]["cardIds"].insert(data["index"], card["id"])


def take_out(state: State, card_id: str) -> None:
    """Forget a card, wherever it stands."""
    state["cards"].pop(card_id, None)
    for column in state["columns"].values():
        if card_id in column["cardIds"]:
            column["cardIds"].remove(card_id)


def count_positions(state: State) -> None:
    """Give each card its place in its column."""
    for column in state["columns"].values():
        for position, card_id in enumerate(column["cardIds"]):
            state["cards"][card_id]["position"] = position


def _columns(state: State, data: dict[str, Any]) -> None:
    before = state["columns"]
    state["columnOrder"] = data["columnOrder"]
    state["columns"] = {}
    for column_id, column in data["columns"].items():
        shown = {
            "id": column_id,
            "title": column["name"],
            "cardIds": before.get(column_id, {}).get("cardIds", []),
            "columnType": column["columnType"],
            "agentMode": column["agentMode"],
            "wipLimit": column["wipLimit"],
        }
        if column["key"]:
            shown["key"] = column["key"]
        state["columns"][column_id] = shown


def snapshot(board: Board) -> State:
    """A board's state without the parts of higher apps, safe to change."""
    state = cast("State", outputs.board_state(board))
    state.pop("attempts", None)
    return copy.deepcopy(state)


@contextmanager
def holds(board: Board, *kinds: str) -> Iterator[list[Event]]:
    """Old state + the block's events == new state; and the block makes exactly these `kinds`."""
    state = snapshot(board)
    made: list[Event] = []
    yield made
    made += Event.objects.filter(
        topic=outputs.board_topic(board.pk), version__gt=state["version"]
    ).order_by("version")
    assert [event.kind for event in made] == list(kinds)
    for event in made:
        apply(state, event.kind, event.data)
        state["version"] = event.version
    assert state == snapshot(board)
