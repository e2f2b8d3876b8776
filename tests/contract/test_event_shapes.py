"""Every message clients are promised: that it exists, and that it has exactly its keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from apps.accounts.models import User
from apps.agents import events as agent_events
from apps.agents.live.api_shapes import API_KEYS
from apps.agents.live.messages import API, BOARD, DASHBOARD
from apps.agents.live.shapes import KEYS
from apps.agents.models import Attempt
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.core.actors import Actor
from apps.core.live.catalogue import Channel
from apps.core.live.frames import EVENT_STREAM, Message
from apps.core.models import Event
from tests import factories
from tests.people import actor_of

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = Actor.system("test")

# What clients of the two documents that describe the board and dashboard channels are promised.
PROMISED = {
    "hello": {"serverTime"},
    "heartbeat": {"ts"},
    "attempt_started": {"attemptId", "cardId"},
    "attempt_status": {"attemptId", "cardId", "status"},
    "attempt_log": {"attemptId", "level", "message", "ts"},
    "conversation_item": {"attemptId", "item"},
    "attempt_session": {"attemptId", "sessionId"},
    "attempt_todos": {"attemptId", "todos"},
    "git_status": set(),
    "git_commit": {"attemptId", "shortSha", "subject", "ts"},
    "git_push": {"attemptId", "remote", "branch", "ts"},
    "attempt_pr": {"attemptId", "pr"},
    "agent_profile": {"kind", "profileId", "agent", "label"},
    "agent_registered": {"agent", "label"},
    "terminal_opened": {"projectId", "cardId", "attemptId", "worktreePath"},
    "terminal_closed": {"projectId", "cardId", "reason"},
}
ALL_TYPES = {*PROMISED, "state", "dashboard_overview"}


def test_the_eighteen_promised_types_are_described_with_their_keys() -> None:
    assert len(ALL_TYPES) == 18
    assert {name: set(KEYS[name]) for name in PROMISED} == PROMISED
    assert set(KEYS) >= ALL_TYPES


@pytest.mark.parametrize(
    ("channel", "described"),
    [(BOARD, set(KEYS)), (DASHBOARD, set(KEYS)), (API, set(API_KEYS))],
    ids=["board", "dashboard", "api"],
)
def test_every_type_that_a_kind_becomes_is_described(channel: Channel, described: set[str]) -> None:
    said = {name for types in channel.types.values() for name in types}
    assert said - described == set(), "add it to shapes.py or api_shapes.py"


def test_the_reference_in_the_docs_is_what_the_code_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("events_reference")
    written = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == written, "run: manage.py events_reference"


def recorded_kinds() -> set[str]:
    """Every kind that a module of events names, or that is recorded or sent in place."""
    found: set[str] = set()
    for path in (ROOT / "apps").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if path.name == "events.py" and path.parent.parent == ROOT / "apps":
                found |= kinds_in([node])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith(
                ("events.", "journal.", "publishing.")
            ):
                kind = [word.value for word in node.keywords if word.arg == "kind"]
                found |= kinds_in(list[ast.AST]([*node.args, *kind]))
    return found


def kinds_in(nodes: list[ast.AST]) -> set[str]:
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[a-z_]+\.[a-z_]+", node.value)
    }


@pytest.mark.parametrize("channel", [BOARD, DASHBOARD, API], ids=lambda channel: channel.name)
def test_every_kind_of_the_journal_is_said_or_left_unsaid(channel: Channel) -> None:
    kinds = recorded_kinds()
    assert {"card.moved", "attempt.conversed", "board.created"} <= kinds
    assert kinds - set(channel.types) == set(), "add them to apps/agents/live/messages/"


def test_the_channels_know_the_same_kinds() -> None:
    every = {*BOARD.types, *DASHBOARD.types, *API.types}
    missing = {channel.name: every - set(channel.types) for channel in (BOARD, DASHBOARD, API)}
    assert missing == {"board": set(), "dashboard": set(), "api": set()}


def check(messages: list[Message]) -> None:
    for message in messages:
        assert set(message.payload) == KEYS[message.type], message.type
        assert EVENT_STREAM.frame(message).wire.count(b"\n") == 3


def check_data(messages: list[Message]) -> None:
    """As `check`, for what `/api/ws` says."""
    for message in messages:
        required, optional = API_KEYS[message.type]
        assert set(message.payload) - optional == required, message.type
        assert message.payload["projectId"]


ATTEMPT_KINDS: dict[str, Callable[[Attempt], Any]] = {
    "attempt.queued": lambda row: agent_events.attempt_queued(row, position=1, actor=SYSTEM),
    "attempt.started": lambda row: agent_events.attempt_started(row, turn=1, actor=SYSTEM),
    "attempt.status_changed": lambda row: agent_events.attempt_status_changed(row, actor=SYSTEM),
    "attempt.completed": lambda row: agent_events.attempt_completed(row, actor=SYSTEM),
    "attempt.logged": lambda row: agent_events.attempt_logged(
        row, [factories.AttemptLog.create(attempt=row)], actor=SYSTEM
    ),
    "attempt.conversed": lambda row: agent_events.attempt_conversed(
        row, [factories.Item.create(attempt=row)], actor=SYSTEM
    ),
    "attempt.session_recorded": lambda row: agent_events.attempt_session_recorded(
        row, actor=SYSTEM
    ),
    "attempt.todos_updated": lambda row: agent_events.attempt_todos_updated(row, actor=SYSTEM),
    "attempt.approval_requested": lambda row: agent_events.attempt_approval_requested(
        row, factories.Approval.create(attempt=row), actor=SYSTEM
    ),
    "attempt.approval_answered": lambda row: agent_events.attempt_approval_answered(
        row, factories.Approval.create(attempt=row), actor=SYSTEM
    ),
    "attempt.plan_proposed": lambda row: agent_events.attempt_plan_proposed(
        row, factories.Approval.create(attempt=row), actor=SYSTEM
    ),
    "attempt.usage_updated": lambda row: agent_events.attempt_usage_updated(row, actor=SYSTEM),
    "git.status_changed": lambda row: agent_events.git_status_changed(row, actor=SYSTEM),
    "git.committed": lambda row: agent_events.git_committed(
        row,
        {"sha": "a" * 40, "shortSha": "aaaaaaa", "subject": "Begin"},
        ts="2026-01-01T00:00:00Z",
        actor=SYSTEM,
    ),
    "git.merged": lambda row: agent_events.git_merged(
        row,
        {"ok": True, "base": "main", "sha": "a", "strategy": "merge", "changed": True},
        ts="2026-01-01T00:00:00Z",
        actor=SYSTEM,
    ),
    "terminal.opened": lambda row: agent_events.terminal_opened(
        row, terminal_id="1", command="ls", actor=SYSTEM
    ),
    "terminal.closed": lambda row: agent_events.terminal_closed(
        row, terminal_id="1", reason="process_exit", actor=SYSTEM
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ATTEMPT_KINDS)
def test_what_agents_tell_becomes_messages_with_exactly_their_keys(kind: str) -> None:
    attempt = factories.Attempt.create(
        card__column__board=factories.Board.create(),
        running=True,
        todos=[
            {"id": "1", "text": "Read", "status": "completed"},
            {"id": "2", "text": "Write", "status": "in_progress"},
        ],
    )
    with transaction.atomic():
        ATTEMPT_KINDS[kind](attempt)
    event = Event.objects.get()
    assert event.kind == kind
    messages = BOARD.messages(event.kind, event.data)
    check(messages)
    assert [message.type for message in messages] == list(BOARD.types[kind])
    said = API.messages(event.kind, event.data)
    check_data(said)
    assert [message.type for message in said] == list(API.types[kind])
    if kind == "attempt.todos_updated":
        assert messages[0].payload["todos"] == {
            "total": 2,
            "completed": 1,
            "items": [
                {"id": "1", "text": "Read", "status": "done"},
                {"id": "2", "text": "Write", "status": "open"},
            ],
        }


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("git.pushed", {"attemptId": "a", "remote": "origin", "branch": "main", "ts": "t"}),
        ("pull_request.created", {"attemptId": "a", "pr": {"number": 1}}),
        ("pull_request.updated", {"attemptId": "a", "pr": {"number": 1}}),
        ("agent.registered", {"agent": "demo", "label": None}),
        (
            "agent_profile.changed",
            {"kind": "created", "profileId": "prof_1", "agent": "demo", "label": "Fast"},
        ),
        (
            "attempt.delta",
            {"attemptId": "a", "cardId": "c", "itemId": "i", "type": "message", "delta": "Hi"},
        ),
        ("terminal.output", {"attemptId": "a", "cardId": "c", "terminalId": "t", "text": "$"}),
    ],
)
def test_the_other_messages_have_exactly_their_keys(kind: str, data: dict[str, Any]) -> None:
    check(BOARD.messages(kind, data))


def test_what_git_says_without_an_attempt_has_an_empty_one() -> None:
    data = {"shortSha": "a", "subject": "s", "ts": "t"}
    (message,) = BOARD.messages("git.committed", data)
    assert message.payload == {"attemptId": "", **data}


@pytest.mark.django_db
def test_what_boards_tell_becomes_messages_with_exactly_their_keys(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    actor = actor_of(ada)
    card = operations.create_card(actor=actor, column=columns["backlog"], title="Card")
    operations.update_card(actor=actor, card=card, changes={"title": "Other"})
    operations.move_card(actor=actor, card=card, column_id=columns["review"].pk, position=0)
    operations.create_column(actor=actor, board=board, name="QA", column_type="active")
    operations.delete_card(actor=actor, card=card)
    said = []
    for event in Event.objects.order_by("version"):
        messages = BOARD.messages(event.kind, event.data)
        check(messages)
        check_data(API.messages(event.kind, event.data))
        said += [message.type for message in messages]
    assert said == [
        "card_created",
        "card_updated",
        "card_moved",
        "columns_changed",
        "card_deleted",
    ]
