"""The WSGI application inside the ASGI server, driven message by message."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kanbanai.web.bridge import FLUSH_BYTES, Bridge

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Client:
    """One request: what the server would pass on, and what it was given."""

    def __init__(self, *parts: bytes, method: str = "POST") -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/",
            "query_string": b"a=1",
            "http_version": "1.1",
            "headers": [(b"x-word", b"yes")],
            "client": ["127.0.0.1", 1234],
            "server": ["127.0.0.1", 80],
            "scheme": "http",
        }
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.news = asyncio.Condition()
        for number, part in enumerate(parts or (b"",), start=1):
            more = number < len(parts)
            self.inbox.put_nowait({"type": "http.request", "body": part, "more_body": more})

    async def send(self, message: Any) -> None:
        async with self.news:
            self.sent.append(dict(message))
            self.news.notify_all()

    async def until_sent(self, count: int) -> None:
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(lambda: len(self.sent) >= count), 5)

    async def ask(self, bridge: Bridge) -> None:
        await asyncio.wait_for(bridge(self.scope, self.inbox.get, self.send), 5)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def bridge(application: Any, *, threads: int = 2, max_body_bytes: int = 1_000_000) -> Bridge:
    return Bridge(application, threads=threads, max_body_bytes=max_body_bytes)


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    length, query = str(len(body)), environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Length", length), ("X-Query", query)])
    return [body]


async def test_a_body_in_parts_is_read_whole_and_answered_in_one_go() -> None:
    client = Client(b"one ", b"two ", b"three")

    await client.ask(bridge(echo))

    assert client.sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"13"), (b"x-query", b"a=1")],
        },
        {"type": "http.response.body", "body": b"one two three", "more_body": False},
    ]


async def test_a_server_that_takes_whole_answers_gets_one_with_one_call() -> None:
    whole: list[Any] = []

    def take(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        whole.append((status, dict(headers), body))
        return status == 200

    client = Client(b"yes")
    client.scope["extensions"] = {"kanbanai.whole": take}
    await client.ask(bridge(echo))
    assert whole == [(200, {b"content-length": b"3", b"x-query": b"a=1"}, b"yes")]
    assert client.sent == []

    def broken(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
        message = "broken"
        raise RuntimeError(message)

    # What the server does not take whole is sent as ever.
    client = Client()
    client.scope["extensions"] = {"kanbanai.whole": take}
    await client.ask(bridge(broken))
    assert (client.status, client.body) == (500, b"Internal Server Error")


async def test_what_breaks_on_its_way_is_cut_off_and_not_ended() -> None:
    def breaks(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        message = "broken"
        raise RuntimeError(message)

    client = Client()
    await client.ask(bridge(breaks))

    assert client.body == b"first"
    assert all(message.get("more_body", True) for message in client.sent)


async def test_a_large_upload_passes_through() -> None:
    parts = [bytes([number]) * 100_000 for number in range(8)]
    client = Client(*parts)

    await client.ask(bridge(echo))

    assert client.body == b"".join(parts)
    # A large answer of known length goes out in a few parts.
    assert max(len(message.get("body", b"")) for message in client.sent) >= FLUSH_BYTES


async def test_a_body_beyond_the_limit_is_refused() -> None:
    client = Client(b"x" * 60, b"x" * 60)

    await client.ask(bridge(echo, max_body_bytes=100))

    assert client.status == 413
    assert json.loads(client.body)["code"] == "PAYLOAD_TOO_LARGE"


async def test_a_stream_is_sent_part_by_part() -> None:
    go_on = threading.Event()

    def stream(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert go_on.wait(30)
        yield b"second"

    client = Client()
    task = asyncio.create_task(client.ask(bridge(stream)))
    await client.until_sent(2)
    assert client.body == b"first"
    go_on.set()
    await task

    assert client.body == b"firstsecond"
    assert client.sent[-1]["more_body"] is False


async def test_a_client_that_leaves_ends_its_stream_and_frees_the_thread() -> None:
    closed = threading.Event()

    def endless(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * FLUSH_BYTES
        finally:
            closed.set()

    one_thread = bridge(endless, threads=1)
    client = Client()
    task = asyncio.create_task(client.ask(one_thread))
    await client.until_sent(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await asyncio.to_thread(closed.wait, 30)
    one_thread.application = echo
    after = Client(b"still there")
    await after.ask(one_thread)
    assert after.body == b"still there"


async def test_a_disconnect_is_noticed_while_streaming() -> None:
    closed = threading.Event()

    def endless(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while not closed.wait(0.005):
                yield b"tick"
        finally:
            closed.set()

    client = Client()
    task = asyncio.create_task(client.ask(bridge(endless)))
    await client.until_sent(1)
    client.inbox.put_nowait({"type": "http.disconnect"})

    assert await asyncio.to_thread(closed.wait, 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_application_that_breaks_answers_500() -> None:
    def broken(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
        message = "broken"
        raise RuntimeError(message)

    client = Client()
    await client.ask(bridge(broken))

    assert (client.status, client.body) == (500, b"Internal Server Error")


async def test_head_has_headers_and_no_body() -> None:
    client = Client(b"body", method="HEAD")

    await client.ask(bridge(echo))

    assert client.sent[0]["headers"][0] == (b"content-length", b"4")
    assert client.body == b""


async def test_threads_are_kept_and_never_more_than_allowed() -> None:
    names: set[str] = set()

    def note(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        names.add(threading.current_thread().name)
        start_response("204 No Content", [])
        return []

    two = bridge(note, threads=2)
    for _round in range(3):
        await asyncio.gather(*(Client().ask(two) for _client in range(6)))

    assert names <= {"web-1", "web-2"}
    assert all(thread.daemon for thread in threading.enumerate() if thread.name in names)


async def test_a_file_is_sent_whole_whatever_blocks_the_application_asks_for() -> None:
    content = b"x" * 300_000

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/css")])
        file: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(content), 4096)
        return file

    client = Client()
    await client.ask(bridge(application))

    assert client.sent[0]["status"] == 200
    assert b"".join(part.get("body", b"") for part in client.sent[1:]) == content
