"""Who holds a board and follows its events holds, at every end, what a fresh snapshot says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from apps.agents import operations
from apps.agents.models import Attempt
from apps.boards import outputs
from apps.boards.models import Board
from apps.core.models import Event
from tests import state_equation
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside
from tests.people import actor_of

Start = Callable[..., Attempt]
# What is said of an attempt without changing what a board shows of it.
SAID = frozenset(
    {
        "attempt.conversed",
        "attempt.logged",
        "attempt.approval_requested",
        "attempt.approval_answered",
        "attempt.plan_proposed",
        "git.committed",
        "terminal.opened",
        "terminal.closed",
    }
)


def apply(state: dict[str, Any], kind: str, data: dict[str, Any]) -> None:
    """What the browser does with an event."""
    if kind.split(".", maxsplit=1)[0] in {"card", "column"}:
        state_equation.apply(state, kind, data)
        if kind == "card.deleted":
            state["attempts"].pop(data["id"], None)
    elif "attempt" in data:
        known = state["attempts"].get(data["cardId"])
        if known is None or known["number"] <= data["attempt"]["number"]:
            state["attempts"][data["cardId"]] = data["attempt"]
    else:
        assert kind in SAID, kind


def snapshot(board: Board) -> dict[str, Any]:
    return copy.deepcopy(dict(outputs.board_state(board)))


class Follower:
    """A client that read the board once and has only followed since."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.state = snapshot(board)

    def agrees(self) -> None:
        """This will apply what came, and compare with the truth."""
        topic = outputs.board_topic(self.board.pk)
        came = Event.objects.filter(topic=topic, version__gt=self.state["version"])
        for event in came.order_by("version"):
            apply(self.state, event.kind, event.data)
            self.state["version"] = event.version
        assert self.state == snapshot(self.board)


@pytest.mark.parametrize(
    "prompt",
    [
        "@plan one; two\n@write a.txt :: a\n@say Done.",
        "@crash",
        "@error 429",
        "@write a.txt :: a\n@error 500",
    ],
)
def test_a_turn_is_followed(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, board: Board, prompt: str
) -> None:
    card = make_card(prompt)
    follower = Follower(board)

    attempt = ada_starts(card)
    follower.agrees()
    run_attempt(attempt)

    follower.agrees()


def test_questions_stops_and_merges_are_followed(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    run_beside: RunBeside,
    board: Board,
) -> None:
    first, second = make_card("@write a.txt :: a"), make_card("@run git status", title="Second")
    follower = Follower(board)
    actor = actor_of(board.project.owner)

    ended = run_attempt(ada_starts(first))
    operations.commit(actor=actor, attempt=ended, subject="feat: a")
    operations.merge(actor=actor, attempt=ended)
    follower.agrees()

    attempt = ada_starts(second)
    beside = run_beside(attempt)
    beside.until(lambda one: one.status == "waiting")
    operations.stop_attempt(actor=actor, attempt=attempt)
    beside.join()
    follower.agrees()

    operations.remove_worktree(actor=actor, attempt=beside.join())
    operations.relaunch_attempt(actor=actor, attempt=attempt)
    follower.agrees()

    operations.delete_card(actor=actor, card=second, force=True)
    follower.agrees()
