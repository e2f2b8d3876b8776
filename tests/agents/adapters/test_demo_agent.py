"""The demo agent through the real adapter, under every sandbox this machine has."""

import json
import subprocess
from decimal import Decimal

import pytest
from acp.schema import SessionNotification

from apps.agents import processes
from apps.agents.adapters import base, events, presets
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice
from tests.agents.adapters import stage

PROMPT = "Fix the login page\n\nIt shows an error to everybody."


@pytest.mark.parametrize("level", stage.levels())
async def test_a_turn_without_directives_shows_everything_an_agent_can_do(
    world: stage.World, level: sandboxes.Level
) -> None:
    result, sink = await stage.play(world, PROMPT, sandbox=choice.choose(level))

    assert result.succeeded
    assert result.tools == 3
    assert result.tokens is not None
    assert result.cost == sum((usage.cost for usage in sink.of(events.Usage)), Decimal(0)) > 0
    assert result.last_message.startswith("Done. I wrote `docs/notes/fix-the-login-page.md`")
    assert world.status() == "?? docs/notes/fix-the-login-page.md\n"
    note = (world.worktree / "docs/notes/fix-the-login-page.md").read_text()
    assert note == "# Fix the login page\n\nIt shows an error to everybody.\n"
    assert [request.command for request in sink.asked] == ["git status --short"]
    tools = sink.tools()
    assert [tool.status for tool in tools.values()] == ["succeeded"] * 3
    (diff,) = tools["Write docs/notes/fix-the-login-page.md"].diffs
    assert (diff.path, diff.old, diff.new) == ("docs/notes/fix-the-login-page.md", None, note)
    todos = sink.of(events.Todos)
    assert [todo.status for todo in todos[0].items] == ["in_progress", "pending", "pending"]
    assert [todo.status for todo in todos[-1].items] == ["completed"] * 3
    assert [event.state for event in sink.of(events.Terminal)] == ["opened", "output", "closed"]
    assert sink.of(events.Terminal)[1].text == "?? docs/\n"
    assert sink.of(events.Terminal)[2].exit_code == 0
    assert [event.state for event in sink.of(events.Status)] == [
        "starting",
        "ready",
        "working",
        "idle",
        "exited",
    ]


async def test_events_are_numbered_without_gaps_and_carry_the_attempt(world: stage.World) -> None:
    _, sink = await stage.play(world, PROMPT, turn=4)

    assert [event.seq for event in sink.told] == list(range(1, len(sink.told) + 1))
    assert {event.attempt_id for event in sink.told} == {world.attempt_id}
    assert {event.turn for event in sink.told if isinstance(event, events.Tool)} == {5}
    assert all(tool.id.startswith("5-tool-") for tool in sink.of(events.Tool))


async def test_streamed_text_adds_up_to_the_whole(world: stage.World) -> None:
    _, sink = await stage.play(world, "@say one two three four five six seven eight nine")

    pieces = [event.text for event in sink.of(events.Message) if event.append]
    assert len(pieces) == 3
    assert sink.texts() == ["".join(pieces)] == ["one two three four five six seven eight nine"]


async def test_three_hundred_updates_stay_in_order(world: stage.World) -> None:
    script = "\n".join(f"@say {number}" for number in range(300))

    _, sink = await stage.play(world, script)

    assert "".join(sink.texts()) == "".join(str(number) for number in range(300))


async def test_directives_are_carried_out_in_order(world: stage.World) -> None:
    result, sink = await stage.play(
        world,
        "@plan read; write\n@think hm\n@write a/b.txt :: one\\ntwo\n@run cat a/b.txt\n"
        '@tool lookup {"key": "value"}\n@say finished',
    )

    assert result.succeeded
    assert (world.worktree / "a/b.txt").read_text() == "one\ntwo\n"
    assert sink.tools()["cat a/b.txt"].output == "one\ntwo\n"
    assert sink.tools()["lookup"].input == {"key": "value"}
    assert sink.texts() == ["finished"]


async def test_a_failing_command_is_a_failed_tool_with_its_exit_code(world: stage.World) -> None:
    result, sink = await stage.play(world, "@run exit 7")

    assert result.succeeded
    tool = sink.tools()["exit 7"]
    assert (tool.status, tool.exit_code) == ("failed", 7)


async def test_a_question_is_put_and_answered(world: stage.World) -> None:
    sink = stage.Recorder(
        decide=lambda _: base.Decision(outcome="answered", answer={"answer": "blue"})
    )

    await stage.play(world, "@ask Which colour?", sink=sink)

    (request,) = sink.asked
    assert (request.kind, request.title) == ("question", "Which colour?")
    assert request.schema is not None
    assert sink.texts() == ["You answered: blue"]
    (resolved,) = sink.of(events.Request)
    assert (resolved.state, resolved.answer) == ("resolved", {"answer": "blue"})


