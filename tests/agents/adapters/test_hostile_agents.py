"""Agents as they should not be: each ends in a failure with a name, and nothing is left over."""

import asyncio
import time

import pytest

from apps.agents import processes
from apps.agents.adapters import base, events
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.adapters.failures import AdapterError
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice
from tests.agents.adapters import stage

HELLO = """
import json, sys, time
def send(**row): print(json.dumps({"jsonrpc": "2.0", **row}), flush=True)
def say(text): send(method="session/update", params={"sessionId": "s", "update": {
    "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}})
def read(): return json.loads(sys.stdin.readline())
send(id=read()["id"], result={"protocolVersion": 1})
send(id=read()["id"], result={"sessionId": "s"})
prompt = read()["id"]
"""


def quick(**fields: float) -> base.Limits:
    values = {"start": 1.0, "cancel": 0.5, "eof": 0.3, "terminate": 0.3}
    return base.Limits(**(values | fields))  # type: ignore[arg-type]


async def fails_to_open(world: stage.World, **fields: object) -> AdapterError:
    spec = stage.demo_spec(world, **fields)
    adapter = AcpAdapter(stage.Recorder())
    with pytest.raises(AdapterError) as caught:
        await adapter.open(spec)
    assert processes.find_marked().get(spec.attempt_id) is None
    return caught.value


@pytest.mark.parametrize("level", stage.levels())
async def test_a_missing_agent_is_not_installed(world: stage.World, level: sandboxes.Level) -> None:
    error = await fails_to_open(world, command=("no-such-agent",), sandbox=choice.choose(level))

    assert error.failure == "agent_not_installed"
    assert error.detail == "no-such-agent was not found on this host"


@pytest.mark.parametrize("level", stage.levels())
async def test_an_agent_that_dies_at_its_start_has_crashed(
    world: stage.World, level: sandboxes.Level
) -> None:
    code = "import sys; sys.exit('no configuration')"
    error = await fails_to_open(
        world, command=stage.python_agent(code), sandbox=choice.choose(level)
    )

    assert error.failure == "agent_crashed"
    assert error.detail == "The agent exited with code 1. no configuration"


async def test_an_agent_that_hangs_at_its_start_times_out(world: stage.World) -> None:
    code = "import time; time.sleep(600)"
    error = await fails_to_open(world, command=stage.python_agent(code), limits=quick())

    assert error.failure == "timed_out"


async def test_a_program_that_is_no_agent_breaks_the_protocol(world: stage.World) -> None:
    code = "import time\nprint('Welcome!', flush=True)\ntime.sleep(600)"
    error = await fails_to_open(world, command=stage.python_agent(code), limits=quick(start=4))

    assert error.failure == "agent_protocol_error"
    assert "Welcome!" in error.detail


async def test_another_protocol_version_is_refused(world: stage.World) -> None:
    code = HELLO.replace('"protocolVersion": 1', '"protocolVersion": 7')
    error = await fails_to_open(world, command=stage.python_agent(code))

    assert error.failure == "agent_protocol_error"


async def test_a_missing_login_is_told_as_such(world: stage.World) -> None:
    code = HELLO.replace(
        'result={"sessionId": "s"}', 'error={"code": -32000, "message": "Authentication required"}'
    )
    error = await fails_to_open(world, command=stage.python_agent(code))

    assert error.failure == "agent_login_required"


async def test_a_missing_worktree_is_told_before_anything_starts(world: stage.World) -> None:
    error = await fails_to_open(world, cwd=world.worktree / "gone")

    assert error.failure == "worktree_failed"


@pytest.mark.parametrize("level", stage.levels())
async def test_an_agent_that_exits_in_a_turn_has_crashed(
    world: stage.World, level: sandboxes.Level
) -> None:
    result, sink = await stage.play(world, "@say so far\n@crash", sandbox=choice.choose(level))

    assert (result.stop_reason, result.failure) == ("lost", "agent_crashed")
    assert result.exit_code == 3
    assert "crashes because it was asked to" in result.error
    assert sink.texts() == ["so far"]


