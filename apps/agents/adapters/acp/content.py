"""Reading content of the Agent Client Protocol: text, diffs, outputs, exit codes, paths."""

import json
import os
import re
from pathlib import Path
from typing import Any

from apps.agents.adapters import events

OUTPUT_CHARACTERS = 256 * 1024
DIFF_CHARACTERS = 1024 * 1024

_OUTPUT_KEYS = ("output", "stdout", "formatted_output", "aggregated_output", "result", "text")
_EXIT_KEYS = ("exit_code", "exitCode", "exit", "returncode", "code")
_COMMAND_KEYS = ("command", "cmd", "script")
_FENCE = re.compile(r"\A\s*```[\w-]*\n(.*?)\n?```\s*\Z", re.DOTALL)
# `bash -lc "…"` around a command says nothing to a reader.
_SHELL_ARGUMENTS = 3


def text_of(block: Any) -> str:
    """This will be what a content block says, as markdown; empty for what has no words."""
    if not isinstance(block, dict):
        return ""
    match block.get("type"):
        case "text":
            return str(block.get("text") or "")
        case "resource_link":
            return f"[{block.get('name') or block.get('uri')}]({block.get('uri')})"
        case "resource":
            resource = block.get("resource")
            return str(resource.get("text") or "") if isinstance(resource, dict) else ""
        case "image":
            return "*(image)*"
        case _:
            return ""


def tool_text(content: list[Any]) -> str:
    """This will be the text of a tool's content; a single code fence around it is taken off."""
    parts = [
        text_of(item.get("content"))
        for item in content
        if isinstance(item, dict) and item.get("type") == "content"
    ]
    text = "\n".join(part for part in parts if part)
    fenced = _FENCE.match(text)
    return fenced.group(1) if fenced and "```" not in fenced.group(1) else text


def output_text(raw: Any) -> str:
    """This will be the readable part of a tool's raw output."""
    if raw is None:
        return ""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        for key in _OUTPUT_KEYS:
            value = raw.get(key)
            if isinstance(value, str) and value:
                errors = raw.get("stderr") if key == "stdout" else None
                return f"{value}\n{errors}" if isinstance(errors, str) and errors else value
        if not (raw.keys() - set(_EXIT_KEYS)):
            return ""
    if isinstance(raw, list) and (text := "\n".join(filter(None, map(text_of, raw)))):
        return text
    return json.dumps(raw, ensure_ascii=False, default=str)


def exit_code(raw: Any) -> int | None:
    """This will be the exit code in a tool's raw output, if it says one."""
    if not isinstance(raw, dict):
        return None
    for key in _EXIT_KEYS:
        value = raw.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return exit_code(raw.get("metadata"))


def command_of(raw: Any) -> str:
    """This will be the shell command in a tool's raw input, empty when there is none."""
    if not isinstance(raw, dict):
        return ""
    for key in _COMMAND_KEYS:
        value = raw.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value:
            words = [str(word) for word in value]
            if len(words) == _SHELL_ARGUMENTS and words[1] in {"-c", "-lc"}:
                return words[2]
            return " ".join(words)
    return ""


def clipped(text: str, *, most: int = OUTPUT_CHARACTERS) -> tuple[str, bool]:
    """This will be a text of bounded length, its middle left out, and whether it was."""
    if len(text) <= most:
        return text, False
    half = most // 2
    return f"{text[:half]}\n... {len(text) - most} characters left out ...\n{text[-half:]}", True


def relative(path: str, *, worktree: Path) -> str:
    """This will be a path as seen from the worktree; one outside stays absolute."""
    full = os.path.normpath(worktree / path)
    try:
        return str(Path(full).relative_to(worktree))
    except ValueError:
        return full


def is_outside(path: str) -> bool:
    """This will be true for a path that `relative` found to leave the worktree."""
    return path == ".." or path.startswith(("/", "../"))


def diffs_of(content: list[Any], *, worktree: Path) -> tuple[events.Diff, ...]:
    """This will be the file changes in a tool's content."""
    found = []
    for item in content:
        if not isinstance(item, dict) or item.get("type") != "diff":
            continue
        path, old, new = item.get("path"), item.get("oldText"), item.get("newText")
        if isinstance(path, str):
            found.append(
                events.Diff(
                    path=relative(path, worktree=worktree),
                    old=old[:DIFF_CHARACTERS] if isinstance(old, str) else None,
                    new=new[:DIFF_CHARACTERS] if isinstance(new, str) else "",
                )
            )
    return tuple(found)


def locations_of(value: Any, *, worktree: Path) -> tuple[str, ...]:
    """This will be the paths a tool says it touches."""
    rows = value if isinstance(value, list) else []
    paths = [row.get("path") for row in rows if isinstance(row, dict)]
    return tuple(relative(path, worktree=worktree) for path in paths if isinstance(path, str))
