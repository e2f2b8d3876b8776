"""What a client makes of the small messages of a board, and what the server shows of it."""

from __future__ import annotations

from typing import Any

from tests.chaos.followers import Heard

State = dict[str, Any]


def fold(state: State, heard: list[Heard]) -> State:
    """This will apply messages, in their order, to a state of the board."""
    for one in heard:
        apply(state, one.type, one.payload)
        state["version"] = one.version
    for column in state["columns"].values():
        for position, card_id in enumerate(column["cardIds"]):
            state["cards"][card_id]["position"] = position
    return state


def apply(state: State, kind: str, payload: dict[str, Any]) -> None:
    """This will change a state as a page does on one message."""
    if kind == "card_deleted":
        _take_out(state, payload["cardId"])
        state["cards"].pop(payload["cardId"], None)
        state["attempts"].pop(payload["cardId"], None)
    elif kind in {"card_created", "card_moved"}:
        card = payload["card"]
        _take_out(state, card["id"])
        state["cards"][card["id"]] = card
        state["columns"][payload["columnId"]]["cardIds"].insert(payload["index"], card["id"])
    elif kind == "card_updated":
        state["cards"][payload["card"]["id"]] = payload["card"]
    elif kind == "attempt_updated":
        state["attempts"][payload["cardId"]] = payload["attempt"]


def _take_out(state: State, card_id: str) -> None:
    for column in state["columns"].values():
        if card_id in column["cardIds"]:
            column["cardIds"].remove(card_id)