async def test_garbage_between_messages_is_logged_and_passed_over(world: stage.World) -> None:
    result, sink = await stage.play(world, '@garbage npm warn\n@garbage {"half": \n@say fine')

    assert result.succeeded
    assert sink.texts() == ["fine"]
    assert [log.text for log in sink.of(events.Log)] == ["npm warn", '{"half":']


async def test_garbage_after_the_hello_stalls(world: stage.World) -> None:
    code = HELLO + "print('oops', flush=True); time.sleep(600)"
    result, _ = await stage.play(
        world, "go", command=stage.python_agent(code), limits=quick(start=20, idle=0.5)
    )

    assert (result.stop_reason, result.failure) == ("error", "stalled")


async def test_a_flood_ends_at_the_limit(world: stage.World) -> None:
    result, _ = await stage.play(
        world, "@flood 100000", limits=base.Limits(output_bytes=2_000_000, cancel=0.5, eof=0.3)
    )

    assert (result.stop_reason, result.failure) == ("error", "output_limit")


async def test_one_endless_line_ends_at_the_limit(world: stage.World) -> None:
    code = HELLO + "while True: sys.stdout.write('x' * 65536)"
    result, _ = await stage.play(
        world,
        "go",
        command=stage.python_agent(code),
        limits=base.Limits(line_bytes=1_000_000, cancel=0.5, eof=0.3, terminate=0.3),
    )

    assert (result.stop_reason, result.failure) == ("error", "output_limit")


async def test_too_many_items_end_the_turn(world: stage.World) -> None:
    script = "\n".join(f"@tool t{number}" for number in range(50))
    result, _ = await stage.play(world, script + "\n@hang", limits=base.Limits(items=20))

    assert (result.stop_reason, result.failure) == ("error", "output_limit")


async def test_megabytes_of_stderr_block_nobody(world: stage.World) -> None:
    result, sink = await stage.play(world, "@stderr 4000\n@say through")

    assert result.succeeded
    assert sink.texts() == ["through"]
    logs = sink.of(events.Log)
    assert len(logs) == base.Limits().log_lines + 1
    assert logs[-1].text == "The agent writes more to stderr than is kept."


async def test_a_silent_agent_stalls(world: stage.World) -> None:
    result, _ = await stage.play(world, "@hang", limits=quick(start=20, idle=0.5))

    assert (result.stop_reason, result.failure) == ("error", "stalled")


async def test_a_turn_without_end_times_out(world: stage.World) -> None:
    result, _ = await stage.play(world, "@slow 600", limits=quick(start=20, turn=0.5))

    assert (result.stop_reason, result.failure) == ("error", "timed_out")


async def test_an_agent_that_reads_nothing_is_ended(world: stage.World) -> None:
    code = HELLO.replace("prompt = read()", "time.sleep(600)")
    limits = quick(start=20, idle=0.5)
    result, _ = await stage.play(
        world, "x" * 2_000_000, command=stage.python_agent(code), limits=limits
    )

    assert (result.stop_reason, result.failure) == ("error", "stalled")


async def test_waiting_for_a_person_is_not_counted(world: stage.World) -> None:
    class Slow(stage.Recorder):
        async def ask(self, request: events.Request) -> base.Decision:
            await asyncio.sleep(6.5)
            return base.Decision.allow(request)

    result, _ = await stage.play(
        world, "@run true", sink=Slow(), limits=base.Limits(turn=6.0, idle=5.5)
    )

    assert result.succeeded