async def test_a_plan_is_proposed_while_the_worktree_cannot_be_written(world: stage.World) -> None:
    sandbox = choice.choose()
    if sandbox.level is sandboxes.Level.NONE:
        pytest.skip("nothing here makes a worktree read-only")

    result, sink = await stage.play(world, PROMPT, readonly=True, sandbox=sandbox)

    assert result.succeeded
    (request,) = sink.asked
    assert request.kind == "plan"
    assert "docs/notes/fix-the-login-page.md" in request.text
    assert sink.of(events.Options)[0].mode == "plan"
    assert result.last_message.endswith("so nothing was changed.")
    assert world.status() == ""


async def test_a_rejected_plan_changes_nothing(world: stage.World) -> None:
    sink = stage.Recorder(decide=stage.reject)

    result, _ = await stage.play(world, PROMPT, mode="plan", sink=sink)

    assert result.succeeded
    assert result.last_message == "I keep planning. Tell me what to change."
    assert world.status() == ""


async def test_an_approved_plan_is_carried_out(world: stage.World) -> None:
    result, sink = await stage.play(world, PROMPT, mode="plan")

    assert result.succeeded
    assert [request.kind for request in sink.asked] == ["plan", "permission"]
    assert sink.of(events.Options)[-1].mode == "default"
    assert world.status() == "?? docs/notes/fix-the-login-page.md\n"


async def test_the_system_note_does_not_name_the_file(world: stage.World) -> None:
    await stage.play(world, PROMPT, system_note="You work on a board.")

    assert world.status() == "?? docs/notes/fix-the-login-page.md\n"


async def test_slash_commands_and_settings_are_told(world: stage.World) -> None:
    _, sink = await stage.play(world, "/summary", model="demo-large")

    (commands,) = sink.of(events.Commands)
    assert [item.name for item in commands.items] == ["status", "summary"]
    settings = {setting.id: setting.value for setting in sink.of(events.Options)[-1].settings}
    assert settings == {"mode": "default", "model": "demo-large"}
    assert sink.texts() == ["This session has seen 1 prompts."]


async def test_a_setting_can_be_changed_and_an_unknown_one_cannot(world: stage.World) -> None:
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world))

        assert await adapter.set_option("mode", "auto")
        assert not await adapter.set_option("mode", "no such mode")
        assert not await adapter.set_option("temperature", "hot")
        await adapter.prompt("@run true")

    assert sink.asked == []


def test_what_it_says_follows_the_protocol(world: stage.World) -> None:
    """The adapter is forgiving; the SDK's models are not."""
    messages = [
        {"id": 1, "method": "initialize", "params": {"protocolVersion": 1}},
        {"id": 2, "method": "session/new", "params": {"cwd": str(world.worktree)}},
    ]
    world.home.mkdir(parents=True)
    with subprocess.Popen(
        presets.DEMO.command,
        cwd=world.worktree,
        env={"HOME": str(world.home), "PATH": "/usr/bin:/bin", "KANBANAI_DEMO_SPEED": "100"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in messages:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        session = json.loads(process.stdout.readline())["result"]["sessionId"]
        params = {"sessionId": session, "prompt": [{"type": "text", "text": PROMPT}]}
        process.stdin.write(json.dumps({"id": 3, "method": "session/prompt", "params": params}))
        process.stdin.write("\n")
        process.stdin.flush()
        kinds = set()
        for line in process.stdout:
            row = json.loads(line)
            if row.get("method") == "session/update":
                SessionNotification.model_validate(row["params"])
                kinds.add(row["params"]["update"]["sessionUpdate"])
            elif row.get("method") == "session/request_permission":
                answer = {"outcome": {"outcome": "selected", "optionId": "allow"}}
                process.stdin.write(json.dumps({"id": row["id"], "result": answer}) + "\n")
                process.stdin.flush()
            elif row.get("id") == 3:
                assert row["result"]["stopReason"] == "end_turn"
                break
        process.stdin.close()

    assert process.returncode == 0
    assert kinds == {
        "agent_message_chunk",
        "agent_thought_chunk",
        "available_commands_update",
        "plan",
        "tool_call",
        "tool_call_update",
        "usage_update",
    }


@pytest.mark.parametrize("level", stage.levels())
async def test_nothing_runs_on_after_a_turn(world: stage.World, level: sandboxes.Level) -> None:
    result, sink = await stage.play(world, "@child", sandbox=choice.choose(level))

    assert result.succeeded
    assert "is left behind" in sink.texts()[0]
    assert processes.find_marked().get(world.attempt_id) is None
