"""What `/api/ws` says of conversations: pre-sessions to their project, assistants to their person.

Boards and the dashboard show nothing of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from apps.agents.live.messages.api import API, OWN
from apps.agents.live.messages.board import BOARD
from apps.agents.live.messages.dashboard import DASHBOARD
from apps.core.live.frames import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES = {"presession": "preSession", "assistant": "assistant"}
_STATUS = ("projectId", "cardId", "sessionId", "status", "activity")
_DELTA = ("projectId", "cardId", "sessionId", "itemId", "type", "delta")


def _pick(data: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def said(name: str, only: str, _kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say each message of a batch as the lists have it; a known id is replaced."""
    place = _pick(data, ("projectId", "cardId"))
    return [
        Message(f"{name}.message", {**place, **message}, only=only) for message in data["messages"]
    ]


def status(name: str, only: str, _kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say where a conversation stands and what its agent does."""
    return [Message(f"{name}.status", _pick(data, _STATUS), only=only)]


def delta(name: str, only: str, _kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a passing piece of an answer; the message that completes it is journalled."""
    return [Message(f"{name}.delta", _pick(data, _DELTA), only=only)]


for _noun, _name in _NAMES.items():
    _only = OWN if _noun == "assistant" else ""
    API.say([f"{_noun}.messaged"], [f"{_name}.message"], partial(said, _name, _only))
    API.say(
        [f"{_noun}.queued", f"{_noun}.status_changed"],
        [f"{_name}.status"],
        partial(status, _name, _only),
    )
    API.say([f"{_noun}.delta"], [f"{_name}.delta"], partial(delta, _name, _only))
    for _channel in (BOARD, DASHBOARD):
        _channel.leave_unsaid(
            f"{_noun}.{_done}" for _done in ("messaged", "queued", "status_changed", "delta")
        )
