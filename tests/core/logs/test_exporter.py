"""Export goes on in the background, whatever the receiver does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from apps.core.logs import exporter as exporters
from apps.core.logs.entries import Entry
from apps.core.logs.exporter import BATCH, MOST_WAITING, Exporter
from apps.core.logs.receivers import Receiver
from tests.core.logs.conftest import HttpReceiver, wait_until


class Setting:
    """What super admins have set."""

    receiver: Receiver | None = None
    fails = False

    def read(self) -> Receiver | None:
        if self.fails:
            raise RuntimeError
        return self.receiver


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(exporters, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(exporters, "LONGEST_PAUSE_SECONDS", 0.1)


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.fixture
def exporter(setting: Setting) -> Iterator[Exporter]:
    made = Exporter(setting.read)
    yield made
    made.stop(1)


def lines(count: int, *, start: int = 0, level: int = 20) -> list[Entry]:
    return [Entry(n, level, "t", str(n)) for n in range(start, start + count)]


def received(http_receiver: HttpReceiver) -> list[str]:
    bodies = [json.loads(body) for _path, _headers, body in list(http_receiver.requests)]
    return [entry["message"] for body in bodies for entry in body]


def test_lines_are_sent_in_batches_and_in_order(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    exporter.take(lines(BATCH * 2 + 1))
    wait_until(lambda: exporter.sent == BATCH * 2 + 1)

    assert received(http_receiver) == [str(n) for n in range(BATCH * 2 + 1)]
    assert len(http_receiver.requests) == 3


def test_lines_below_the_level_are_left_out(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url, level=30)
    exporter.take([*lines(1, level=20), *lines(1, start=1, level=40)])
    wait_until(lambda: exporter.sent == 1)

    assert received(http_receiver) == ["1"]


def test_nothing_is_kept_while_export_is_off(exporter: Exporter) -> None:
    exporter.take(lines(10))
    wait_until(lambda: exporter.queued == 0)

    assert exporter.sent == 0


def test_a_receiver_that_fails_gets_the_same_lines_again_once_it_is_well(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    http_receiver.status = 500
    exporter.take(lines(3))
    wait_until(lambda: len(http_receiver.requests) >= 3)
    assert exporter.sent == 0
    http_receiver.status = 200
    wait_until(lambda: exporter.sent == 3)

    assert received(http_receiver)[-3:] == ["0", "1", "2"]


def test_a_receiver_that_refuses_is_not_asked_twice(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    http_receiver.status = 400
    exporter.take(lines(3))
    wait_until(lambda: exporter.refused == 3)

    assert len(http_receiver.requests) == 1


def test_a_receiver_that_hangs_holds_nobody_up_and_the_oldest_lines_go(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    http_receiver.hangs.set()
    exporter.take(lines(1))
    wait_until(lambda: http_receiver.requests)
    started = time.monotonic()
    for start in range(0, MOST_WAITING + 1000, 1000):
        exporter.take(lines(1000, start=start))

    assert time.monotonic() - started < 10
    assert exporter.queued == MOST_WAITING
    assert exporter.dropped == 1001


def test_a_new_setting_counts_although_the_old_receiver_is_away(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver, free_port: int
) -> None:
    setting.receiver = Receiver("http", f"http://127.0.0.1:{free_port}")
    exporter.take(lines(2))
    setting.receiver = Receiver("http", http_receiver.url)
    wait_until(lambda: exporter.sent == 2)

    assert received(http_receiver) == ["0", "1"]


def test_while_the_setting_cannot_be_read_it_stays(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    exporter.take(lines(1))
    wait_until(lambda: exporter.sent == 1)
    setting.fails = True
    exporter.take(lines(1, start=1))
    wait_until(lambda: exporter.sent == 2)


def test_what_waits_is_sent_at_the_end(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    exporter.take(lines(BATCH + 5))
    exporter.stop(20)

    assert len(received(http_receiver)) == BATCH + 5


def test_the_end_is_not_held_up_by_a_receiver_that_hangs(
    exporter: Exporter, setting: Setting, http_receiver: HttpReceiver
) -> None:
    setting.receiver = Receiver("http", http_receiver.url)
    http_receiver.hangs.set()
    exporter.take(lines(1))
    wait_until(lambda: http_receiver.requests)
    started = time.monotonic()
    exporter.stop(0.2)

    assert time.monotonic() - started < 5


def test_the_thread_ends_when_it_is_told_to(exporter: Exporter) -> None:
    exporter.take(lines(1))
    exporter.stop(10)

    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "log-export"])
