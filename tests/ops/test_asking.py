"""How the supervisor asks whether the web server is there."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from kanbanai.supervisor.cli import ASK_AGAIN_SECONDS, Asking

RESET = struct.pack("ii", 1, 0)


class Web:
    """A server that gives one prepared answer to each request; None resets the connection."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.asked = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                answer = self.answers[min(self.asked, len(self.answers) - 1)]
                self.asked += 1
                if answer is None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                else:
                    connection.sendall(answer)


@pytest.fixture
def webs() -> Iterator[list[Web]]:
    started: list[Web] = []
    yield started
    for web in started:
        web.listener.close()


def ask(web: Web, *, seconds: float) -> Asking:
    """Asks without any pause between looks, as when a child writes a lot of log."""
    asking = Asking("127.0.0.1", web.port, time.monotonic() + seconds)
    while not asking.is_over():
        pass
    return asking


def test_a_failing_page_is_asked_for_with_pauses(webs: list[Web]) -> None:
    webs.append(Web([b"HTTP/1.1 500 Internal Server Error\r\n\r\n"]))
    asking = Asking("127.0.0.1", webs[0].port, time.monotonic() + 60)
    began = time.monotonic()
    while webs[0].asked < 3:
        assert not asking.is_over()

    assert time.monotonic() - began >= 2 * ASK_AGAIN_SECONDS
    assert not ask(webs[0], seconds=0.1).answered


def test_a_server_that_ends_and_comes_back_is_found(webs: list[Web]) -> None:
    webs.append(Web([None, b"HTTP/1.1 200 OK\r\n\r\n"]))

    assert ask(webs[0], seconds=20).answered

    assert webs[0].asked == 2
