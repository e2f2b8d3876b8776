"""The frames of a WebSocket, byte by byte: what the standard wants, and what it forbids."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kanbanai.supervisor import redis_server
from tests.ops import running
from tests.ops.test_server import Served, serving

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@dataclass
class Installed:
    """A folder with a database in which there is somebody, and a Redis."""

    folder: Path
    redis_url: str
    token: str

    @contextmanager
    def serving(self, command: Sequence[str] = ()) -> Iterator[Served]:
        with serving(self.folder, command, REDIS_URL=self.redis_url) as process:
            process.token = self.token
            yield process


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("websocket")
    unix_socket = folder / "run" / "redis.sock"
    redis = redis_server.start(unix_socket=unix_socket, output=subprocess.DEVNULL)
    redis_server.wait(redis, unix_socket)
    environment = running.environment(folder / "data")
    (folder / "data").mkdir(exist_ok=True)
    subprocess.run(
        running.manage("migrate", "--no-input", "--verbosity", "0"), env=environment, check=True
    )
    made = subprocess.run(
        [*running.manage("shell", "-v", "0", "-c"), MAKE_TOKEN],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    yield Installed(folder, f"unix://{unix_socket}", made.stdout.strip())
    redis.kill()
    redis.wait()


@pytest.fixture(scope="module")
def served(installed: Installed) -> Iterator[Served]:
    with installed.serving() as process:
        yield process


MAKE_TOKEN = """
from apps.accounts import credentials
from apps.accounts.models import User
user = User.objects.create(email="ada@example.org", display_name="Ada")
print(credentials.issue_jwt(user))
"""


# A web process that asks soon and does not wait long.
IMPATIENT = """
import sys
from kanbanai.web import websocket
websocket.PING_SECONDS, websocket.ANSWER_SECONDS = 1.0, 4.0
from manage import main
sys.argv = ["manage.py", "serve"]
main()
"""


class Raw:
    """A client that sends exactly the bytes it is told to."""

    def __init__(self, served: Served, *, version: str = "13", key: str = "") -> None:
        self.key = key or base64.b64encode(os.urandom(16)).decode()
        self.socket = socket.create_connection(("127.0.0.1", served.port), timeout=20)
        self.buffer = b""
        self.socket.sendall(
            "GET /api/v1/ws/dashboard HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: {version}\r\n"
            f"Sec-WebSocket-Key: {self.key}\r\n"
            f"Authorization: Bearer {served.token}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self._more()
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")

    def _more(self) -> bytes:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        return data

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.buffer += self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def send(
        self, opcode: int, payload: bytes, *, last: bool = True, masked: bool = True, bits: int = 0
    ) -> None:
        mask = b"\x01\x02\x03\x04"
        size = len(payload)
        flag = 0x80 if masked else 0
        head = bytes([(0x80 if last else 0) | bits | opcode])
        if size < 126:
            head += bytes([flag | size])
        elif size < 65_536:
            head += bytes([flag | 126]) + struct.pack(">H", size)
        else:
            head += bytes([flag | 127]) + struct.pack(">Q", size)
        if masked:
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
            head += mask
        self.socket.sendall(head + payload)

    def receive(self) -> tuple[int, bytes]:
        """The next frame: its kind and what it holds; no frame of a server is masked."""
        first, size = self._take(2)
        assert first & 0x70 == 0
        if size == 126:
            (size,) = struct.unpack(">H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._take(8))
        return first & 15, self._take(size)

    def until(self, opcode: int) -> bytes:
        while True:
            kind, payload = self.receive()
            if kind == opcode:
                return payload

    def close_code(self) -> int:
        code: int = struct.unpack(">H", self.until(CLOSE)[:2])[0]
        return code

    def is_hung_up(self) -> bool:
        try:
            while True:
                self._more()
        except (EOFError, ConnectionError):
            return True

    def until_message(self, wanted: str) -> None:
        while json.loads(self.until(TEXT))["type"] != wanted:
            pass


@pytest.fixture
def client(served: Served) -> Iterator[Raw]:
    raw = Raw(served)
    yield raw
    raw.socket.close()


def test_the_upgrade_proves_that_the_key_was_read(client: Raw) -> None:
    wanted = base64.b64encode(hashlib.sha1(client.key.encode() + GUID).digest())  # noqa: S324 - the standard's
    assert client.head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: " + wanted in client.head


@pytest.mark.parametrize(
    ("version", "key", "status"), [("8", "", 426), ("13", "short", 400), ("13", "====", 400)]
)
def test_an_upgrade_that_is_none_is_refused(
    served: Served, version: str, key: str, status: int
) -> None:
    refused = Raw(served, version=version, key=key)
    assert refused.head.startswith(f"HTTP/1.1 {status} ".encode())
    assert refused.is_hung_up()


def test_a_message_in_parts_with_a_ping_between_them_is_one_message(client: Raw) -> None:
    client.send(TEXT, b'{"type": ', last=False)
    client.send(PING, b"are you there")
    client.send(0, b'"pi', last=False)
    client.send(0, b'ng"}')
    assert client.until(PONG) == b"are you there"
    client.until_message("pong")


def test_a_long_message_and_one_byte_at_a_time_are_read_alike(client: Raw) -> None:
    for payload in (b'{"type":"ping","x":"' + b"y" * 70_000 + b'"}', b'{"type":"ping"}'):
        client.send(TEXT, payload)
        client.until_message("pong")
    frame = b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}'
    for place in range(len(frame)):
        client.socket.sendall(frame[place : place + 1])
    client.until_message("pong")


def test_a_close_is_answered_with_its_code_and_then_the_line_goes_dead(client: Raw) -> None:
    client.send(CLOSE, struct.pack(">H", 4321) + b"bye")
    assert client.close_code() == 4321
    assert client.is_hung_up()


@pytest.mark.parametrize(
    ("opcode", "payload", "options", "code"),
    [
        (TEXT, b"unmasked", {"masked": False}, 1002),
        (TEXT, b"reserved", {"bits": 0x40}, 1002),
        (3, b"unknown", {}, 1002),
        (PING, b"x" * 126, {}, 1002),
        (PING, b"in parts", {"last": False}, 1002),
        (0, b"continues nothing", {}, 1002),
        (CLOSE, b"x", {}, 1002),
        (TEXT, b"\xff\xfe", {}, 1007),
        (TEXT, b"x" * (1024 * 1024 + 1), {}, 1009),
    ],
)
def test_what_is_forbidden_ends_it_with_the_code_that_says_so(
    client: Raw, opcode: int, payload: bytes, options: dict[str, int], code: int
) -> None:
    try:
        client.send(opcode, payload, **options)  # type: ignore[arg-type]
    except ConnectionError:
        # The rest of what is too large is not read.
        assert code == 1009
        return
    assert client.close_code() == code


def test_parts_that_are_too_large_together_end_it(client: Raw) -> None:
    client.send(TEXT, b"x" * 700_000, last=False)
    client.send(0, b"x" * 700_000)
    assert client.close_code() == 1009


def test_who_only_answers_pings_stays_and_who_does_not_is_let_go(installed: Installed) -> None:
    with installed.serving([sys.executable, "-c", IMPATIENT]) as served:
        silent, gone = Raw(served), Raw(served)
        for _ in range(4):
            silent.send(PONG, silent.until(PING))
        assert gone.until(PING) == b""
        assert gone.is_hung_up()
        silent.send(TEXT, b'{"type":"ping"}')
        silent.until_message("pong")
        silent.socket.close()
        gone.socket.close()
