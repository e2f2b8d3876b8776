"""Lists of steps, however an agent spells them."""

from collections.abc import Iterable
from typing import Any, Literal

from apps.agents.adapters import events

_LISTS = ("todos", "plan", "items", "task_list", "tasks")
_TEXTS = ("content", "title", "step", "text", "description", "subject")
_DONE = frozenset({"completed", "complete", "done", "finished"})
_DOING = frozenset({"in_progress", "in-progress", "inprogress", "doing", "active", "running"})
_MOST = 200


def from_plan(entries: Any) -> tuple[events.Todo, ...]:
    """This will be the steps of a plan update; rows that say nothing are left out."""
    return tuple(_todos(entries if isinstance(entries, list) else []))


def from_input(raw: Any) -> tuple[events.Todo, ...] | None:
    """This will be the steps in a tool's input when it holds a list of them, else None.

    Some agents show their list nowhere else. A row must have a text and a status, so that other
    tools with a field of the same name are not mistaken for it.
    """
    if not isinstance(raw, dict):
        return None
    for name in _LISTS:
        rows = raw.get(name)
        if isinstance(rows, list) and rows and all(_is_step(row) for row in rows):
            return tuple(_todos(rows))
    return None


def _is_step(row: Any) -> bool:
    return isinstance(row, dict) and "status" in row and bool(_text(row))


def _text(row: dict[str, Any]) -> str:
    for name in _TEXTS:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _todos(rows: Iterable[Any]) -> Iterable[events.Todo]:
    for number, row in enumerate(rows, start=1):
        if number > _MOST:
            return
        if isinstance(row, dict) and (text := _text(row)):
            yield events.Todo(
                id=str(number), text=text, status=_status(row), priority=_priority(row)
            )


def _status(row: dict[str, Any]) -> Literal["pending", "in_progress", "completed"]:
    value = str(row.get("status", "")).lower()
    if value in _DONE:
        return "completed"
    return "in_progress" if value in _DOING else "pending"


def _priority(row: dict[str, Any]) -> Literal["high", "medium", "low"]:
    match row.get("priority"):
        case "high":
            return "high"
        case "low":
            return "low"
        case _:
            return "medium"
