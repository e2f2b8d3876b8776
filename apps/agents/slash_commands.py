"""Slash commands: those we bring, and those a repository has in its files. No tables are known.

A repository is somebody else's: its files are read without following links, in small parts, and
what they say is cut and cleaned before it is shown.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUILT_IN, PROJECT, AGENT = "builtin", "project", "agent"
# Folders of a repository in which agents look for commands, and what joins names of subfolders.
_FOLDERS = (
    (".claude/commands", ":"),
    (".codex/prompts", "/"),
    (".opencode/command", "/"),
)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_DEEPEST = 4
_MOST = 300
_READ_BYTES = 16 * 1024
_DESCRIPTION_LENGTH = 200
_HINT_LENGTH = 100


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command as people type it, `/test`; `prompt` is what one of ours stands for."""

    name: str
    description: str
    source: str
    argument_hint: str = ""
    prompt: str = ""


OURS = (
    Command(
        name="/test",
        description="Run the tests and repair what fails",
        argument_hint="[what to test]",
        source=BUILT_IN,
        prompt="Run the project's tests. Where one fails, find the cause and repair it; do not"
        " weaken the test. Say at the end what was wrong and what you changed.",
    ),
    Command(
        name="/review",
        description="Review the changes of this branch",
        argument_hint="[what to look at]",
        source=BUILT_IN,
        prompt="Review the changes of this branch against its base, uncommitted ones included."
        " Name defects first, with file and line and how they show, then what could be simpler."
        " Change nothing.",
    ),
    Command(
        name="/explain",
        description="Explain a part of the project",
        argument_hint="[file or topic]",
        source=BUILT_IN,
        prompt="Explain how this works, from the outside in, with the files that matter. Change"
        " nothing.",
    ),
    Command(
        name="/document",
        description="Bring the documentation up to date with the changes",
        argument_hint="[what to document]",
        source=BUILT_IN,
        prompt="Bring the project's documentation up to date with the changes of this branch, in"
        " the style it has.",
    ),
    Command(
        name="/commit",
        description="Commit the changes with a fitting message",
        argument_hint="[message]",
        source=BUILT_IN,
        prompt="Commit the changes in this worktree, in as many commits as there are concerns, with"
        " messages in the style of the repository's history.",
    ),
)


def merged(*groups: Iterable[Command]) -> list[Command]:
    """This will put commands together by name; of equal names the first group's is kept."""
    found: dict[str, Command] = {}
    for group in groups:
        for command in group:
            found.setdefault(command.name, command)
    return sorted(found.values(), key=lambda command: command.name)


def expanded(text: str, *, folder: Path) -> str:
    """This will turn a message that begins with a command of ours into what it stands for.

    A command of the repository with the same name wins: then the agent gets the words as they are.
    """
    name, _space, rest = text.strip().partition(" ")
    ours = next((command for command in OURS if command.name == name), None)
    if ours is None or any(command.name == name for command in of_repository(folder)):
        return text
    return f"{ours.prompt}\n\n{rest.strip()}".strip()


def of_repository(folder: Path) -> list[Command]:
    """This will read the commands of a repository; none where there is nothing to read."""
    return merged(
        command
        for place, joint in _FOLDERS
        if (root := _real_folder(folder, place)) is not None
        for command in _of_folder(root, joint)
    )


def advertised(entries: object) -> Iterator[Command]:
    """This will read what an agent said of its commands."""
    for entry in (entries if isinstance(entries, list) else [])[:_MOST]:
        if not isinstance(entry, dict):
            continue
        name = str(entry.get("name") or "").removeprefix("/")
        if name and all(_PART.fullmatch(part) for part in re.split("[:/]", name)):
            yield Command(
                name=f"/{name}",
                description=_plain(str(entry.get("description") or ""), _DESCRIPTION_LENGTH),
                argument_hint=_plain(str(entry.get("hint") or ""), _HINT_LENGTH),
                source=AGENT,
            )


def _real_folder(folder: Path, place: str) -> Path | None:
    """A folder of the repository that really is in it: no part of its path is a link."""
    try:
        real = (folder.resolve() / place).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
    return real if real == folder.resolve() / place and real.is_dir() else None


def _of_folder(root: Path, joint: str) -> Iterator[Command]:
    count = 0
    for place, folders, files in os.walk(root, followlinks=False):
        parts = Path(place).relative_to(root).parts
        folders[:] = (
            sorted(name for name in folders if _PART.fullmatch(name))
            if len(parts) < _DEEPEST
            else []
        )
        for name in sorted(files):
            stem = name.removesuffix(".md")
            if stem == name or not _PART.fullmatch(stem):
                continue
            count += 1
            if count > _MOST:
                return
            text = _read(Path(place, name))
            if text is not None:
                yield _command(joint.join((*parts, stem)), text)


def _read(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return file.read(_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _command(name: str, text: str) -> Command:
    facts, body = _front_matter(text)
    first = next((line for line in body.splitlines() if line.strip(" #\t")), "")
    description = facts.get("description") or first.strip().lstrip("#").strip()
    return Command(
        name=f"/{name}",
        description=_plain(description, _DESCRIPTION_LENGTH),
        argument_hint=_plain(facts.get("argument-hint", ""), _HINT_LENGTH),
        source=PROJECT,
    )


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The simple `key: value` lines between two `---` at the top, and what follows them."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, text
    facts: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return facts, "\n".join(lines[number + 1 :])
        key, colon, value = line.partition(":")
        if colon and key == key.strip():
            facts[key.lower()] = value.strip().strip("\"'")
    return {}, text


def _plain(text: str, length: int) -> str:
    """One line without anything that could disturb whoever shows it."""
    words = " ".join(text.split())
    kept = "".join(one for one in words if unicodedata.category(one) not in {"Cc", "Cf", "Cs"})
    return kept if len(kept) <= length else kept[: length - 1] + "…"
