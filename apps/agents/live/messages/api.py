"""What `/api/ws` says for each kind of the journal: the shapes REST answers with.

Every message of a project carries `projectId`; a row is flat beside it, so that clients keep what
they were told exactly as they keep what they asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.agents.outputs.sessions import message_of
from apps.agents.states import rest_spelling
from apps.core.live.catalogue import Channel
from apps.core.live.frames import Message

if TYPE_CHECKING:
    from collections.abc import Callable

API = Channel("api", "Projects: WebSocket `/api/ws`", topics=["project", "board", "user", "server"])

# Who hears it without a subscription: the person it is for, or everybody.
OWN = "own"
EVERYBODY = "everybody"

# After these the boards of a project are others.
NEW_BOARD = "board.created"
GONE_BOARD = "board.deleted"
GONE_PROJECT = "project.deleted"


def _pick(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def as_it_is(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say what the journal has, under the kind's own name."""
    return [Message(kind, data)]


def named(name: str, only: str = "") -> Callable[[str, Any], list[Message]]:
    """This will make an encoder that says what the journal has under another name."""

    def encode(_kind: str, data: dict[str, Any]) -> list[Message]:
        return [Message(name, data, only=only)]

    return encode


# --- projects and boards -------------------------------------------------------------------------


def project(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a changed project as it is for everybody."""
    place = _pick(data, "projectId", "changes")
    return [Message(kind, {**place, **data["project"]})]


def board(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a board's row, its id when it is gone, or all boards in a new order.

    The columns that a new board begins with are said after it.
    """
    place = _pick(data, "projectId")
    if kind == "board.reordered":
        return [Message(kind, {**place, "boards": data["boards"]})]
    if kind == GONE_BOARD:
        return [Message(kind, {**place, "id": data["id"]})]
    row = next(row for row in data["boards"] if row["id"] == data["id"])
    columns = data.get("columns", ())
    return [
        Message(kind, {**place, **row}),
        *(Message("column.created", {**place, **one}) for one in columns),
    ]


def column(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a column's row, its id when it is gone, or all columns in a new order."""
    place = _pick(data, "projectId", "boardId")
    if kind == "column.deleted":
        return [Message(kind, {**place, "id": data["id"]})]
    if kind == "column.reordered" or data.get("id") not in data["columns"]:
        columns = [data["columns"][column_id] for column_id in data["columnOrder"]]
        return [Message(kind, {**place, "columns": columns})]
    return [Message(kind, {**place, **data["columns"][data["id"]]})]


def card(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a card's row, or of a deleted one where it was."""
    if kind == "card.deleted":
        return [Message(kind, _pick(data, "projectId", "boardId", "id", "columnId"))]
    more = _pick(data, "projectId", "changes", "fromColumnId", "fromBoardId")
    return [Message(kind, {**data["card"], **more})]


def auto_mode_ended(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a card goes on by itself no longer, and why."""
    more = _pick(data, "projectId", "reason", "detail")
    return [Message("card.autoModeEnded", {**data["card"], **more})]


def attachment(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a card's file."""
    place = _pick(data, "projectId", "boardId", "cardId")
    return [Message(kind, {**place, **data["attachment"]})]


def script(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say how a run of a script stands; its output is asked for or comes by itself."""
    return [Message("script.status", {**data["run"], **_pick(data, "projectId", "runId")})]


def scripts(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the scripts of a project."""
    return [Message(kind, _pick(data, "projectId", "id", "scripts"))]


def members(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say who came to or left a project, or has another role there."""
    payload = {"change": kind.partition(".")[2], **_pick(data, "projectId", "member")}
    return [Message("members.changed", payload)]


# --- agents --------------------------------------------------------------------------------------


def _place(data: dict[str, Any]) -> dict[str, Any]:
    found = _pick(data, "projectId", "boardId", "cardId")
    return found | {"sessionId": data.get("attemptId") or None}


def status(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say where a card's agent stands, in the words of the session lists."""
    attempt = data["attempt"]
    shown = {
        **_place(data),
        "status": rest_spelling(attempt["state"], attempt["waitingFor"] or ""),
        "contextUsage": _percent(attempt["usage"]),
        **_pick(attempt, "agent", "reason", "detail", "startedAt", "endedAt"),
    }
    return [Message("agent.status", shown)]


def _percent(usage: dict[str, Any]) -> int | None:
    size = usage["contextSize"]
    return round(100 * usage["contextUsed"] / size) if size else None


def conversed(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say each item of a batch as the message list has it; a known id is replaced."""
    place = _pick(data, "projectId", "boardId", "cardId")
    return [
        Message("agent.message", {**place, **message_of(item, data["attemptId"])})
        for item in data["items"]
    ]


def todos(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the agent's list."""
    return [Message("agent.todos", {**_place(data), "todos": data["todos"]})]


def plan(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the plan that waits for approval."""
    return [Message("agent.plan", {**_place(data), **_pick(data, "approvalId", "plan")})]


def approval(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a person is asked, or has answered."""
    return [Message("agent.approval", {**_place(data), "approval": data["approval"]})]


def usage(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say how full the agent's context is, in percent, and what was used."""
    shown = {"contextUsage": _percent(data["usage"]), "usage": data["usage"]}
    return [Message("agent.contextUsage", {**_place(data), **shown})]


def context(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that an agent's context is nearly full, and whether it is relayed by itself."""
    warning = _pick(data, "contextUsage", "threshold", "mode")
    return [Message("agent.contextFull", {**_place(data), **warning})]


def git(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say what happened to a branch, with what is known of it."""
    noun, _, done = kind.partition(".")
    noun = "pullRequest" if noun == "pull_request" else noun
    done = {"status_changed": "statusChanged", "push_failed": "pushFailed"}.get(done, done)
    hidden = {"attempt", "attemptId"}
    facts = {key: value for key, value in data.items() if key not in hidden}
    return [Message(f"{noun}.{done}", {**facts, **_place(data)})]


def log_lines(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say each line of a batch of the server's log."""
    return [Message(kind, entry) for entry in data["entries"]]


API.say(["project.updated"], ["project.updated"], project)
API.say([GONE_PROJECT], [GONE_PROJECT], as_it_is)
for _done in ("created", "updated", "deleted", "reordered"):
    API.say(
        [f"board.{_done}"],
        [f"board.{_done}", *(["column.created"] if _done == "created" else [])],
        board,
    )
    API.say([f"column.{_done}"], [f"column.{_done}"], column)
    API.say([f"script.{_done}"], [f"script.{_done}"], scripts)
for _done in ("created", "updated", "moved", "deleted"):
    API.say([f"card.{_done}"], [f"card.{_done}"], card)
API.say(["card.auto_mode_ended"], ["card.autoModeEnded"], auto_mode_ended)
for _done in ("created", "deleted"):
    API.say([f"attachment.{_done}"], [f"attachment.{_done}"], attachment)
API.say(["script.started", "script.finished"], ["script.status"], script)
API.say(["script.output"], ["script.output"], as_it_is)
API.say(
    [f"member.{done}" for done in ("added", "updated", "removed", "invited", "uninvited")],
    ["members.changed"],
    members,
)
API.say(
    ["attempt.queued", "attempt.started", "attempt.status_changed", "attempt.completed"],
    ["agent.status"],
    status,
)
API.say(["attempt.conversed"], ["agent.message"], conversed)
API.say(["attempt.todos_updated"], ["agent.todos"], todos)
API.say(["attempt.plan_proposed"], ["agent.plan"], plan)
API.say(["attempt.approval_requested", "attempt.approval_answered"], ["agent.approval"], approval)
API.say(["attempt.context_filled"], ["agent.contextFull"], context)
API.say(["attempt.usage_updated"], ["agent.contextUsage"], usage)
for _kind, _name in {
    "git.status_changed": "git.statusChanged",
    "git.committed": "git.committed",
    "git.pushed": "git.pushed",
    "git.push_failed": "git.pushFailed",
    "git.merged": "git.merged",
    "git.rebased": "git.rebased",
    "pull_request.created": "pullRequest.created",
    "pull_request.updated": "pullRequest.updated",
}.items():
    API.say([_kind], [_name], git)
API.say(["notification.created"], ["notification"], named("notification", OWN))
API.say(["notification.read"], ["notification.read"], named("notification.read", OWN))
for _kind in ("card.read", "project.read"):
    API.say([_kind], [_kind], named(_kind, OWN))
API.say(["log.entry"], ["log.entry"], log_lines)
for _kind in ("agent.registered", "agent_profile.changed"):
    API.say([_kind], [_kind], named(_kind, EVERYBODY))
# Bulky or passing, told to those who follow a board; or nobody else's business.
API.leave_unsaid(
    f"{noun}.{done}"
    for noun, things in {
        "attempt": "logged delta session_recorded summary_asked",
        "terminal": "opened closed output",
        "board_template": "created updated deleted",
        "project": "created clone_requested transferred reordered",
        "membership": "created updated deleted",
        "organization": "created updated deleted credential_chosen",
        "user": "created updated deleted",
        "token": "created",
        "credential": "created updated deleted verified",
        "credentials": "ended",
        "preferences": "updated",
        "presence": "told asked",
        "server": "registration_changed settings_changed",
    }.items()
    for done in things.split()
)
