"""The command agent: a script in the worktree, step by step."""

import asyncio

import pytest

from apps.agents import processes
from apps.agents.adapters import base, command, events
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice
from tests.agents.adapters import stage


async def run(
    world: stage.World, script: str, *, sink: stage.Recorder | None = None, **fields: object
) -> tuple[base.TurnResult, stage.Recorder]:
    sink = sink or stage.Recorder()
    async with command.CommandAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world, **fields))
        result = await adapter.prompt(script)
    return result, sink


@pytest.mark.parametrize("level", stage.levels())
async def test_paragraphs_are_steps_of_one_shell(
    world: stage.World, level: sandboxes.Level
) -> None:
    result, sink = await run(
        world,
        "name=one\necho $name > a.txt\n\nprintf 'no newline'\n\ncat a.txt; git status --short",
        sandbox=choice.choose(level),
    )

    assert result.succeeded
    assert (result.tools, result.exit_code) == (3, 0)
    assert world.status() == "?? a.txt\n"
    tools = {tool.id: tool for tool in sink.of(events.Tool)}
    assert [tool.output for tool in tools.values()] == ["", "no newline", "one\n?? a.txt\n"]
    assert [tool.status for tool in tools.values()] == ["succeeded"] * 3
    assert [tool.exit_code for tool in tools.values()] == [0, 0, 0]
    states = [event.state for event in sink.of(events.Terminal) if event.state != "output"]
    assert states == ["opened", "closed"] * 3
    screens: dict[str, str] = {}
    for event in sink.of(events.Terminal):
        screens[event.id] = screens.get(event.id, "") + event.text
    assert list(screens.values()) == [tool.output for tool in tools.values()]
    assert result.last_message == "The script ended with exit code 0 (3 of 3 steps done)."


async def test_the_first_failing_step_ends_the_script(world: stage.World) -> None:
    result, sink = await run(world, "echo one\n\nfalse\n\ntouch never")

    assert (result.stop_reason, result.failure, result.exit_code) == ("error", "agent_crashed", 1)
    assert result.error == "The script ended with exit code 1 (1 of 3 steps done)."
    assert sink.tools()["false"].status == "failed"
    assert world.status() == ""


async def test_exit_in_a_step_is_the_result(world: stage.World) -> None:
    result, sink = await run(world, "echo bye; exit 9")

    assert result.exit_code == 9
    tool = sink.tools()["echo bye; exit 9"]
    assert (tool.status, tool.exit_code, tool.output) == ("failed", 9, "bye\n")


async def test_it_asks_once_and_a_no_runs_nothing(world: stage.World) -> None:
    sink = stage.Recorder(decide=stage.reject)

    result, _ = await run(world, "touch a\n\ntouch b", sink=sink)

    assert (result.stop_reason, result.failure) == ("refusal", "refused")
    (request,) = sink.asked
    assert request.text == "touch a\n\ntouch b"
    assert world.status() == ""


async def test_the_mode_auto_does_not_ask(world: stage.World) -> None:
    result, sink = await run(world, "true", mode="auto")

    assert result.succeeded
    assert sink.asked == []


async def test_cancel_ends_the_script_and_its_children(world: stage.World) -> None:
    sink = stage.Recorder()
    async with command.CommandAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world))
        turn = asyncio.create_task(adapter.prompt("setsid sleep 600 & echo begun; sleep 600"))
        await sink.until(lambda: any(event.text for event in sink.of(events.Terminal)))

        await adapter.cancel()
        result = await stage.within(5, turn)

    assert result.stop_reason == "cancelled"
    assert sink.of(events.Tool)[-1].status == "cancelled"
    assert processes.find_marked().get(world.attempt_id) is None


async def test_cancel_while_a_person_is_asked(world: stage.World) -> None:
    sink = stage.Undecided()
    async with command.CommandAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world))
        turn = asyncio.create_task(adapter.prompt("touch a"))
        await sink.until(lambda: bool(sink.asked))

        await adapter.cancel()
        result = await stage.within(5, turn)

    assert result.stop_reason == "cancelled"
    assert world.status() == ""


@pytest.mark.parametrize(
    ("script", "limits", "failure"),
    [
        ("sleep 600", {"turn": 0.5}, "timed_out"),
        ("sleep 600", {"idle": 0.5}, "stalled"),
        ("yes", {"output_bytes": 100_000}, "output_limit"),
    ],
)
async def test_a_script_keeps_to_the_limits(
    world: stage.World, script: str, limits: dict[str, float], failure: str
) -> None:
    values = {"eof": 0.2, "terminate": 0.5, **limits}

    result, _ = await run(world, script, limits=base.Limits(**values))  # type: ignore[arg-type]

    assert (result.stop_reason, result.failure) == ("error", failure)
    assert processes.find_marked().get(world.attempt_id) is None


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        ("", []),
        ("a\nb\n\n\n c", ["a\nb", " c"]),
        ("if true; then\n\n  a\nfi\n\nb", ["if true; then\n\n  a\nfi", "b"]),
        ("f() {\n  a\n\n  b\n}\n\nf", ["f() {\n  a\n\n  b\n}", "f"]),
        ("cat <<X\n\nb\nX\n\nc", ["cat <<X\n\nb\nX\n\nc"]),
        ("echo 'a\n\nb'", ["echo 'a\n\nb'"]),
    ],
)
def test_a_script_is_split_where_that_is_safe(script: str, steps: list[str]) -> None:
    assert command.split(script) == steps
