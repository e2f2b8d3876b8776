"""Commands of the board socket: the same operations as REST, each answered once."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from django.db import transaction

from apps.agents import operations
from apps.boards import commands as board_commands
from apps.boards import inputs, locks, outputs
from apps.core import ids, problems
from apps.core.live import journal
from apps.core.rest import problem_of

if TYPE_CHECKING:
    from apps.boards.models import Board, Card
    from apps.core.actors import Actor
    from apps.core.live.journal import Entry

# Who presses keys needs far less; who sends more is told so and loses nothing.
BURST = 60
A_SECOND = 30.0
MOST_WAITING = 200
REMEMBERED = 500
MAX_ID = 200

# What agents show on a card is no change that a person could be surprised by.
SHOWN_BY_AGENTS = frozenset(
    {"agentStatus", "hasActiveAgent", "liveLine", "branchName", "stats", "summary", "blocked"}
)
NAMES = (*board_commands.COMMANDS, "delete_card")

Result = tuple[int, dict[str, Any]]


class Allowance:
    """How many commands one connection may still send now."""

    def __init__(self, burst: int = BURST) -> None:
        self._burst = self._left = float(burst)
        self._at = time.monotonic()

    def take(self) -> bool:
        """This will take one, if any is left."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * A_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Answers:
    """The answers a connection was given, by the command's id: a repeated one is not run again."""

    def __init__(self) -> None:
        self._given: OrderedDict[str | int, tuple[str, dict[str, Any]]] = OrderedDict()

    def find(self, command_id: str | int | None) -> tuple[str, dict[str, Any]] | None:
        """This will find the answer given to this id, as message type and payload."""
        return self._given.get(command_id) if command_id is not None else None

    def keep(self, command_id: str | int | None, kind: str, payload: dict[str, Any]) -> None:
        """This will remember an answer; the oldest are forgotten."""
        if command_id is None:
            return
        self._given[command_id] = (kind, payload)
        while len(self._given) > REMEMBERED:
            self._given.popitem(last=False)


def id_of(message: dict[str, Any]) -> str | int | None:
    """This will read a command's `id`, a short text or a whole number; ValidationFailed else."""
    found = message.get("id")
    if found is None or (isinstance(found, int) and not isinstance(found, bool)):
        return found
    if isinstance(found, str) and len(found) <= MAX_ID:
        return found
    detail = f"An id is a whole number or a text of at most {MAX_ID} characters."
    raise problems.ValidationFailed.of("id", detail)


def version_of(message: dict[str, Any]) -> int | None:
    """This will read `expectedVersion`; ValidationFailed when it is no version."""
    found = message.get("expectedVersion")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise problems.ValidationFailed.of("expectedVersion", "Not a version.")
    return found


def run(
    actor: Actor, board: Board, name: str, payload: object, expected_version: int | None
) -> Result:
    """This will execute a command: the board's version after it, and its result.

    With `expected_version`, PreconditionFailed STALE when somebody changed the card since.
    """
    topic = outputs.board_topic(board.pk)
    if name == "delete_card":
        return _delete(actor, board, payload, expected_version)
    with transaction.atomic():
        if expected_version is not None and name != "create_card":
            card_id = board_commands.read(inputs.SocketCard, payload)["card_id"]
            _require_fresh(
                board_commands.card_on(board, actor=actor, card_id=card_id), expected_version
            )
        result = board_commands.COMMANDS[name](actor=actor, board=board, payload=payload)
        return outputs.version_of(topic), result


def _delete(actor: Actor, board: Board, payload: object, expected_version: int | None) -> Result:
    card_id = board_commands.read(inputs.SocketCard, payload)["card_id"]
    card = board_commands.card_on(board, actor=actor, card_id=card_id)
    if expected_version is not None:
        with transaction.atomic():
            _require_fresh(card, expected_version)
    force = isinstance(payload, dict) and payload.get("force") is True
    # Not in a transaction of ours: it stops an agent and saves its work first.
    operations.delete_card(actor=actor, card=card, force=force)
    result = {"cardId": ids.encode("card", card_id)}
    return outputs.version_of(outputs.board_topic(board.pk)), result


def _require_fresh(card: Card, version: int) -> None:
    """Under the card's lock, so that nobody changes it between this look and the command."""
    locks.lock_boards(card.board_id)
    locked = locks.lock_card(card.pk)
    topic = outputs.board_topic(card.board_id)
    bounds = journal.bounds(topic)
    entries = journal.entries_after(topic, version, journal.MAX_REPLAY)
    known = version >= bounds.oldest - 1 and len(entries) < journal.MAX_REPLAY
    if not known or any(_changes(entry, locked.public_id) for entry in entries):
        message = "The card has changed meanwhile."
        raise problems.PreconditionFailed(message, code="STALE", current=outputs.card(locked))


def _changes(entry: Entry, card_id: str) -> bool:
    if entry.kind == "card.updated":
        changed = set(entry.data["changes"]) - SHOWN_BY_AGENTS
        return bool(changed) and entry.data["card"]["id"] == card_id
    return entry.kind == "card.moved" and entry.data["card"]["id"] == card_id


def error_payload(error: Exception, command_id: str | int | None) -> dict[str, Any]:
    """This will be the payload of an `error` message: `{id, code, status, detail, current?}`."""
    problem = problem_of(error)
    payload: dict[str, Any] = {
        "id": command_id,
        "code": problem.code,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        payload["errors"] = problem.errors
    return payload | problem.extra
