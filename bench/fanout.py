"""Fan-out: one publisher, many sockets and streams; the product beside a reference in one run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench import machine
from bench.product import PROJECT, Product, end
from bench.report import FOLDER, Report, Row, quantile

# The text in each event; with its envelope a message is about 1 KB.
TEXT_BYTES = 900
WINDOW = 32
STEADY_RATE = 20.0
WARM = 40
SIZES = (100, 500, 1_000, 2_000)
SERVER_CORES, CLIENT_CORES, PUBLISHER_CORES = [0], [2, 3], [1]


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


class Crowd:
    """A server's listeners and its publisher."""

    def __init__(
        self, *, where: dict[str, Any], publisher: dict[str, Any], environment: dict[str, str]
    ) -> None:
        spread = max(1, min(2, (os.cpu_count() or 1) - 2))
        handle, name = tempfile.mkstemp(prefix="kanbanai-bench-board-")
        os.ftruncate(handle, spread * 8)
        os.close(handle)
        self.board = name
        self.count = 0
        self.next = 0
        self.listeners = [
            Orders("bench.listeners", {**where, "board": name, "place": place}, environment)
            for place in range(spread)
        ]
        for place, one in enumerate(self.listeners):
            machine.pin(one.process.pid, [CLIENT_CORES[place % len(CLIENT_CORES)]])
        options = {**publisher, "board": name, "size": TEXT_BYTES}
        self.publisher = Orders("bench.publisher", options, environment)
        machine.pin(self.publisher.process.pid, PUBLISHER_CORES)
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
            one.ask("reset", next=self.next, timed=timed)

    def _check(self, report: Report, what: str) -> list[dict[str, Any]]:
        found = [one.ask("report") for one in self.listeners]
        wrong = {
            name: sum(one[name] for one in found)
            for name in ("lost", "doubled", "gone")
            if any(one[name] for one in found)
        }
        late = [one for one in found if one["connections"] and one["last"] != self.next - 1]
        if late:
            wrong["missing"] = self.next - 1 - min(one["last"] for one in late)
        if wrong:
            report.fail(f"{what}: {wrong}")
        return found

    def flood(self, report: Report, what: str, seconds: float, servers: list[int]) -> Flood:
        """This will publish as fast as the slowest part allows."""
        self._reset(timed=False)
        before = sum(machine.cpu_seconds(pid) for pid in servers)
        answer = self.publisher.ask("flood", seconds=seconds, window=WINDOW, listeners=self.count)
        used = sum(machine.cpu_seconds(pid) for pid in servers) - before
        self.next = answer["next"]
        found = self._check(report, what)
        delivered = sum(one["delivered"] for one in found)
        return Flood(
            rate=answer["delivered"] / answer["seconds"],
            cpu_us=used * 1_000_000 / max(delivered, 1),
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


class Reference:
    """A server of a few lines in another process."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        self.name = name
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ports = json.loads(self.process.stdout.readline())
        self.port, self.control = ports["port"], ports["control"]
        for pid in self.servers:
            machine.pin(pid, SERVER_CORES)

    @property
    def servers(self) -> list[int]:
        """The processes that serve: what is started may be a wrapper of the real one."""
        return [self.process.pid, *machine.below(self.process.pid)]

    def crowd(self, protocol: str) -> Crowd:
        """This will give listeners of this server."""
        where = {"port": self.port, "path": "/", "token": "", "protocol": protocol}
        ready = ": hello" if protocol == "sse" else ""
        return Crowd(
            where={**where, "ready": ready},
            publisher={"control": self.control},
            environment=dict(os.environ),
        )


@contextlib.contextmanager
def node(report: Report) -> Iterator[Reference | None]:
    """The Node server, installed on first use; None where that is not possible."""
    source = PROJECT / "bench" / "reference"
    folder = FOLDER / "reference"
    reference: Reference | None = None
    if report.smoke:
        report.say("Nothing is installed for a smoke test, so nothing is compared with `ws`.")
    elif shutil.which("node") is None or shutil.which("npm") is None:
        report.say("No Node here: nothing is compared with `ws`.")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "server.mjs"):
            shutil.copy(source / name, folder / name)
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
        try:
            subprocess.run(install, cwd=folder, capture_output=True, check=True, timeout=90)
            reference = Reference("ws", ["node", "server.mjs"], folder)
        except (subprocess.SubprocessError, OSError) as error:
            report.say(f"`ws` cannot be installed, so nothing is compared with it: {error}")
    try:
        yield reference
    finally:
        if reference is not None:
            end(reference.process)


@contextlib.contextmanager
def raw() -> Iterator[Reference]:
    """The loop of writes."""
    reference = Reference("raw", [sys.executable, "-m", "bench.raw_server"], PROJECT)
    try:
        yield reference
    finally:
        end(reference.process)


class Measured:
    """The product as a server to be measured."""

    def __init__(self, product: Product, board: dict[str, Any]) -> None:
        self.product = product
        self.board = board

    @property
    def servers(self) -> list[int]:
        """The processes that serve."""
        return [process.pid for process in self.product.web]

    def crowd(self, protocol: str) -> Crowd:
        """This will give listeners of the measured board."""
        path = "/api/v1/sse" if protocol == "sse" else "/api/v1/ws"
        where = {
            "port": self.product.port,
            "path": f"{path}?boardId={self.board['board']}&changes=delta",
            "token": self.board["token"],
            "protocol": protocol,
            "ready": "columnOrder",
        }
        return Crowd(
            where=where,
            publisher={"topic": self.board["topic"]},
            environment=self.product.environment,
        )


def run(report: Report) -> None:
    """This will measure P1 to P4."""
    machine.allow_many_files()
    sizes = report.sized(SIZES, (100, 500), (50,))
    seconds = report.sized(3.0, 1.0, 0.5)
    with Product() as product, node(report) as reference, raw() as ceiling:
        report.say("fan-out: preparing")
        product.start_redis()
        product.migrate()
        board = product.seed("board", cards=20)
        product.start_web(cores=SERVER_CORES)
        measured = Measured(product, board)
        for protocol in ("ws", "sse"):
            rivals: dict[str, Any] = {"product": measured}
            if reference is not None:
                rivals["node"] = reference
            if protocol == "ws":
                rivals["raw"] = ceiling
            _compare(report, protocol, rivals, sizes, seconds)
            # What the last connections have left free would hide what the next ones hold.
            product.stop_web()
            product.start_web(cores=SERVER_CORES)
        if not report.quick:
            _several(report, product, measured, sizes[-1], seconds)


def _compare(
    report: Report,
    protocol: str,
    rivals: dict[str, Any],
    sizes: tuple[int, ...],
    seconds: float,
) -> None:
    with contextlib.ExitStack() as stack:
        crowds = {
            name: stack.enter_context(rival.crowd(protocol)) for name, rival in rivals.items()
        }
        for crowd in crowds.values():
            crowd.grow(WARM)
        memory = {name: _memory(rival) for name, rival in rivals.items()}
        for size in sizes:
            for crowd in crowds.values():
                crowd.grow(size)
            floods: dict[str, list[Flood]] = {name: [] for name in rivals}
            times: dict[str, list[list[float]]] = {name: [] for name in rivals}
            if size == sizes[-1]:
                for name, rival in rivals.items():
                    grown = _memory(rival) - memory[name]
                    _note_memory(report, protocol, name, grown / (size - WARM))
            for name in [*rivals, *rivals] if not report.quick else rivals:
                what = f"{protocol} {name} N={size}"
                times[name].append(crowds[name].steady(report, what, seconds))
                floods[name].append(crowds[name].flood(report, what, seconds, rivals[name].servers))
            _judge(report, protocol, size, floods, times)


def _memory(rival: Any) -> float:
    return float(sum(machine.resident_kb(pid) for pid in rival.servers))


def _note_memory(report: Report, protocol: str, name: str, each: float) -> None:
    limit = 25 if protocol == "ws" else 16
    mine = name == "product"
    report.add(
        Row(
            "P4" if mine else "",
            f"memory per idle {'socket' if protocol == 'ws' else 'stream'}, {name}",
            f"<= {limit} KB" if mine else "",
            f"{each:.1f} KB",
            met=each <= limit if mine else None,
        )
    )


def _judge(
    report: Report,
    protocol: str,
    size: int,
    floods: dict[str, list[Flood]],
    times: dict[str, list[list[float]]],
) -> None:
    rates = {name: statistics.median(one.rate for one in some) for name, some in floods.items()}
    costs = {name: statistics.median(one.cpu_us for one in some) for name, some in floods.items()}
    for name, found in floods.items():
        against = rates["node"] if name == "product" and "node" in rates else 0.0
        ratio = rates[name] / against if against else 0.0
        aimed = name == "product" and protocol == "ws" and size in {500, 2_000} and against
        report.add(
            Row(
                "P1" if aimed else "",
                f"deliveries/s, {protocol}, N={size}, {name}",
                ">= 1.0 x ws" if aimed else "",
                f"{rates[name]:,.0f}/s, {costs[name]:.1f} us CPU each",
                f"{ratio:.2f} x" if ratio else "",
                met=ratio >= 1.0 if aimed else None,
                details={
                    "rates": [one.rate for one in found],
                    "cpuUs": [one.cpu_us for one in found],
                },
            )
        )
    spans = {
        name: {
            share: statistics.median(quantile(one, share) for one in some)
            for share in (0.5, 0.95, 0.99)
        }
        for name, some in times.items()
    }
    for name, span in spans.items():
        ratios = []
        if name == "product" and "node" in spans:
            ratios = [span[share] / max(spans["node"][share], 0.001) for share in (0.5, 0.99)]
        aimed = bool(ratios) and protocol == "ws" and size == 500
        report.add(
            Row(
                "P2" if aimed else "",
                f"publish to client, {protocol}, N={size}, {name}, p50 / p95 / p99",
                "<= 2.5 x ws" if aimed else "",
                " / ".join(f"{span[share]:.1f}" for share in (0.5, 0.95, 0.99)) + " ms",
                " / ".join(f"{ratio:.2f}" for ratio in ratios) + " x" if ratios else "",
                met=max(ratios) <= 2.5 if aimed else None,
                details={str(share): value for share, value in span.items()},
            )
        )


def _several(
    report: Report, product: Product, measured: Measured, size: int, seconds: float
) -> None:
    """Two web processes beside one, in alternation."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    for count in (1, 2, 1, 2):
        product.stop_web()
        product.start_web(count, cores=[0, 1])
        with measured.crowd("ws") as crowd:
            crowd.grow(size)
            what = f"{count} web processes"
            crowd.flood(report, what, 0.5, measured.servers)
            flood = crowd.flood(report, what, seconds, measured.servers)
            rates[count].append(flood.rate)
            costs[count].append(flood.cpu_us)
    one, two = statistics.median(rates[1]), statistics.median(rates[2])
    enough = machine.describe()["cores"] >= 4
    report.add(
        Row(
            "P3",
            f"deliveries/s, N={size}, two web processes (one: {one:,.0f}/s)",
            ">= 1.7 x one",
            f"{two:,.0f}/s",
            f"{two / one:.2f} x",
            met=two / one >= 1.7 if enough else None,
            details={"rates": rates, "cpuUs": costs},
        )
    )
