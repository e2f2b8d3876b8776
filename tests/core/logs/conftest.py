"""Receivers that really listen: HTTP, syslog over UDP and TCP."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import ports

SECONDS = 20.0


def wait_until(holds: Callable[[], Any], *, seconds: float = SECONDS) -> None:
    """This will wait for a condition and fail where it does not come."""
    ends_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class HttpReceiver:
    """An HTTP server that keeps what it is sent and answers as it is told."""

    status: int = 200
    answer: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    # While set, requests are read and not answered.
    hangs: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def http_receiver() -> Iterator[HttpReceiver]:
    """A real HTTP server on this machine."""
    receiver = HttpReceiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, dict(self.headers.items()), body))
            if receiver.hangs.is_set():
                receiver.released.wait(60)
                # Whoever still waits for an answer hears that there is none.
                self.close_connection = True
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, *_arguments: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: Any) -> None:
            pass  # A client that stopped waiting.

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()


@dataclass
class SyslogReceiver:
    """A syslog server that keeps messages."""

    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    # Closes the connection after so many messages; 0: never.
    closes_after: int = 0


@pytest.fixture
def udp_receiver() -> Iterator[SyslogReceiver]:
    """A real UDP socket on this machine."""
    receiver = SyslogReceiver()
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    receiver.port = listener.getsockname()[1]

    def read() -> None:
        while data := listener.recv(65536):
            receiver.messages.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield receiver
    finally:
        # An empty datagram ends the reader.
        listener.sendto(b"", ("127.0.0.1", receiver.port))
        reader.join(5)
        listener.close()


@pytest.fixture
def tcp_receiver() -> Iterator[SyslogReceiver]:
    """A real TCP socket that reads counted octets."""
    yield from serve_tcp(None)


def serve_tcp(context: ssl.SSLContext | None) -> Iterator[SyslogReceiver]:
    """This will serve syslog over TCP, or TLS with a context."""
    receiver = SyslogReceiver()
    listener = socket.create_server(("127.0.0.1", 0))
    receiver.port = listener.getsockname()[1]

    def converse(connection: socket.socket) -> None:
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while length := _count(stream):
                    receiver.messages.append(stream.read(length))
                    if receiver.closes_after and len(receiver.messages) == receiver.closes_after:
                        return
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield receiver
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _count(stream: Any) -> int:
    digits = b""
    while (octet := stream.read(1)) not in {b" ", b""}:
        digits += octet
    return int(digits or b"0")


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    return ports.free_port()
