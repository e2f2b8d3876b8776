"""From an agent's events to what is stored of them: conversation items and their live deltas."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from apps.agents.adapters import events
from apps.agents.operations.records import ItemDraft
from apps.core.moments import moment

if TYPE_CHECKING:
    import datetime as dt

OUTPUT_CHARACTERS = 32_768
TEXT_CHARACTERS = 1_000_000
DIFF_CHARACTERS = 16_384
INPUT_CHARACTERS = 8_192


class Transcript:
    """The items of one process, by the agent's own names for them."""

    def __init__(self) -> None:
        self._items: dict[str, ItemDraft] = {}

    def text(self, event: events.Message | events.Thought) -> tuple[ItemDraft, bool]:
        """This will be the item of a text as it stands, and whether it is new."""
        draft, new = self._item(event, "thinking" if isinstance(event, events.Thought) else "")
        before = "" if new or not event.append else str(draft.data["text"])
        data: dict[str, Any] = {
            "text": (before + event.text)[:TEXT_CHARACTERS],
            "format": "markdown",
            "timestamp": draft.data.get("timestamp") or moment(event.at),
        }
        if isinstance(event, events.Message):
            data["role"] = event.role
        draft.data = data
        return draft, new

    def tool(self, event: events.Tool) -> tuple[ItemDraft, bool]:
        """This will be the item of a tool call as it stands, and whether its status is news."""
        draft, new = self._item(event, "tool")
        before = None if new else draft.data["tool"]["status"]
        draft.data = {
            "tool": _tool(event),
            "timestamp": draft.data.get("timestamp") or moment(event.at),
        }
        return draft, before != event.status

    def _item(
        self, event: events.Message | events.Thought | events.Tool, kind: str
    ) -> tuple[ItemDraft, bool]:
        found = self._items.get(event.id)
        if found is not None:
            return found, False
        draft = ItemDraft(
            source_id=event.id[:200], type=kind or "message", turn=event.turn, data={}
        )
        self._items[event.id] = draft
        return draft, True

    def end(self, status: str) -> list[ItemDraft]:
        """This will give the tool calls that no event has closed, closed with a status."""
        left = []
        for draft in self._items.values():
            tool = draft.data.get("tool")
            if tool is not None and tool["status"] in {"created", "running"}:
                draft.data = {**draft.data, "tool": {**tool, "status": status}}
                left.append(draft)
        return left


def prompt_item(turn: int, text: str, *, at: dt.datetime, is_continuation: bool) -> ItemDraft:
    """This will be the item of what a person (or, in their name, the product) told the agent."""
    return ItemDraft(
        source_id=f"{turn}-prompt",
        type="message",
        turn=turn,
        data={
            "role": "system" if is_continuation else "user",
            "text": text,
            "format": "markdown",
            "timestamp": moment(at),
        },
    )


def error_item(turn: int, name: str, text: str, *, details: str, at: dt.datetime) -> ItemDraft:
    """This will be the item that says why a turn failed."""
    data = {"text": text, "timestamp": moment(at)}
    if details:
        data["details"] = details[:OUTPUT_CHARACTERS]
    return ItemDraft(source_id=name, type="error", turn=turn, data=data)


def live_line(event: events.Tool) -> str:
    """This will say in a few words what a tool call does."""
    words = event.title or event.command or event.kind
    return " ".join(words.split())[:200]


def _tool(event: events.Tool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": event.title or event.kind,
        "action": event.kind,
        "status": event.status,
    }
    if event.command:
        shown["command"] = event.command[:INPUT_CHARACTERS]
    if event.started_at:
        shown["startedAt"] = moment(event.started_at)
    if event.completed_at:
        shown["completedAt"] = moment(event.completed_at)
        if event.started_at:
            shown["durationMs"] = round(
                (event.completed_at - event.started_at).total_seconds() * 1000
            )
    if event.exit_code is not None:
        shown["exitCode"] = event.exit_code
    if event.output:
        shown["stdout"] = event.output[-OUTPUT_CHARACTERS:]
    metadata = _metadata(event)
    if metadata:
        shown["metadata"] = metadata
    return shown


def _metadata(event: events.Tool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if event.locations:
        found["locations"] = list(event.locations)
    if event.diffs:
        found["diffs"] = [
            {"path": diff.path, "isNew": diff.old is None, "diff": _unified(diff)}
            for diff in event.diffs
        ]
    if event.truncated or len(event.output) > OUTPUT_CHARACTERS:
        found["truncated"] = True
    if event.input is not None and not event.command and not event.diffs:
        text = json.dumps(event.input, ensure_ascii=False, default=str)
        found["input"] = text[:INPUT_CHARACTERS]
    return found


def _unified(diff: events.Diff) -> str:
    if len(diff.new) + len(diff.old or "") > DIFF_CHARACTERS * 16:
        return ""
    lines = difflib.unified_diff(
        (diff.old or "").splitlines(keepends=True),
        diff.new.splitlines(keepends=True),
        f"a/{diff.path}" if diff.old is not None else "/dev/null",
        f"b/{diff.path}",
    )
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return text[:DIFF_CHARACTERS]
