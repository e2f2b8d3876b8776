from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.core.live import sinks
from apps.core.live.frames import Frame
from apps.core.live.sinks import ACCESS_ENDED, RESUME, Closed, Ending, Sink


def frame(text: str) -> Frame:
    return Frame(wire=text.encode())


class Client:
    """Takes what a sink writes, when it is let."""

    def __init__(self, **limits: Any) -> None:
        self.got: list[list[str]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.sink = Sink(self.write, **limits)
        self.task = asyncio.ensure_future(self.sink.run())

    async def write(self, frames: list[Frame]) -> None:
        await self.reads.wait()
        self.got.append([one.text.decode() for one in frames])


async def test_what_is_due_goes_out_in_one_write_and_in_order() -> None:
    client = Client()
    for number in range(5):
        client.sink.push(frame(str(number)))
    await client.sink.drained()
    await asyncio.sleep(0)
    assert client.got == [["0", "1", "2", "3", "4"]]
    client.sink.end(Ending(1000, ""))
    await client.task


async def test_a_client_that_does_not_read_is_told_to_resume() -> None:
    client = Client(max_messages=10)
    client.reads.clear()
    client.sink.push(frame("first"))
    await asyncio.sleep(0)
    for number in range(11):
        client.sink.push(frame(str(number)))
    assert client.sink.ending == Ending(RESUME, "resume")
    assert client.sink.waiting == 0
    client.reads.set()
    assert await client.task == Ending(RESUME, "resume")
    assert client.got == [["first"]]


async def test_too_many_bytes_end_it_as_well() -> None:
    client = Client(max_bytes=100)
    client.reads.clear()
    client.sink.push(frame("first"))
    await asyncio.sleep(0)
    client.sink.push(frame("x" * 60))
    endings = [client.sink.ending]
    client.sink.push(frame("x" * 60))
    endings.append(client.sink.ending)
    assert endings == [None, Ending(RESUME, "resume")]
    client.reads.set()
    await client.task


async def test_only_the_newest_snapshot_waits_and_it_keeps_its_place() -> None:
    client = Client()
    client.sink.replace("state", frame("old"))
    client.sink.push(frame("event"))
    client.sink.replace("state", frame("new"))
    await client.sink.drained()
    await asyncio.sleep(0)
    assert client.got == [["new", "event"]]
    client.sink.end(Ending(1000, ""))
    await client.task


async def test_snapshots_are_no_reason_to_end_however_large() -> None:
    client = Client(max_bytes=10)
    client.reads.clear()
    for _ in range(100):
        client.sink.replace("state", frame("x" * 1000))
    assert client.sink.ending is None
    client.sink.end(Ending(1000, ""))
    client.reads.set()
    await client.task


async def test_sending_waits_for_room_instead_of_ending() -> None:
    client = Client(max_messages=4)
    client.reads.clear()
    sending = asyncio.ensure_future(client.sink.send([frame(str(n)) for n in range(100)]))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not sending.done()
    assert client.sink.waiting < 5
    client.reads.set()
    await sending
    await client.sink.drained()
    await asyncio.sleep(0)
    assert [text for batch in client.got for text in batch] == [str(n) for n in range(100)]
    client.sink.end(Ending(1000, ""))
    await client.task


async def test_after_the_end_nothing_is_sent_and_the_first_reason_stays() -> None:
    client = Client()
    client.sink.push(frame("secret"))
    client.sink.end(Ending(ACCESS_ENDED, "Access ended"))
    client.sink.end(Ending(RESUME, "resume"))
    client.sink.push(frame("late"))
    with pytest.raises(Closed):
        await client.sink.send([frame("later")])
    assert await client.task == Ending(ACCESS_ENDED, "Access ended")
    assert client.got == []


async def test_a_write_that_never_ends_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks, "WRITE_SECONDS", 0.05)
    client = Client()
    client.reads.clear()
    client.sink.push(frame("first"))
    assert await client.task == Ending(RESUME, "resume")
