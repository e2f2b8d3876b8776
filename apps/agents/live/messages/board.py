"""What the board channels say for each kind of the journal."""

from __future__ import annotations

from typing import Any

from apps.agents.states import BOARD_SPELLING
from apps.core.live.catalogue import Channel
from apps.core.live.frames import Message

BOARD = Channel("board", "Board: WebSocket `/api/v1/ws` and event stream `/api/v1/sse`")

# Kinds after which the snapshot of a board is another one.
BOARD_CHANGES = frozenset(
    {
        "card.created",
        "card.updated",
        "card.moved",
        "card.deleted",
        "column.created",
        "column.updated",
        "column.deleted",
        "column.reordered",
    }
)
DELTA = "delta"
DETAIL = "detail"
NOT_SAID = frozenset({"projectId", "boardId", "attempt"})


def _pick(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


# --- boards --------------------------------------------------------------------------------------


def card(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say what happened to a card, in a message whose size knows nothing of the board."""
    if kind == "card.deleted":
        payload = {"cardId": data["id"], "columnId": data["columnId"]}
        return [Message("card_deleted", payload, only=DELTA)]
    names = ("card", "columnId", "index", "fromColumnId", "changes", "reason", "detail")
    return [Message(kind.replace(".", "_"), _pick(data, *names), only=DELTA)]


def columns(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a board's columns and their order, without their cards."""
    payload = {
        "columns": {key: state_column(column) for key, column in data["columns"].items()},
        "columnOrder": data["columnOrder"],
    }
    return [Message("columns_changed", payload, only=DELTA)]


def state_column(column: dict[str, Any]) -> dict[str, Any]:
    """This will show a column of an event as snapshots show it."""
    shown = {
        "id": column["id"],
        "title": column["name"],
        "columnType": column["columnType"],
        "agentMode": column["agentMode"],
        "wipLimit": column["wipLimit"],
    }
    return shown | ({"key": column["key"]} if column.get("key") else {})


def attachment(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a card has a file more, or one less."""
    return [Message(kind.replace(".", "_"), _pick(data, "cardId", "attachment"), only=DELTA)]


def script(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a script of the project began, printed something, or ended."""
    payload = _pick(data, "scriptId", "runId", "text", "run")
    return [Message(kind.replace(".", "_"), payload, only=DELTA)]


# --- attempts ------------------------------------------------------------------------------------


def status(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say where an attempt stands, in the six words board clients know."""
    said = [attempt_status(data["attemptId"], data["cardId"], data["status"])]
    if kind == "attempt.started":
        said.insert(0, Message("attempt_started", _pick(data, "attemptId", "cardId")))
    return said + _changed(data)


def _changed(data: dict[str, Any]) -> list[Message]:
    """The attempt as snapshots have it, for those who keep theirs by small changes."""
    if "attempt" not in data:
        return []
    return [Message("attempt_updated", _pick(data, "cardId", "attempt"), only=DELTA)]


def attempt_status(attempt_id: str, card_id: str, inner: str) -> Message:
    """This will be the message of an attempt's state."""
    spelled = BOARD_SPELLING.get(inner, inner)
    payload = {"attemptId": attempt_id, "cardId": card_id, "status": spelled}
    return Message("attempt_status", payload)


def logged(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say each line of a batch."""
    attempt_id = data["attemptId"]
    return [
        Message(
            "attempt_log",
            {"attemptId": attempt_id, **_pick(entry, "level", "message", "ts")},
            only=DETAIL,
            attempt_id=attempt_id,
            seq=int(entry["id"].rpartition("-")[2]),
        )
        for entry in data["logs"]
    ]


def conversed(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say each item of a batch."""
    return [conversation_item(data["attemptId"], item) for item in data["items"]]


def conversation_item(attempt_id: str, item: dict[str, Any]) -> Message:
    """This will be the message of a conversation item, new or changed."""
    payload = {"attemptId": attempt_id, "item": item}
    seq = int(item.get("seq") or 0)
    return Message("conversation_item", payload, only=DETAIL, attempt_id=attempt_id, seq=seq)


def streamed(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a passing piece of text; the item that completes it is journalled."""
    of = "itemId" if kind == "attempt.delta" else "terminalId"
    name = "conversation_delta" if kind == "attempt.delta" else "terminal_output"
    payload = _pick(data, "attemptId", "cardId", of)
    payload["text"] = data["delta" if kind == "attempt.delta" else "text"]
    return [Message(name, payload, only=DETAIL, attempt_id=data["attemptId"])]


def session(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the agent's own handle of the session."""
    said = Message("attempt_session", _pick(data, "attemptId", "sessionId"))
    return [said, *_changed(data)]


def todos(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the agent's list; board clients know open and done."""
    items = [
        {
            "id": item["id"],
            "text": item["text"],
            "status": "done" if item["status"] in {"done", "completed"} else "open",
        }
        for item in data["todos"]["items"]
    ]
    completed = sum(item["status"] == "done" for item in items)
    summary = {"total": len(items), "completed": completed, "items": items}
    said = Message("attempt_todos", {"attemptId": data["attemptId"], "todos": summary})
    return [said, *_changed(data)]


def approval(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a person is asked, or has answered."""
    return [Message("attempt_approval", _pick(data, "attemptId", "cardId", "approval"))]


def plan(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the plan that waits for approval."""
    return [Message("attempt_plan", _pick(data, "attemptId", "cardId", "approvalId", "plan"))]


def context(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that an agent's context is nearly full."""
    payload = _pick(data, "attemptId", "cardId", "contextUsage", "threshold", "mode")
    return [Message("attempt_context", payload), *_changed(data)]


def usage(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say what an attempt has used so far."""
    return [Message("attempt_usage", _pick(data, "attemptId", "usage")), *_changed(data)]


# --- git, pull requests, agents, terminals -------------------------------------------------------


def git_status(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a worktree's state is another one; clients ask what they need of it."""
    return [Message("git_status", {}), *_changed(data)]


def git_commit(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a new commit."""
    return [Message("git_commit", _of_attempt(data, "shortSha", "subject", "ts"))]


def git_push(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a branch was pushed."""
    return [Message("git_push", _of_attempt(data, "remote", "branch", "ts"))]


def git_other(kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say a merge, a rebase or a failed push, with what is known of it."""
    name = {
        "git.merged": "git_merge",
        "git.rebased": "git_rebase",
        "git.push_failed": "git_push_failed",
    }[kind]
    payload = {key: value for key, value in data.items() if key not in NOT_SAID}
    return [Message(name, payload | {"attemptId": data.get("attemptId") or ""}), *_changed(data)]


def pull_request(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say the pull request of an attempt."""
    return [Message("attempt_pr", _of_attempt(data, "pr"))]


def _of_attempt(data: dict[str, Any], *names: str) -> dict[str, Any]:
    # Known without an attempt as well: somebody commits by hand.
    return {"attemptId": data.get("attemptId") or "", **_pick(data, *names)}


def agent_profile(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a profile was created, updated or deleted."""
    known = _pick(data, "kind", "profileId", "agent")
    return [Message("agent_profile", {**known, "label": data.get("label")})]


def agent_registered(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that an agent can be chosen now."""
    return [Message("agent_registered", {"agent": data["agent"], "label": data.get("label")})]


def terminal_opened(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that somebody opened a terminal in a card's worktree."""
    payload = _pick(data, "projectId", "cardId", "attemptId", "worktreePath")
    return [Message("terminal_opened", payload)]


def terminal_closed(_kind: str, data: dict[str, Any]) -> list[Message]:
    """This will say that a card's terminal is gone, and why."""
    return [Message("terminal_closed", _pick(data, "projectId", "cardId", "reason"))]


for _kind in ("created", "updated", "moved", "deleted"):
    BOARD.say([f"card.{_kind}"], ["state", f"card_{_kind}"], card)
BOARD.say(["card.auto_mode_ended"], ["card_auto_mode_ended"], card)
BOARD.say(
    ["column.created", "column.updated", "column.deleted", "column.reordered"],
    ["state", "columns_changed"],
    columns,
)
for _kind in ("created", "deleted"):
    BOARD.say([f"attachment.{_kind}"], [f"attachment_{_kind}"], attachment)
for _kind in ("started", "output", "finished"):
    BOARD.say([f"script.{_kind}"], [f"script_{_kind}"], script)
BOARD.say(["attempt.started"], ["attempt_started", "attempt_status", "attempt_updated"], status)
BOARD.say(
    ["attempt.queued", "attempt.status_changed", "attempt.completed"],
    ["attempt_status", "attempt_updated"],
    status,
)
BOARD.say(["attempt.logged"], ["attempt_log"], logged)
BOARD.say(["attempt.conversed"], ["conversation_item"], conversed)
BOARD.say(["attempt.delta"], ["conversation_delta"], streamed)
BOARD.say(["terminal.output"], ["terminal_output"], streamed)
BOARD.say(["attempt.session_recorded"], ["attempt_session", "attempt_updated"], session)
BOARD.say(["attempt.todos_updated"], ["attempt_todos", "attempt_updated"], todos)
BOARD.say(
    ["attempt.approval_requested", "attempt.approval_answered"], ["attempt_approval"], approval
)
BOARD.say(["attempt.plan_proposed"], ["attempt_plan"], plan)
BOARD.say(["attempt.context_filled"], ["attempt_context", "attempt_updated"], context)
BOARD.say(["attempt.usage_updated"], ["attempt_usage", "attempt_updated"], usage)
BOARD.say(["git.status_changed"], ["git_status", "attempt_updated"], git_status)
BOARD.say(["git.committed"], ["git_commit"], git_commit)
BOARD.say(["git.pushed"], ["git_push"], git_push)
BOARD.say(["git.merged"], ["git_merge", "attempt_updated"], git_other)
BOARD.say(["git.rebased"], ["git_rebase"], git_other)
BOARD.say(["git.push_failed"], ["git_push_failed"], git_other)
BOARD.say(["pull_request.created", "pull_request.updated"], ["attempt_pr"], pull_request)
BOARD.say(["agent_profile.changed"], ["agent_profile"], agent_profile)
BOARD.say(["agent.registered"], ["agent_registered"], agent_registered)
BOARD.say(["terminal.opened"], ["terminal_opened"], terminal_opened)
BOARD.say(["terminal.closed"], ["terminal_closed"], terminal_closed)
BOARD.announce(["presence.told", "presence.asked"], ["presence"])
# What other topics carry, and board clients do not hear.
BOARD.leave_unsaid(
    f"{noun}.{done}"
    for noun, things in {
        "attempt": "summary_asked",
        "board": "created updated deleted reordered",
        "board_template": "created updated deleted",
        "card": "read",
        "project": "created updated deleted clone_requested transferred reordered read",
        "member": "added updated removed invited uninvited",
        "membership": "created updated deleted",
        "organization": "created updated deleted credential_chosen",
        "user": "created updated deleted",
        "token": "created",
        "credential": "created updated deleted verified",
        "credentials": "ended",
        "log": "entry",
        "notification": "created read",
        "preferences": "updated",
        "script": "created updated deleted reordered",
        "server": "registration_changed settings_changed",
    }.items()
    for done in things.split()
)
