"""A server's listeners and its publisher: processes of their own that take orders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench import machine
from bench.product import PROJECT, end
from bench.report import Report

# The text in each event; with its envelope a message is about 1 KB.
TEXT_BYTES = 900
WINDOW = 32
STEADY_RATE = 20.0
CLIENT_CORES, PUBLISHER_CORES = [2, 3], [1]


class Orders:
    """A program that takes orders on its standard input and answers each with one line."""

    def __init__(self, module: str, options: dict[str, Any], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(options)],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, do: str, **order: Any) -> None:
        """This will give an order without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """This will wait for the answer to an order."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            message = "a measuring program ended early"
            raise RuntimeError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """This will give an order and wait for its answer."""
        self.tell(do, **order)
        return self.answer()

    def close(self) -> None:
        """This will end the program."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        end(self.process)


@dataclass
class Flood:
    """One round of as much as there is room for."""

    rate: float
    cpu_us: float
    # How much of a core each process used.
    busy: dict[str, list[float]] = field(default_factory=dict)


class Crowd:
    """A server's listeners and its publisher."""

    def __init__(
        self,
        *,
        where: dict[str, Any],
        publisher: dict[str, Any],
        environment: dict[str, str],
        publisher_cores: Iterable[int] = PUBLISHER_CORES,
    ) -> None:
        spread = max(1, min(2, (os.cpu_count() or 1) - 2))
        handle, name = tempfile.mkstemp(prefix="kanbanai-bench-board-")
        os.ftruncate(handle, spread * 8)
        os.close(handle)
        self.board = name
        self.count = 0
        self.next = 0
        # Each topic has its own share of the listeners, and its own numbers.
        self.topics = len(publisher.get("topics", [])) or 1
        self.listeners = [
            Orders("bench.listeners", {**where, "board": name, "place": place}, environment)
            for place in range(spread)
        ]
        for place, one in enumerate(self.listeners):
            machine.pin(one.process.pid, [CLIENT_CORES[place % len(CLIENT_CORES)]])
        options = {**publisher, "board": name, "size": TEXT_BYTES}
        self.publisher = Orders("bench.publisher", options, environment)
        machine.pin(self.publisher.process.pid, publisher_cores)
        self.publisher.ask("nothing")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for one in (self.publisher, *self.listeners):
            one.close()
        Path(self.board).unlink()

    def grow(self, count: int) -> None:
        """This will connect listeners until there are so many."""
        share, rest = divmod(count, len(self.listeners))
        for place, one in enumerate(self.listeners):
            one.tell("connect", count=share + (1 if place < rest else 0))
        answers = [one.answer() for one in self.listeners]
        gone = sum(answer["gone"] for answer in answers)
        if gone:
            message = f"{gone} of {count} connections were refused or lost"
            raise RuntimeError(message)
        self.count = count

    def _reset(self, *, timed: bool) -> None:
        for one in self.listeners:
            one.ask("reset", next=self.next // self.topics, timed=timed)

    def _check(self, report: Report, what: str) -> list[dict[str, Any]]:
        found = [one.ask("report") for one in self.listeners]
        wrong = {
            name: sum(one[name] for one in found)
            for name in ("lost", "doubled", "gone")
            if any(one[name] for one in found)
        }
        newest = self.next // self.topics - 1
        late = [one for one in found if one["connections"] and one["last"] != newest]
        if late:
            wrong["missing"] = newest - min(one["last"] for one in late)
        if wrong:
            report.fail(f"{what}: {wrong}")
        return found

    def flood(self, report: Report, what: str, seconds: float, servers: list[int]) -> Flood:
        """This will publish as fast as the slowest part allows."""
        self._reset(timed=False)
        parts = {
            "web": servers,
            "listeners": [one.process.pid for one in self.listeners],
            "publisher": [self.publisher.process.pid],
        }
        before = {pid: machine.cpu_seconds(pid) for pids in parts.values() for pid in pids}
        began = time.monotonic()
        answer = self.publisher.ask(
            "flood", seconds=seconds, window=WINDOW * self.topics, listeners=self.count
        )
        took = time.monotonic() - began
        used = {pid: machine.cpu_seconds(pid) - before[pid] for pid in before}
        self.next = answer["next"]
        found = self._check(report, what)
        delivered = sum(one["delivered"] for one in found)
        return Flood(
            rate=answer["delivered"] / answer["seconds"],
            cpu_us=sum(used[pid] for pid in servers) * 1_000_000 / max(delivered, 1),
            busy={name: [used[pid] / took for pid in pids] for name, pids in parts.items()},
        )

    def steady(self, report: Report, what: str, seconds: float) -> list[float]:
        """This will publish at an even pace and give the milliseconds messages took."""
        self._reset(timed=True)
        answer = self.publisher.ask(
            "steady", seconds=seconds, rate=STEADY_RATE, listeners=self.count
        )
        self.next = answer["next"]
        found = self._check(report, what)
        return [one / 1_000_000 for answer in found for one in answer["latencies"]]

    def hear(
        self, report: Report, what: str, count: int, publish: Callable[[int], None]
    ) -> list[float]:
        """This will have messages published by others and give the milliseconds they took."""
        self._reset(timed=True)
        for _number in range(count):
            publish(self.next)
            self.next += 1
        # Whatever is still under way arrives in this time, or it is lost.
        time.sleep(0.5)
        found = self._check(report, what)
        return [one / 1_000_000 for answer in found for one in answer["latencies"]]
