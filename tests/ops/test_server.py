"""One real web process: limits, refusals and an orderly end."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kanbanai.supervisor import redis_server
from tests.ops import running

START_SECONDS = 120


class Served:
    # For those who have an account there.
    token = ""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self.log = log

    def lines(self, *words: str) -> list[str]:
        """The lines of its log with these words; one comes just after what it tells of."""
        deadline = time.monotonic() + 10
        while True:
            lines = self.log.read_text().splitlines()
            found = [line for line in lines if all(word in line for word in words)]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.headers["content-type"], response.read()
        finally:
            connection.close()

    def upgrade(self, path: str, **headers: str) -> tuple[int, dict[str, object]]:
        """The answer to a socket that is refused: its status and its problem."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=HANDSHAKE | headers)
            response = connection.getresponse()
            assert response.headers["content-type"] == "application/problem+json"
            return response.status, json.loads(response.read())
        finally:
            connection.close()


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@contextmanager
def serving(folder: Path, command: Sequence[str] = (), **variables: str) -> Iterator[Served]:
    environment = running.environment(folder / "data", **variables)
    (folder / "data").mkdir(exist_ok=True)
    port = int(environment["KANBANAI_PORT"])
    log = folder / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command or running.manage("serve"),
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    served = Served(port, process, log)
    try:
        wait_for(served)
        yield served
    finally:
        process.kill()
        process.wait()


def wait_for(served: Served) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert served.process.poll() is None
        try:
            if served.request("GET", "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("The web process did not answer.")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    unix_socket = folder / "run" / "redis.sock"
    redis = redis_server.start(unix_socket=unix_socket, output=subprocess.DEVNULL)
    redis_server.wait(redis, unix_socket)
    with serving(folder, REDIS_URL=f"unix://{unix_socket}", KANBANAI_MAX_UPLOAD_MB="1") as process:
        yield process
    redis.kill()
    redis.wait()


def test_an_upload_that_says_it_is_too_large_is_refused_unread(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        length = 50 * 1024 * 1024
        head = f"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(64).startswith(b"HTTP/1.1 413 ")


def test_an_upload_that_turns_out_too_large_is_refused(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        client.sendall(
            b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _number in range(17):
            client.sendall(chunk)
        assert client.recv(64).startswith(b"HTTP/1.1 413 ")


def test_an_upload_within_the_limit_reaches_the_view(served: Served) -> None:
    assert served.request("GET", "/healthz", b"x" * 900_000)[0] == 200


def test_answers_follow_each_other_on_one_connection(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    for method, path in 2 * (("GET", "/healthz"), ("HEAD", "/healthz"), ("GET", "/favicon.ico")):
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        assert len(body) == (0 if method == "HEAD" else int(response.headers["content-length"]))
    connection.request("GET", "/healthz", headers={"Connection": "close"})
    last = connection.getresponse()
    assert (last.status, last.headers["connection"]) == (200, "close")
    assert last.read() == b'{"status": "ok"}'


def test_requests_that_come_at_once_are_answered_in_their_order(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        ask = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {}\r\n\r\n"
        client.sendall("".join(ask.format(f"number-{number}") for number in range(5)).encode())
        heard = b""
        while heard.count(b'{"status": "ok"}') < 5:
            heard += client.recv(65_536)
    assert re.findall(rb"(?i)x-request-id: number-(\d)", heard) == [b"0", b"1", b"2", b"3", b"4"]


def test_the_line_of_a_request_has_the_id_of_its_answer(tmp_path: Path) -> None:
    with serving(tmp_path, KANBANAI_LOG_FORMAT="json") as served:
        for path in ("/accounts/login/", "/nowhere"):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
            connection.request("GET", f"{path}?token=secret")
            response = connection.getresponse()
            assert response.read()
            connection.close()
            given = response.headers["x-request-id"]
            lines = [json.loads(line) for line in served.lines("kanbanai.access", path)]
            assert [line["request_id"] for line in lines] == [given]
        assert "secret" not in served.log.read_text()


def test_an_unknown_socket_is_refused_with_a_problem(served: Served) -> None:
    status, problem = served.upgrade("/nowhere")

    assert status == 404
    assert problem["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example.org",
        "http://127.0.0.1:1",
        "http://localhost.example.org",
    ],
)
def test_a_foreign_page_opens_no_socket(served: Served, origin: str) -> None:
    status, problem = served.upgrade("/api/v1/ws", Origin=origin)

    assert status == 403
    assert problem["code"] == "FORBIDDEN"


def test_without_redis_sockets_and_streams_are_refused_for_now(tmp_path: Path) -> None:
    with serving(tmp_path, REDIS_URL=f"unix://{tmp_path / 'nowhere.sock'}") as served:
        status, problem = served.upgrade("/api/v1/ws")
        assert (status, problem["code"]) == (503, "UNAVAILABLE")
        status, kind, body = served.request("GET", "/api/v1/sse")
        assert (status, kind) == (503, "application/problem+json")
        assert json.loads(body)["code"] == "UNAVAILABLE"


def test_a_port_in_use_is_said(served: Served, tmp_path: Path) -> None:
    done = subprocess.run(
        running.manage("serve", "--port", str(served.port)),
        env=running.environment(tmp_path / "data"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    said = f"CommandError: Cannot listen on 127.0.0.1:{served.port}: Address already in use.\n"
    assert done.stderr == said


def test_it_ends_at_once_when_told_to(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as served,
        # An idle connection that is kept open does not keep the process.
        socket.create_connection(("127.0.0.1", served.port)) as client,
    ):
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(16) == b"HTTP/1.1 200 OK\r"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0
