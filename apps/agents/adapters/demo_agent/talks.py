"""What the demo agent says in a conversation: it reads for real, and calls real tools."""

import json
import re
from pathlib import Path
from typing import Any

from apps.agents.adapters.demo_agent import files, tools
from apps.agents.adapters.demo_agent.turn import Turn

_MOST_NAMED = 5
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{3,}")
_QUOTES = "\"'“”„` "
_CREATE = re.compile(
    r"\b(?:create|add|make)\s+(?:a|the)?\s*(?:new\s+)?card\s+(?:(?:called|named|titled)\s+)?"
    r"(?P<title>.+?)(?:\s+in\s+(?:the\s+)?(?:column\s+)?(?P<column>[^.,]+))?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_MOVE = re.compile(
    r"\bmove\s+(?:the\s+)?card\s+(?P<card>.+?)\s+(?:in)?to\s+(?:the\s+)?(?:column\s+)?"
    r"(?P<column>[^.,]+?)\s*[.!]?\s*$",
    re.IGNORECASE,
)
_LIST = re.compile(r"\b(?:list|show|which|what)\b.*\bcards?\b", re.IGNORECASE)
_COLUMNS = re.compile(r"\bcolumns?\b", re.IGNORECASE)
_CARD = re.compile(
    r"^Title: (?P<title>.*?)\n\nPrompt so far:\n\n(?P<prompt>.*)\Z", re.DOTALL | re.MULTILINE
)


def task_of(note: str) -> dict[str, str]:
    """This will read from the client's note what the conversation is for; empty for anything else.

    The note of a pre-session shows the card.
    """
    if "sharpen the prompt" in note:
        card = _CARD.search(note.partition("\n\n# What was said before")[0])
        return {"name": "sharpen", **(card.groupdict() if card else {})}
    return {"name": "assist"} if "You are the assistant of" in note else {}


async def sharpen(turn: Turn, task: dict[str, str]) -> None:
    """Propose a prompt: what the card says, what the person added, and the files that matter."""
    title, prompt = task.get("title", "The task"), task.get("prompt", "")
    said = turn.session.prompts
    found = await _look(turn)
    named = _matching(found, f"{title}\n{prompt}\n" + "\n".join(said))
    parts = [f"# {title}", "" if prompt == "(no prompt yet)" else prompt.strip()]
    parts.append("## What is wanted\n\n" + "\n".join(f"- {' '.join(one.split())}" for one in said))
    if named:
        parts.append("## Files to look at\n\n" + "\n".join(f"- `{name}`" for name in named))
    parts.append("## Done when\n\n- it works as described, and a test shows it")
    text = "\n\n".join(part for part in parts if part)
    runs = [len(run) for run in re.findall(r"`{3,}", text)]
    fence = "`" * max(3, *(run + 1 for run in runs), 3)
    await turn.say(f"I looked at {files.counted(len(found))}. What should not be touched?\n\n")
    turn.chunk(f"{fence}prompt\n{text}\n{fence}\n")


async def assist(turn: Turn, prompt: str) -> None:
    """Do what was asked with the client's tools, or answer from the files."""
    if found := _CREATE.search(prompt):
        arguments = {"title": found["title"].strip(_QUOTES)}
        if found["column"]:
            arguments["column"] = found["column"].strip(_QUOTES)
        await call(turn, "create_card", arguments)
    elif found := _MOVE.search(prompt):
        await _move(turn, found["card"].strip(_QUOTES), found["column"].strip(_QUOTES))
    elif _LIST.search(prompt):
        await call(turn, "list_cards", {})
    elif _COLUMNS.search(prompt):
        await call(turn, "list_columns", {})
    else:
        seen = await _look(turn)
        named = "\n".join(f"- `{name}`" for name in _matching(seen, prompt))
        await turn.say(f"The project has {files.counted(len(seen))}.")
        await turn.say(
            f"\n\nThese may matter:\n\n{named}" if named else " None is named like that."
        )


async def _move(turn: Turn, card: str, column: str) -> None:
    shown = await call(turn, "list_cards", {"query": card}, quiet=True)
    rows: list[dict[str, Any]] = json.loads(shown)["cards"] if shown else []
    exact = [row["id"] for row in rows if row["title"].casefold() == card.casefold()]
    await call(turn, "move_card", {"card": exact[0] if exact else card, "column": column})


async def call(turn: Turn, name: str, arguments: dict[str, Any], *, quiet: bool = False) -> str:
    """This will call a tool, show the call and say what came of it; empty when it was refused."""
    tool_id = turn.tool(f"kanbanai/{name}", "other", rawInput=arguments)
    try:
        async with tools.connected(turn.session.servers) as server:
            worked, text = await server.call(name, arguments)
    except (tools.NoTools, OSError) as error:
        worked, text = False, str(error)
    if not worked:
        turn.tool_failed(tool_id, text)
        await turn.say(f"That did not work: {text}")
        return ""
    turn.tool_update(
        tool_id,
        status="completed",
        content=[{"type": "content", "content": {"type": "text", "text": text}}],
    )
    if not quiet:
        await turn.say(_told(name, json.loads(text)))
    return text


def _told(name: str, found: dict[str, Any]) -> str:
    if name == "list_columns":
        return "\n".join(
            f"{board['name']}: {', '.join(column['name'] for column in board['columns'])}"
            for board in found["boards"]
        )
    if name == "list_cards":
        rows = [f"- {row['key']} {row['title']} ({row['column']})" for row in found["cards"]]
        return "\n".join([f"There are {found['total']} cards.", "", *rows])
    row = found["card"]
    done = "created" if name == "create_card" else "moved"
    return f"I have {done} {row['key']} “{row['title']}” in {row['column']}."


async def _look(turn: Turn) -> list[str]:
    root = turn.session.cwd
    tool_id = turn.tool("Read the repository", "read", locations=[{"path": str(root)}])
    await turn.pause(0.5)
    found = files.listed(root)
    turn.tool_update(tool_id, status="completed")
    return found


def _matching(found: list[str], text: str) -> list[str]:
    words = {word.lower() for word in _WORD.findall(text)}
    named = [name for name in found if words & _names(name)]
    return named[:_MOST_NAMED]


def _names(path: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(str(Path(path).with_suffix("")))}
