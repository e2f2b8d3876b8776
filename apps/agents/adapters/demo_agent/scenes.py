"""What a turn is made of: the standard one, or what directive lines say."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

from apps.agents.adapters.demo_agent import files, script, talks, wire
from apps.agents.adapters.demo_agent.turn import Turn

_PLAN = ["Look at the repository", "Write a note about the card", "Check what has changed"]
_STATUS = "git status --short"
_MOST_FILES = 200
_ERRORS = {
    401: "invalid API key",
    403: "permission_error",
    429: "rate limit reached, too many requests",
    529: "the model is overloaded",
}

Scene = Callable[[Turn, script.Step], Awaitable[None]]


async def play(turn: Turn, prompt: str) -> str:
    """This will do what a prompt asks and give the reason why it ended."""
    for beginning, scene in _ANSWERS.items():
        if prompt.startswith(beginning):
            await scene(turn)
            return "end_turn"
    steps = script.steps(prompt)
    for step in steps:
        await _SCENES[step.kind](turn, step)
    if steps:
        turn.finish_plan()
        if not turn.said:
            await turn.say("All requested steps are done.")
    elif prompt.startswith("/status"):
        await turn.run(_STATUS, title="Show what has changed")
    elif prompt.startswith("/summary"):
        await turn.say(f"This session has seen {len(turn.session.prompts)} prompts.")
    elif turn.session.task:
        await _talk(turn, prompt)
    elif turn.session.mode == "plan":
        await _propose(turn, prompt)
    else:
        await _work(turn, prompt)
    return "end_turn"


async def _hand_off(turn: Turn) -> None:
    """What somebody who takes over has to know, from what the session remembers."""
    prompts, said = turn.session.prompts, turn.session.said
    done = "\n".join(f"- {' '.join(words.split())}" for words in said[-3:]) or "Nothing yet."
    note = turn.session.note or "See the worktree."
    await turn.say(
        f"## Goal\n\n{script.title(prompts[0])}\n\n## Done\n\n{done}\n\n## Decisions\n\nNone."
        f"\n\n## Open points\n\nNone known.\n\n## Changed files\n\n{note}"
    )


async def _summarize(turn: Turn) -> None:
    prompts, said = turn.session.prompts, turn.session.said
    last = f" It ended with: {' '.join(said[-1].split())}" if said else ""
    count = len(prompts) - 1
    asked = "1 prompt" if count == 1 else f"{count} prompts"
    await turn.say(f"In {asked} this session was about “{script.title(prompts[0])}”.{last}")


async def _go_on(turn: Turn) -> None:
    await turn.say("I went on where I had stopped.")


async def _talk(turn: Turn, prompt: str) -> None:
    task = turn.session.task
    if task["name"] == "sharpen":
        await talks.sharpen(turn, task)
    else:
        await talks.assist(turn, prompt)


async def _work(turn: Turn, prompt: str) -> None:
    """The standard turn: plan, look, write, ask, check, report."""
    title = script.title(turn.session.prompts[0])
    turn.plan(_PLAN)
    await turn.say(
        f"The card is about “{title}”. I look around first, then I write a note that a person"
        " can review, and at the end I check what has changed.",
        thought=True,
    )
    found = await _look(turn)
    turn.plan(done=1)
    await turn.say(f"I found {files.counted(found)}. I will write a note for “{title}”.")
    path = turn.session.note or f"docs/notes/{script.slug(title)}.md"
    if not await turn.write(path, _note(turn, path, title, prompt)):
        await turn.say("\n\nThe worktree cannot be written in this turn, so nothing was changed.")
        return
    if not turn.session.note:
        turn.session.add(role="note", path=path)
    turn.plan(done=2)
    code = await turn.run(_STATUS, title="Show what has changed")
    checked = "and checked the worktree" if code == 0 else "but could not check the worktree"
    turn.finish_plan()
    await turn.say(
        f"Done. I wrote `{path}` {checked}.\n\n- Card: {title}\n- Files seen: {found}\n"
        "- This is the demo agent: choose another one to have real work done.",
    )


async def _propose(turn: Turn, prompt: str) -> None:
    """The standard turn in plan mode: look, propose; go on when the plan is approved."""
    title = script.title(turn.session.prompts[0])
    await turn.say(f"First I make a plan for “{title}”.", thought=True)
    found = await _look(turn)
    path = turn.session.note or f"docs/notes/{script.slug(title)}.md"
    plan = (
        f"# {title}\n\n1. Write `{path}` with what the card says\n"
        f"2. Run `{_STATUS}` to check the result\n\nThe repository has"
        f" {files.counted(found)}; no other file changes."
    )
    turn.plan([f"Write {path}", f"Run {_STATUS}"])
    if await turn.approve(plan) == "plan":
        await turn.say("I keep planning. Tell me what to change.")
        return
    await turn.say("The plan is approved. ")
    await _work(turn, prompt)


async def _look(turn: Turn) -> int:
    tool_id = turn.tool("Read the repository", "read", locations=[{"path": str(turn.session.cwd)}])
    await turn.pause(0.8)
    seen = files.listed(turn.session.cwd)
    listing = "\n".join(seen[:_MOST_FILES])
    content = [{"type": "content", "content": {"type": "text", "text": listing}}]
    turn.tool_update(tool_id, status="completed", content=content)
    return len(seen)


def _note(turn: Turn, path: str, title: str, prompt: str) -> str:
    target = turn.session.cwd / path
    if turn.session.note and target.is_file():
        before = target.read_text(encoding="utf-8").rstrip()
        return f"{before}\n\n## Follow-up {len(turn.session.prompts) - 1}\n\n{prompt.strip()}\n"
    words = turn.session.prompts[0].strip()
    rest = words.split("\n", 1)[1].strip() if "\n" in words else ""
    return f"# {title}\n\n{rest or 'The card has no description.'}\n"


async def _plan(turn: Turn, step: script.Step) -> None:
    turn.plan([part.strip() for part in step.argument.split(";") if part.strip()])


async def _write(turn: Turn, step: script.Step) -> None:
    path, _, text = step.argument.partition("::")
    await turn.write(path.strip(), text.strip().replace("\\n", "\n") + "\n")


async def _run(turn: Turn, step: script.Step) -> None:
    await turn.run(step.argument)


async def _exit_plan(turn: Turn, step: script.Step) -> None:
    mode = await turn.approve(step.argument.replace("\\n", "\n"))
    await turn.say("The plan was rejected." if mode == "plan" else "The plan was approved.")


async def _tool(turn: Turn, step: script.Step) -> None:
    name, _, raw = step.argument.partition(" ")
    tool_id = turn.tool(name, "other", rawInput=json.loads(raw or "{}"))
    turn.tool_update(tool_id, status="completed", rawOutput={"output": "done"})


async def _call(turn: Turn, step: script.Step) -> None:
    name, _, raw = step.argument.partition(" ")
    await talks.call(turn, name, json.loads(raw or "{}"))


async def _say(turn: Turn, step: script.Step) -> None:
    await turn.say(step.argument)


async def _think(turn: Turn, step: script.Step) -> None:
    await turn.say(step.argument, thought=True)


async def _ask(turn: Turn, step: script.Step) -> None:
    answer = await turn.question(step.argument)
    await turn.say(f"You answered: {answer}" if answer else "You gave no answer.")


async def _slow(turn: Turn, step: script.Step) -> None:
    await turn.filler(step.number(5))


async def _big(turn: Turn, step: script.Step) -> None:
    turn.chunk(("x" * 1023 + "\n") * int(step.number(64)))


async def _hang(turn: Turn, step: script.Step) -> None:  # noqa: ARG001
    await asyncio.Event().wait()


async def _context(turn: Turn, step: script.Step) -> None:
    turn.session.add(role="context", percent=step.number(100))
    turn.show_usage()


async def _error(turn: Turn, step: script.Step) -> None:  # noqa: ARG001
    _fail(int(step.number(500)))


async def _flaky(turn: Turn, step: script.Step) -> None:
    words = step.argument.split()
    if len(turn.session.prompts) <= int(step.number(1)):
        _fail(int(words[1]) if len(words) > 1 else 529)


def _fail(status: int) -> None:
    why = _ERRORS.get(status, "the model's server failed")
    raise wire.Refusal(wire.INTERNAL_ERROR, "Internal error", {"message": f"{status} {why}"})


async def _crash(turn: Turn, step: script.Step) -> None:  # noqa: ARG001
    sys.stderr.write("the demo agent crashes because it was asked to\n")
    sys.stderr.flush()
    os._exit(3)


async def _garbage(turn: Turn, step: script.Step) -> None:
    turn.line.write(step.argument or "this is no message")


async def _flood(turn: Turn, step: script.Step) -> None:
    for _ in range(int(step.number(1024))):
        turn.chunk("x" * 1024)
        await asyncio.sleep(0)


async def _stderr(turn: Turn, step: script.Step) -> None:  # noqa: ARG001
    for _ in range(int(step.number(1024))):
        sys.stderr.write("e" * 1023 + "\n")
    sys.stderr.flush()


async def _child(turn: Turn, step: script.Step) -> None:  # noqa: ARG001
    child = subprocess.Popen(  # noqa: ASYNC220
        ["sleep", "600"], stdin=subprocess.DEVNULL, start_new_session=True
    )
    await turn.say(f"child {child.pid} is left behind")


async def _ignore_term(turn: Turn, step: script.Step) -> None:  # noqa: ARG001
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    turn.line.stay = True


_SCENES: dict[str, Scene] = {
    "plan": _plan,
    "write": _write,
    "run": _run,
    "exitplan": _exit_plan,
    "tool": _tool,
    "call": _call,
    "say": _say,
    "think": _think,
    "ask": _ask,
    "slow": _slow,
    "big": _big,
    "hang": _hang,
    "error": _error,
    "flaky": _flaky,
    "context": _context,
    "crash": _crash,
    "garbage": _garbage,
    "flood": _flood,
    "stderr": _stderr,
    "child": _child,
    "ignore-term": _ignore_term,
}
# What the product itself asks of an agent, by its first words.
_ANSWERS: dict[str, Callable[[Turn], Awaitable[None]]] = {
    "Write a hand-off": _hand_off,
    "Summarize what was done": _summarize,
    "Go on where you stopped": _go_on,
}
