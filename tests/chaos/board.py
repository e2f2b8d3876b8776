"""What a client makes of the small messages of a board, and what the server shows of it."""

from __future__ import annotations

from typing import Any

from tests.chaos.followers import Heard
from tests.state_equation import State, count_positions, put_in, take_out


def fold(state: State, heard: list[Heard]) -> State:
    """This will apply messages, in their order, to a state of the board."""
    for one in heard:
        apply(state, one.type, one.payload)
        state["version"] = one.version
    count_positions(state)
    return state


def apply(state: State, kind: str, payload: dict[str, Any]) -> None:
    """This will change a state as a page does on one message."""
    if kind == "card_deleted":
        take_out(state, payload["cardId"])
        state["attempts"].pop(payload["cardId"], None)
    elif kind in {"card_created", "card_moved"}:
        put_in(state, payload)
    elif kind == "card_updated":
        state["cards"][payload["card"]["id"]] = payload["card"]
    elif kind == "attempt_updated":
        state["attempts"][payload["cardId"]] = payload["attempt"]
