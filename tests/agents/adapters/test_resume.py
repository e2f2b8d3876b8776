"""Sessions that are brought back: after a clean end, after a kill, and when they are lost."""

from decimal import Decimal

import pytest

from apps.agents import processes
from apps.agents.adapters import events
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.adapters.failures import AdapterError
from tests.agents.adapters import stage


async def test_a_session_is_resumed_in_a_new_process(world: stage.World) -> None:
    first, sink = await stage.play(world, "Fix the login page")
    session_id = sink.of(events.Session)[0].session_id

    second, sink = await stage.play(
        world,
        "Also mention the logout",
        session_id=session_id,
        turn=1,
        cost_seen=first.cost_seen,
    )

    (session,) = sink.of(events.Session)
    assert (session.session_id, session.how) == (session_id, "resume")
    note = (world.worktree / "docs/notes/fix-the-login-page.md").read_text()
    assert note.endswith("## Follow-up 1\n\nAlso mention the logout\n")
    assert second.cost_seen == first.cost + second.cost
    assert second.cost > Decimal(0)


async def test_a_killed_agent_is_resumed(world: stage.World) -> None:
    sink = stage.Recorder()
    adapter = AcpAdapter(sink)
    info = await adapter.open(stage.demo_spec(world))
    assert info.pid is not None
    assert info.started is not None
    running = stage.within(stage.PATIENCE, adapter.prompt("Fix the login page\n@hang"))
    assert processes.kill(processes.Identity(pid=info.pid, started=info.started))
    result = await running
    await adapter.close()
    assert (result.stop_reason, result.failure) == ("lost", "agent_crashed")

    result, sink = await stage.play(world, "/summary", session_id=info.session_id)

    assert result.succeeded
    assert sink.of(events.Session)[0].how == "resume"


async def test_a_replay_is_not_told_again(world: stage.World) -> None:
    """This agent can only load, and repeats everything it has said."""
    code = """
import json, sys
def send(**row): print(json.dumps({"jsonrpc": "2.0", **row}), flush=True)
def say(update, **row):
    send(method="session/update",
         params={"sessionId": "old", "update": {"sessionUpdate": update, **row}})
for line in sys.stdin:
    row = json.loads(line)
    if row["method"] == "initialize":
        send(id=row["id"], result={"protocolVersion": 1, "agentCapabilities": {
            "loadSession": True, "sessionCapabilities": {"resume": {}}}})
    elif row["method"] == "session/resume":
        send(id=row["id"], error={"code": -32601, "message": "Method not found"})
    elif row["method"] == "session/load":
        say("user_message_chunk", content={"type": "text", "text": "old question"})
        say("agent_message_chunk", content={"type": "text", "text": "old answer"})
        say("tool_call", toolCallId="1", title="old tool", kind="edit", status="completed")
        say("available_commands_update", availableCommands=[{"name": "help", "description": ""}])
        send(id=row["id"], result={})
    elif row["method"] == "session/prompt":
        say("agent_message_chunk", content={"type": "text", "text": "new answer"})
        send(id=row["id"], result={"stopReason": "end_turn"})
"""
    result, sink = await stage.play(
        world, "go on", command=stage.python_agent(code), session_id="old"
    )

    assert result.succeeded
    assert sink.of(events.Session)[0].how == "load"
    assert sink.texts() == ["new answer"]
    assert sink.of(events.Tool) == []
    assert len(sink.of(events.Commands)) == 1
    assert [log.text for log in sink.of(events.Log)] == ["session/resume failed: Method not found"]


async def test_a_lost_session_becomes_a_new_one_and_says_so(world: stage.World) -> None:
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        info = await adapter.open(stage.demo_spec(world, session_id="demo-gone"))

    assert (info.how, info.lost_history) == ("new", True)
    assert info.session_id != "demo-gone"


async def test_a_session_that_is_required_is_not_replaced(world: stage.World) -> None:
    spec = stage.demo_spec(world, session_id="demo-gone", resume="require")
    async with AcpAdapter(stage.Recorder()) as adapter:
        with pytest.raises(AdapterError) as caught:
            await adapter.open(spec)

    assert caught.value.failure == "host_lost"
    assert processes.find_marked().get(spec.attempt_id) is None
