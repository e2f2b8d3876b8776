"""Every kind of the journal: what it says is true on every channel, and makes the new state.

The old state with the event applied is the new state; for what no state shows, the event says what
`outputs` says of it. A kind that some channel says and that has no entry here fails a test.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from apps.accounts import events as account_events
from apps.accounts import outputs as account_outputs
from apps.accounts.models import Notification, User
from apps.agents import conversation_events, outputs
from apps.agents import events as agent_events
from apps.agents.conversation_tables import Conversation, ConversationItem
from apps.agents.live.api_shapes import API_KEYS
from apps.agents.live.messages import API, BOARD, DASHBOARD
from apps.agents.live.shapes import KEYS
from apps.agents.models import Attempt
from apps.boards import events as board_events
from apps.boards import operations as boards
from apps.boards import outputs as board_outputs
from apps.boards import queries as board_queries
from apps.boards.models import Attachment, Board, Card, Column
from apps.core.actors import Actor
from apps.core.live.frames import dumps
from apps.core.models import Event
from apps.projects import events as project_events
from apps.projects import operations as projects
from apps.projects import outputs as project_outputs
from apps.projects import queries as project_queries
from apps.projects.models import Project, ProjectMember, Script, ScriptRun
from tests import factories, state_equation
from tests.contract.test_event_shapes import recorded_kinds
from tests.people import actor_of

pytestmark = pytest.mark.django_db

SYSTEM = Actor.system("test")
TS = "2026-01-01T00:00:00Z"
NEW = "new@example.org"
State = dict[str, Any]


@dataclass
class World:
    """What there is before something happens."""

    ada: User
    bob: User
    eve: User
    board: Board
    columns: dict[str, Column]
    card: Card
    other: Card
    attempt: Attempt
    script: Script

    @property
    def actor(self) -> Actor:
        return actor_of(self.ada)

    @property
    def project(self) -> Project:
        return Project.objects.get(pk=self.board.project_id)

    @property
    def shown(self) -> Attempt:
        """The attempt as it is now, after something of it changed."""
        self.attempt.live_line = "Reading"
        self.attempt.session_id = "session"
        self.attempt.save()
        return self.attempt


@pytest.fixture
def world(ada: User, bob: User, eve: User, board: Board, columns: dict[str, Column]) -> World:
    actor = actor_of(ada)
    card, other = (
        boards.create_card(actor=actor, column=columns["review"], title=title)
        for title in ("Card", "Other")
    )
    boards.create_board(actor=actor, project=board.project, name="Second")
    todos = [{"id": "1", "text": "Read", "status": "completed"}]
    attempt = factories.Attempt.create(card=card, running=True, todos=todos)
    script = projects.create_script(
        actor=actor, project=board.project, name="Test", command="make test"
    )
    return World(ada, bob, eve, board, columns, card, other, attempt, script)


# --- what happens, and what is true then ---------------------------------------------------------

Make = Callable[[World], object]
Truth = Callable[[World], dict[str, Any]]


def second(world: World) -> Board:
    return Board.objects.get(name="Second")


def boards_now(world: World) -> dict[str, Any]:
    return {"boards": board_outputs.boards(board_queries.boards_of(world.project))}


def columns_now(world: World) -> dict[str, Any]:
    return dict(board_outputs.columns_changed(list(world.board.columns.order_by("rank"))))


def card_now(card: Card) -> dict[str, Any]:
    shown = board_outputs.card(Card.objects.get(pk=card.pk))
    return {"card": shown, "columnId": shown["columnId"], "index": shown["position"]}


def newest_card(world: World) -> dict[str, Any]:
    newest = Card.objects.order_by("-number").first()
    assert newest is not None
    return card_now(newest)


def scripts_now(world: World) -> dict[str, Any]:
    return {"scripts": project_outputs.scripts(project_queries.scripts_of(world.project))}


def attempt_now(world: World) -> dict[str, Any]:
    return {"attempt": outputs.attempt(Attempt.objects.get(pk=world.attempt.pk))}


def member_now(user: User) -> dict[str, Any]:
    return {"member": project_outputs.member(ProjectMember.objects.get(user=user))}


def attached(world: World, done: str) -> None:
    row = Attachment.objects.create(
        card=world.card, filename="a.txt", content_type="text/plain", size=1, path="a"
    )
    board_events.attachment_changed(f"attachment.{done}", world.card, row, actor=world.actor)


def attachment_now(world: World) -> dict[str, Any]:
    return {"attachment": board_outputs.attachment(Attachment.objects.get())}


def run(world: World, done: str) -> None:
    row = ScriptRun.objects.create(script=world.script)
    project_events.run_changed(f"script.{done}", row, actor=world.actor)


def run_now(world: World) -> dict[str, Any]:
    shown = dict(project_outputs.script_status(world.script.pk, ScriptRun.objects.get()))
    del shown["output"]
    return {"run": shown}


def invite(world: World) -> None:
    projects.add_member(actor=world.actor, project=world.project, email=NEW)


def uninvite(world: World) -> None:
    invite(world)
    projects.remove_invitation(actor=world.actor, project=world.project, email=NEW)


def invited_now(world: World) -> dict[str, Any]:
    return {"member": project_outputs.invitation(world.project.invitations.get())}


def approve(tell: Callable[..., Event]) -> Make:
    def make(world: World) -> None:
        tell(world.attempt, factories.Approval.create(attempt=world.attempt), actor=SYSTEM)

    return make


def approval_now(world: World) -> dict[str, Any]:
    row = world.attempt.approvals.get()
    return {"approval": outputs.approval(row, card_id=world.card.public_id)}


def conversation(world: World, kind: str) -> Conversation:
    card = world.card if kind == "presession" else None
    return Conversation.objects.create(
        kind=kind, project=world.project, card=card, person=world.ada, agent="demo"
    )


def talk(kind: str) -> Make:
    def make(world: World) -> None:
        talking = conversation(world, kind)
        item = ConversationItem.objects.create(
            conversation=talking,
            position=1,
            seq=1,
            source_id="1",
            type="message",
            role="assistant",
            data={"role": "assistant", "text": "Hello."},
        )
        conversation_events.conversation_messaged(talking, [item], actor=SYSTEM)

    return make


def talk_now(world: World) -> dict[str, Any]:
    talking, item = Conversation.objects.get(), ConversationItem.objects.get()
    return {"messages": [outputs.conversation_message(talking, item)]}


def conversation_now(world: World) -> dict[str, Any]:
    return dict(outputs.conversation_state(Conversation.objects.get()))


def notify(world: World) -> None:
    row = Notification.objects.create(user=world.bob, event="agentFailed", title="Failed")
    account_events.notification_created(row, channels=["inApp"], unread=1, actor=SYSTEM)


def notified_now(world: World) -> dict[str, Any]:
    return {"notification": account_outputs.notification(Notification.objects.get())}


def nothing_more(world: World) -> dict[str, Any]:
    return {}


COMMIT: Any = {"sha": "a" * 40, "shortSha": "aaaaaaa", "subject": "Begin"}
MERGE: Any = {"ok": True, "base": "main", "sha": "a", "strategy": "merge", "changed": True}

EVERY: dict[str, tuple[Make, Truth]] = {
    "board.created": (
        lambda w: boards.create_board(actor=w.actor, project=w.project, name="Third"),
        boards_now,
    ),
    "board.updated": (
        lambda w: boards.rename_board(actor=w.actor, board=second(w), name="Renamed"),
        boards_now,
    ),
    "board.deleted": (
        lambda w: boards.delete_board(actor=w.actor, board=second(w)),
        boards_now,
    ),
    "board.reordered": (
        lambda w: boards.reorder_boards(
            actor=w.actor, project=w.project, board_ids=[second(w).pk, w.board.pk]
        ),
        boards_now,
    ),
    "column.created": (
        lambda w: boards.create_column(
            actor=w.actor, board=w.board, name="QA", column_type="active"
        ),
        columns_now,
    ),
    "column.updated": (
        lambda w: boards.update_column(
            actor=w.actor, column=w.columns["done"], changes={"name": "Fin"}
        ),
        columns_now,
    ),
    "column.deleted": (
        lambda w: boards.delete_column(actor=w.actor, column=w.columns["done"]),
        columns_now,
    ),
    "column.reordered": (
        lambda w: boards.reorder_columns(
            actor=w.actor,
            board=w.board,
            column_ids=[column.pk for column in w.board.columns.order_by("-rank")],
        ),
        columns_now,
    ),
    "card.created": (
        lambda w: boards.create_card(actor=w.actor, column=w.columns["review"], title="New"),
        newest_card,
    ),
    "card.updated": (
        lambda w: boards.update_card(actor=w.actor, card=w.card, changes={"title": "Other"}),
        lambda w: card_now(w.card),
    ),
    "card.moved": (
        lambda w: boards.move_card(
            actor=w.actor, card=w.card, column_id=w.columns["done"].pk, position=0
        ),
        lambda w: card_now(w.card),
    ),
    "card.deleted": (
        lambda w: boards.delete_card(actor=w.actor, card=w.other),
        lambda w: {"columnId": w.columns["review"].public_id},
    ),
    "card.auto_mode_ended": (
        lambda w: board_events.auto_mode_ended(w.card, reason="r", detail="d", actor=w.actor),
        lambda w: card_now(w.card),
    ),
    "card.read": (
        lambda w: boards.see_card(actor=actor_of(w.bob), card=w.card),
        lambda w: {
            "id": w.card.public_id,
            "hasUnread": board_outputs.card_detail(w.card, viewer=w.bob)["hasUnread"],
        },
    ),
    "attachment.created": (lambda w: attached(w, "created"), attachment_now),
    "attachment.deleted": (lambda w: attached(w, "deleted"), attachment_now),
    "script.created": (
        lambda w: projects.create_script(
            actor=w.actor, project=w.project, name="Lint", command="make lint"
        ),
        scripts_now,
    ),
    "script.updated": (
        lambda w: projects.update_script(actor=w.actor, script=w.script, changes={"name": "Check"}),
        scripts_now,
    ),
    "script.deleted": (
        lambda w: projects.delete_script(actor=w.actor, script=w.script),
        scripts_now,
    ),
    "script.reordered": (
        lambda w: project_events.scripts_changed("script.reordered", w.project, actor=w.actor),
        scripts_now,
    ),
    "script.started": (lambda w: run(w, "started"), run_now),
    "script.finished": (lambda w: run(w, "finished"), run_now),
    "member.added": (
        lambda w: projects.add_member(actor=w.actor, project=w.project, email=w.eve.email),
        lambda w: member_now(w.eve),
    ),
    "member.updated": (
        lambda w: projects.update_member(
            actor=w.actor, project=w.project, user_id=w.bob.pk, role="admin"
        ),
        lambda w: member_now(w.bob),
    ),
    "member.removed": (
        lambda w: projects.remove_member(actor=w.actor, project=w.project, user_id=w.bob.pk),
        lambda w: {"userId": w.bob.public_id},
    ),
    "member.invited": (invite, invited_now),
    "member.uninvited": (
        uninvite,
        lambda w: {"projectName": w.project.name},
    ),
    "project.updated": (
        lambda w: projects.update_project(
            actor=w.actor, project=w.project, changes={"name": "Machine"}
        ),
        lambda w: {"project": project_outputs.project_facts(w.project)},
    ),
    "project.deleted": (
        lambda w: projects.delete_project(actor=w.actor, project=w.project),
        nothing_more,
    ),
    "project.read": (
        lambda w: projects.mark_all_read(actor=actor_of(w.bob), project=w.project),
        lambda w: {"unreadCount": board_queries.unread_of(w.bob, [w.project.pk]).count()},
    ),
    "attempt.queued": (
        lambda w: agent_events.attempt_queued(w.shown, position=1, actor=SYSTEM),
        attempt_now,
    ),
    "attempt.started": (
        lambda w: agent_events.attempt_started(w.shown, turn=1, actor=SYSTEM),
        attempt_now,
    ),
    "attempt.status_changed": (
        lambda w: agent_events.attempt_status_changed(w.shown, actor=SYSTEM),
        attempt_now,
    ),
    "attempt.completed": (
        lambda w: agent_events.attempt_completed(w.shown, actor=SYSTEM),
        attempt_now,
    ),
    "attempt.session_recorded": (
        lambda w: agent_events.attempt_session_recorded(w.shown, actor=SYSTEM),
        attempt_now,
    ),
    "attempt.todos_updated": (
        lambda w: agent_events.attempt_todos_updated(w.shown, actor=SYSTEM),
        lambda w: attempt_now(w) | {"todos": outputs.todos(w.attempt)},
    ),
    "attempt.usage_updated": (
        lambda w: agent_events.attempt_usage_updated(w.shown, actor=SYSTEM),
        lambda w: attempt_now(w) | {"usage": outputs.usage(w.attempt)},
    ),
    "attempt.context_filled": (
        lambda w: agent_events.attempt_context_filled(
            w.shown, percent=90, threshold=80, mode="manual", actor=SYSTEM
        ),
        attempt_now,
    ),
    "attempt.logged": (
        lambda w: agent_events.attempt_logged(
            w.attempt, [factories.AttemptLog.create(attempt=w.attempt)], actor=SYSTEM
        ),
        lambda w: {"logs": [outputs.log(row) for row in w.attempt.logs.all()]},
    ),
    "attempt.conversed": (
        lambda w: agent_events.attempt_conversed(
            w.attempt, [factories.Item.create(attempt=w.attempt)], actor=SYSTEM
        ),
        lambda w: {"items": [outputs.item(row) for row in w.attempt.items.all()]},
    ),
    "attempt.approval_requested": (
        approve(agent_events.attempt_approval_requested),
        approval_now,
    ),
    "attempt.approval_answered": (approve(agent_events.attempt_approval_answered), approval_now),
    "attempt.plan_proposed": (
        approve(agent_events.attempt_plan_proposed),
        lambda w: {"approvalId": w.attempt.approvals.get().public_id},
    ),
    "git.status_changed": (
        lambda w: agent_events.git_status_changed(w.shown, actor=SYSTEM),
        lambda w: attempt_now(w) | {"stats": outputs.stats(w.attempt)},
    ),
    "git.committed": (
        lambda w: agent_events.git_committed(w.attempt, COMMIT, ts=TS, actor=SYSTEM),
        lambda w: COMMIT,
    ),
    "git.merged": (
        lambda w: agent_events.git_merged(w.shown, MERGE, ts=TS, actor=SYSTEM),
        lambda w: attempt_now(w) | MERGE,
    ),
    "terminal.opened": (
        lambda w: agent_events.terminal_opened(
            w.attempt, terminal_id="1", command="ls", actor=SYSTEM
        ),
        lambda w: {"worktreePath": w.attempt.worktree_path},
    ),
    "terminal.closed": (
        lambda w: agent_events.terminal_closed(
            w.attempt, terminal_id="1", reason="process_exit", actor=SYSTEM
        ),
        nothing_more,
    ),
    **{f"{kind}.messaged": (talk(kind), talk_now) for kind in ("presession", "assistant")},
    "presession.queued": (
        lambda w: conversation_events.conversation_queued(
            conversation(w, "presession"), actor=SYSTEM
        ),
        conversation_now,
    ),
    "assistant.queued": (
        lambda w: conversation_events.conversation_queued(
            conversation(w, "assistant"), actor=SYSTEM
        ),
        conversation_now,
    ),
    "presession.status_changed": (
        lambda w: conversation_events.conversation_status_changed(
            conversation(w, "presession"), actor=SYSTEM
        ),
        conversation_now,
    ),
    "assistant.status_changed": (
        lambda w: conversation_events.conversation_status_changed(
            conversation(w, "assistant"), actor=SYSTEM
        ),
        conversation_now,
    ),
    "notification.created": (notify, notified_now),
    "notification.read": (
        lambda w: account_events.notifications_read(w.bob, unread=0, actor=SYSTEM),
        lambda w: {"unreadCount": Notification.objects.count()},
    ),
}
# They pass: no version, no replay, no state. What completes them is journalled.
PASSING = {
    "assistant.delta",
    "attempt.delta",
    "log.entry",
    "presence.asked",
    "presence.told",
    "presession.delta",
    "script.output",
    "terminal.output",
}
# Clients are told their shape, and nothing here makes them yet: forges, and agents that plug in.
FORETOLD = {
    "agent.registered",
    "agent_profile.changed",
    "git.push_failed",
    "git.pushed",
    "git.rebased",
    "pull_request.created",
    "pull_request.updated",
}
# What is said of a board's things that a snapshot of the board does not show.
BESIDE = {
    "attachment.created",
    "attachment.deleted",
    "attempt.approval_answered",
    "attempt.approval_requested",
    "attempt.conversed",
    "attempt.logged",
    "attempt.plan_proposed",
    "git.committed",
    "terminal.closed",
    "terminal.opened",
}


def test_every_kind_that_a_channel_says_is_here() -> None:
    # A dashboard says its numbers anew after any of these, and nothing of the kind itself.
    said = {
        kind for channel in (BOARD, API) for kind, types in channel.types.items() if types
    } | set(DASHBOARD.encoders)
    assert said == {*EVERY, *PASSING, *FORETOLD}
    assert recorded_kinds() & FORETOLD == set(), "it is made now: give it an entry in EVERY"


def plain(value: Any) -> Any:
    """As a client reads it."""
    return json.loads(dumps(value))


def snapshot(board: Board) -> State:
    return copy.deepcopy(plain(board_outputs.board_state(Board.objects.get(pk=board.pk))))


def apply(state: State, event: Event) -> None:
    """What a client of a board does with an event."""
    kind, data = event.kind, event.data
    if kind.partition(".")[0] in {"card", "column"}:
        state_equation.apply(state, kind, data)
        if kind == "card.deleted":
            state["attempts"].pop(data["id"], None)
    elif "attempt" in data:
        state["attempts"][data["cardId"]] = data["attempt"]
    else:
        assert kind in BESIDE, kind
    state["version"] = event.version


@pytest.mark.parametrize("kind", EVERY)
def test_an_event_says_what_is_true_and_makes_the_new_state_of_the_old(
    kind: str, world: World
) -> None:
    make, truth = EVERY[kind]
    project_id = world.project.public_id
    state = snapshot(world.board)
    with transaction.atomic():
        make(world)

    event = Event.objects.filter(kind=kind).order_by("-pk").first()
    assert event is not None
    if kind != "project.deleted":
        for name, value in plain(truth(world)).items():
            assert event.data[name] == value, name
        topic = board_outputs.board_topic(world.board.pk)
        came = Event.objects.filter(topic=topic, version__gt=state["version"])
        for one in came.order_by("version"):
            apply(state, one)
        assert state == snapshot(world.board)

    for channel in (BOARD, DASHBOARD):
        messages = channel.messages(kind, event.data)
        assert {message.type for message in messages} <= set(channel.types[kind])
        for message in messages:
            assert set(plain(message.payload)) == KEYS[message.type], message.type
    messages = API.messages(kind, event.data)
    assert {message.type for message in messages} == set(API.types[kind])
    for message in messages:
        required, optional = API_KEYS[message.type]
        assert set(plain(message.payload)) - optional == required, message.type
        if not message.type.startswith("notification"):
            assert message.payload["projectId"] == project_id
