"""Lines leave whoever logs them at once, and come to where they are kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from apps.core.logs import pump as pumps
from apps.core.logs.entries import Entry
from apps.core.logs.pump import MOST_WAITING, Pump, StoreSink, complain, leave_out_this_thread
from apps.core.logs.store import Question, SqliteStore, Unreachable
from tests.core.logs.conftest import wait_until

ROOT = Path(__file__).resolve().parents[3]


class Kept:
    """A sink that keeps what it takes, and holds its thread while it is told to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.batches = 0
        self.open = threading.Event()
        self.open.set()

    waiting = 0

    def take(self, entries: Sequence[Entry]) -> None:
        self.open.wait(30)
        self.batches += 1
        self.entries += entries

    def stop(self, seconds: float) -> None:
        pass


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def pump(kept: Kept) -> Iterator[Pump]:
    made = Pump()
    made.begin([kept])
    yield made
    kept.open.set()
    made.stop()


def say(pump: Pump, message: str) -> None:
    pump.put({"event": message, "level": "info", "logger": "tests"})


def test_lines_come_in_order_and_in_batches(pump: Pump, kept: Kept) -> None:
    for number in range(100):
        say(pump, str(number))
    wait_until(lambda: len(kept.entries) == 100)

    assert [entry.message for entry in kept.entries] == [str(number) for number in range(100)]
    assert kept.batches < 10


def test_nobody_waits_for_a_sink_that_hangs_and_the_oldest_lines_go(pump: Pump, kept: Kept) -> None:
    kept.open.clear()
    say(pump, "first")
    started = time.monotonic()
    for number in range(MOST_WAITING + 600):
        say(pump, str(number))

    assert time.monotonic() - started < 10
    assert pump.dropped > 0
    kept.open.set()
    wait_until(lambda: kept.entries and kept.entries[-1].message == str(MOST_WAITING + 599))
    assert len(kept.entries) + pump.dropped == MOST_WAITING + 601


def test_what_waits_is_passed_on_at_the_end(pump: Pump, kept: Kept) -> None:
    say(pump, "last words")
    pump.stop()

    assert [entry.message for entry in kept.entries] == ["last words"]


def test_the_end_is_not_held_up_by_a_sink_that_hangs(pump: Pump, kept: Kept) -> None:
    kept.open.clear()
    say(pump, "first")
    started = time.monotonic()
    pump.stop(0.2)

    assert time.monotonic() - started < 5


def test_lines_of_a_thread_that_carries_lines_are_not_carried(pump: Pump, kept: Kept) -> None:
    def carry() -> None:
        leave_out_this_thread()
        say(pump, "about a line")

    thread = threading.Thread(target=carry)
    thread.start()
    thread.join()
    say(pump, "ordinary")
    wait_until(lambda: kept.entries)

    assert [entry.message for entry in kept.entries] == ["ordinary"]


def test_a_sink_that_fails_takes_nothing_from_the_others(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(Kept):
        def take(self, entries: Sequence[Entry]) -> None:
            raise RuntimeError("password=hunter2")

    pumps._complained.clear()
    pump = Pump()
    pump.begin([Failing(), kept])
    say(pump, "said")
    wait_until(lambda: kept.entries)
    pump.stop()

    assert capsys.readouterr().err == "Log lines cannot be passed on: password=[redacted]\n"


def test_complaints_come_once_a_minute() -> None:
    pumps._complained.clear()
    said: list[str] = []
    for _ in range(3):
        complain("are odd", ValueError("why"), write=said.append)

    assert said == ["Log lines are odd: why\n"]


class Away(SqliteStore):
    """A store that is away for a while."""

    away = True

    def write(self, entries: Sequence[Entry]) -> None:
        if self.away:
            message = "away"
            raise Unreachable(message)
        super().write(entries)


def test_lines_wait_while_the_store_is_away_and_need_no_further_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pumps, "RETRY_SECONDS", 0.05)
    store = Away(tmp_path / "logs.sqlite3", days=1, most=100)
    sink, pump = StoreSink(store), Pump()
    pump.begin([sink])
    say(pump, "kept all the same")
    wait_until(lambda: sink.waiting == 1)
    store.away = False
    wait_until(lambda: sink.waiting == 0)
    pump.stop()

    assert [entry["message"] for entry in store.find(Question()).entries] == ["kept all the same"]


def test_only_the_newest_wait_while_the_store_is_away(tmp_path: Path) -> None:
    sink = StoreSink(Away(tmp_path / "logs.sqlite3", days=1, most=100))
    for start in range(0, MOST_WAITING + 500, 500):
        sink.take([Entry(n, 20, "t", str(n)) for n in range(start, start + 500)])

    assert (sink.waiting, sink.dropped) == (MOST_WAITING, 500)


FORKING = """
import os, sys
from pathlib import Path
from apps.core.logs.pump import Pump, StoreSink
from apps.core.logs.store import SqliteStore
pump = Pump()
pump.begin([StoreSink(SqliteStore(Path(sys.argv[1]), days=1, most=100))])
say = lambda text: pump.put({"event": text, "logger": "t"})
say("parent before")
import time; time.sleep(0.6)
child = os.fork()
if child == 0:
    say("child")
    pump.stop()
    os._exit(0)
os.waitpid(child, 0)
say("parent after")
"""


def test_a_forked_child_keeps_its_own_lines_and_the_parent_its_own(tmp_path: Path) -> None:
    path = tmp_path / "logs.sqlite3"
    subprocess.run(
        [sys.executable, "-c", FORKING, str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    store = SqliteStore(path, days=1, most=100)

    said = sorted(entry["message"] for entry in store.find(Question()).entries)
    assert said == ["child", "parent after", "parent before"]
