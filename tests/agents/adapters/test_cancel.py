"""Stopping at every stage: always soon, always `cancelled`, never anything left."""

import asyncio

import pytest

from apps.agents import processes
from apps.agents.adapters import base, events
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.adapters.failures import Cancelled
from apps.agents.sandbox import choice
from tests.agents.adapters import stage


async def test_cancel_while_the_agent_starts(world: stage.World) -> None:
    spec = stage.demo_spec(world, command=stage.python_agent("import time; time.sleep(600)"))
    sink = stage.Recorder()
    adapter = AcpAdapter(sink)
    opening = asyncio.create_task(adapter.open(spec))
    await sink.until(lambda: bool(sink.of(events.Status)))

    await adapter.cancel()

    with pytest.raises(Cancelled):
        await stage.within(5, opening)
    assert processes.find_marked().get(spec.attempt_id) is None


async def test_cancel_between_opening_and_prompt(world: stage.World) -> None:
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world))
        await adapter.cancel()
        result = await adapter.prompt("@write a.txt :: a")

    assert result.stop_reason == "cancelled"
    assert world.status() == ""


@pytest.mark.parametrize("level", stage.levels())
async def test_cancel_while_the_agent_speaks(world: stage.World, level: str) -> None:
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world, sandbox=choice.choose(level)))
        turn = asyncio.create_task(adapter.prompt("@slow 600"))
        await sink.until(lambda: bool(sink.of(events.Message)))

        await adapter.cancel()
        result = await stage.within(5, turn)

    assert (result.stop_reason, result.failure) == ("cancelled", None)
    assert sink.of(events.Message)[-1].done


@pytest.mark.parametrize("level", stage.levels())
async def test_cancel_while_a_command_runs(world: stage.World, level: str) -> None:
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world, sandbox=choice.choose(level)))
        turn = asyncio.create_task(adapter.prompt("@run echo begun; sleep 600"))
        await sink.until(lambda: any(event.text for event in sink.of(events.Terminal)))

        await adapter.cancel()
        result = await stage.within(5, turn)

    assert result.stop_reason == "cancelled"
    assert sink.of(events.Terminal)[-1].state == "closed"
    assert sink.of(events.Tool)[-1].status == "cancelled"
    assert processes.find_marked().get(world.attempt_id) is None


async def test_cancel_while_a_person_is_asked(world: stage.World) -> None:
    sink = stage.Undecided()
    async with AcpAdapter(sink) as adapter:
        await adapter.open(stage.demo_spec(world))
        turn = asyncio.create_task(adapter.prompt("@run touch never"))
        await sink.until(lambda: bool(sink.asked))

        await adapter.cancel()
        result = await stage.within(5, turn)

    assert result.stop_reason == "cancelled"
    (resolved,) = sink.of(events.Request)
    assert (resolved.state, resolved.outcome) == ("resolved", "cancelled")
    assert world.status() == ""


async def test_cancel_of_an_agent_that_does_not_listen(world: stage.World) -> None:
    sink = stage.Recorder()
    async with AcpAdapter(sink) as adapter:
        limits = base.Limits(cancel=0.3, eof=0.3, terminate=0.3)
        await adapter.open(stage.demo_spec(world, limits=limits))
        turn = asyncio.create_task(adapter.prompt("@ignore-term\n@say deaf\n@hang"))
        await sink.until(lambda: bool(sink.of(events.Message)))

        await adapter.cancel()
        result = await stage.within(10, turn)

    assert result.stop_reason == "cancelled"
    assert processes.find_marked().get(world.attempt_id) is None


async def test_a_task_that_is_cancelled_takes_the_agent_with_it(world: stage.World) -> None:
    sink = stage.Recorder()
    turn = asyncio.create_task(stage.play(world, "@child\n@hang", sink=sink))
    await sink.until(lambda: bool(sink.of(events.Message)))

    turn.cancel()

    with pytest.raises(asyncio.CancelledError):
        await turn
    assert processes.find_marked().get(world.attempt_id) is None


async def test_closing_twice_is_closing_once(world: stage.World) -> None:
    sink = stage.Recorder()
    adapter = AcpAdapter(sink)
    await adapter.open(stage.demo_spec(world))

    await adapter.close()
    await adapter.close()

    assert [event.state for event in sink.of(events.Status)].count("exited") == 1