@pytest.mark.parametrize("level", stage.levels())
async def test_an_agent_deaf_to_everything_is_killed_with_its_children(
    world: stage.World, level: sandboxes.Level
) -> None:
    started = time.monotonic()
    result, sink = await stage.play(
        world,
        "@child\n@ignore-term\n@hang",
        sandbox=choice.choose(level),
        # Time to become deaf and to leave a child behind, on a busy machine too.
        limits=quick(start=20, turn=3.0),
    )

    assert (result.stop_reason, result.failure) == ("error", "timed_out")
    assert time.monotonic() - started < stage.PATIENCE
    assert "is left behind" in sink.texts()[0]
    assert processes.find_marked().get(world.attempt_id) is None


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (401, "credential_invalid"),
        (429, "usage_limit"),
        (500, "model_error"),
        (529, "model_error"),
    ],
)
async def test_a_failing_model_has_a_name(world: stage.World, status: int, failure: str) -> None:
    result, _ = await stage.play(world, f"@error {status}")

    assert (result.stop_reason, result.failure) == ("error", failure)
    assert str(status) in result.error


async def test_a_flaky_model_works_when_it_is_asked_again(world: stage.World) -> None:
    prompt = "@flaky 1 529\n@say at last"
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world))
        first = await adapter.prompt(prompt)
        second = await adapter.prompt(prompt)

    assert (first.failure, second.failure) == ("model_error", None)
    assert sink.texts() == ["at last"]


async def test_an_error_told_as_a_last_message_is_no_success(world: stage.World) -> None:
    result, _ = await stage.play(world, "@say unexpected status 400 Bad Request: no such model")

    assert (result.stop_reason, result.failure) == ("error", "model_error")


async def test_an_unknown_reason_to_stop_breaks_the_protocol(world: stage.World) -> None:
    code = HELLO + "send(id=prompt, result={'stopReason': 'tired'})\nread()"
    result, _ = await stage.play(world, "go", command=stage.python_agent(code))

    assert (result.stop_reason, result.failure) == ("error", "agent_protocol_error")


async def test_a_refusal_is_no_success(world: stage.World) -> None:
    code = HELLO + "say('I will not.')\nsend(id=prompt, result={'stopReason': 'refusal'})\nread()"
    result, _ = await stage.play(world, "go", command=stage.python_agent(code))

    assert (result.stop_reason, result.failure) == ("refusal", "refused")
    assert result.error == "I will not."


async def test_a_sink_that_breaks_is_raised_and_the_agent_goes(world: stage.World) -> None:
    class Broken(stage.Recorder):
        async def emit(self, event: events.Event) -> None:
            await super().emit(event)
            if self.of(events.Message):
                raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        await stage.play(world, "@say hello\n@hang", sink=Broken())

    assert processes.find_marked().get(world.attempt_id) is None


async def test_files_and_terminals_of_the_client_are_not_offered(world: stage.World) -> None:
    code = HELLO + (
        "send(id=1, method='terminal/create', params={'sessionId': 's', 'command': 'id'})\n"
        "say(str(read()['error']['code']))\n"
        "send(id=2, method='fs/read_text_file', params={'sessionId': 's', 'path': '/etc/passwd'})\n"
        "say(str(read()['error']['code']))\n"
        "send(id=prompt, result={'stopReason': 'end_turn'})\nread()"
    )
    _, sink = await stage.play(world, "go", command=stage.python_agent(code))

    assert sink.texts() == ["-32601-32601"]


async def test_a_file_is_written_for_an_agent_only_inside_the_worktree(world: stage.World) -> None:
    (world.worktree / "link").symlink_to(world.repository)
    code = HELLO + (
        "for path in ('new/file.txt', '../out.txt', 'link/out.txt', '.git', '/etc/out'):\n"
        "    send(id=1, method='fs/write_text_file', params={'path': path, 'content': 'hi'})\n"
        "    answer = read()\n"
        "    say('ok ' if 'result' in answer else 'no ')\n"
        "send(id=prompt, result={'stopReason': 'end_turn'})\nread()"
    )
    _, sink = await stage.play(world, "go", command=stage.python_agent(code))

    assert sink.texts() == ["ok no no no no "]
    assert (world.worktree / "new/file.txt").read_text() == "hi"
    assert not (world.repository / "out.txt").exists()
