"""Filters that show the state of work: of cards, attempts and columns."""

from collections.abc import Mapping
from typing import TypedDict

from django import template

register = template.Library()

COLUMN_KINDS = ("done", "review", "inProgress", "backlog")


class Look(TypedDict):
    """How a state shows: glyph, word, colour."""

    glyph: str
    word: str
    tone: str


def _look(glyph: str, word: str, tone: str | None = None) -> Look:
    return {"glyph": glyph, "word": word, "tone": tone or glyph}


LOOKS: dict[str, Look] = {
    "idle": _look("queued", "Not started"),
    "queued": _look("queued", "Queued"),
    "running": _look("running", "Running"),
    "stopping": _look("running", "Stopping"),
    "waiting": _look("waiting", "Needs you"),
    "waiting_approval": _look("waiting", "Needs you"),
    "waiting_input": _look("waiting", "Needs you"),
    "paused": _look("paused", "Paused"),
    "review": _look("review", "Review"),
    "succeeded": _look("review", "Review"),
    "completed": _look("review", "Review"),
    "success": _look("done", "Done"),
    "done": _look("done", "Done"),
    "merged": _look("done", "Merged"),
    "failed": _look("failed", "Failed"),
    "error": _look("failed", "Failed"),
    "interrupted": _look("failed", "Interrupted"),
    "stopped": _look("stopped", "Stopped"),
    "cancelled": _look("stopped", "Stopped"),
    "blocked": _look("blocked", "Blocked"),
}


WAITING_WORDS = {
    "plan": "Plan to approve",
    "permission": "Asks permission",
    "question": "Asks you",
    "input": "Waits for you",
}


@register.filter
def state(thing: object) -> Look:
    """This will give glyph, word and tone of a card, an attempt or a status."""
    if not isinstance(thing, Mapping):
        return LOOKS.get(str(thing or "idle"), LOOKS["idle"])
    status = thing.get("agentStatus") or thing.get("state") or thing.get("status") or "idle"
    if status == "succeeded" and thing.get("mergedSha"):
        status = "merged"
    look = LOOKS.get(str(status), LOOKS["idle"])
    waiting_for = str(thing.get("waitingFor") or "")
    if look["tone"] == "waiting" and waiting_for in WAITING_WORDS:
        return {**look, "word": WAITING_WORDS[waiting_for]}
    return look


@register.filter
def label_name(label: object) -> str:
    """This will give the name of a label that is either a text or an object with a name."""
    return str(label.get("name", "")) if isinstance(label, Mapping) else str(label)


@register.filter
def agent_name(agent: object) -> str:
    """This will give the name of an agent that is a key or an object with key and label."""
    if isinstance(agent, Mapping):
        return str(agent.get("label") or agent.get("name") or agent.get("key") or "")
    return str(agent or "")


class Part(TypedDict):
    """One stretch of a bar 100 wide."""

    kind: str
    x: float
    width: float


@register.filter
def column_parts(counts: Mapping[str, int] | None) -> list[Part]:
    """This will lay cards per kind of column end to end in a bar 100 wide."""
    found = [(kind, int((counts or {}).get(kind) or 0)) for kind in COLUMN_KINDS]
    total = sum(number for _kind, number in found) or 1
    parts: list[Part] = []
    at = 0.0
    for kind, number in found:
        width = number / total * 100
        parts.append({"kind": kind, "x": round(at, 2), "width": round(width, 2)})
        at += width
    return parts
