"""Filters that show what agents did: their tools, their context, the files they changed."""

from collections.abc import Mapping
from typing import Any, TypedDict

from django import template

register = template.Library()


@register.filter
def context_share(usage: object) -> int:
    """This will give how full the agent's context is, 0 to 100."""
    if not isinstance(usage, Mapping):
        return 0
    part, total = int(usage.get("contextUsed") or 0), int(usage.get("contextSize") or 0)
    return max(0, min(100, round(part / total * 100))) if total else 0


@register.filter
def changed_lines(file: object) -> int:
    """This will give how many lines of a file were added or deleted."""
    if not isinstance(file, Mapping):
        return 0
    return int(file.get("additions") or 0) + int(file.get("deletions") or 0)


@register.filter
def tool_kind(tool: object) -> str:
    """This will give what sort of thing a tool does: as in `execute` or `read`."""
    if not isinstance(tool, Mapping):
        return ""
    return str(tool.get("action") or ("execute" if tool.get("command") else "")).lower()


@register.filter
def tool_target(tool: object) -> str:
    """This will give what a tool works on, its command or path, unless its name says it."""
    if not isinstance(tool, Mapping):
        return ""
    metadata = tool.get("metadata") or {}
    paths = [change.get("path") for change in metadata.get("diffs") or ()]
    target = str(tool.get("command") or next(iter([*paths, *metadata.get("locations", ())]), ""))
    return "" if target == "." or target in str(tool.get("name") or "") else target


LETTER_WORDS = {
    "M": "Modified",
    "A": "Added",
    "D": "Deleted",
    "R": "Renamed",
    "C": "Copied",
    "?": "New, not tracked yet",
    "U": "In conflict",
}


@register.filter
def letter(status: object) -> str:
    """This will give the one letter of a file's status, from `M` or `modified` alike."""
    text = str(status or "M")
    return "?" if text.lower() == "untracked" else text[:1].upper()


@register.filter
def letter_word(status: object) -> str:
    """This will give the word for a file's status."""
    return LETTER_WORDS.get(letter(status), "Modified")


class Square(TypedDict):
    """One of the five squares beside a changed file."""

    kind: str
    x: int


@register.filter
def five(file: Mapping[str, Any]) -> list[Square]:
    """This will share five squares between added and deleted lines, the rest neutral."""
    added, deleted = int(file.get("additions") or 0), int(file.get("deletions") or 0)
    total = added + deleted
    filled = min(5, total)
    green = round(filled * added / total) if total else 0
    green = max(green, 1) if added else green
    red = max(filled - green, 1 if deleted else 0)
    kinds = (["add"] * green + ["del"] * red + ["none"] * 5)[:5]
    return [{"kind": kind, "x": index * 9} for index, kind in enumerate(kinds)]
