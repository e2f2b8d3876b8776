"""Fan-out: one publisher, many sockets and streams; the product beside a reference in one run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import machine
from bench.crowd import CLIENT_CORES, PUBLISHER_CORES, Crowd, Flood
from bench.product import PROJECT, Product, end
from bench.report import FOLDER, Report, Row, quantile

WARM = 20
# Latency is measured at these sizes only: an even pace takes its time.
PACED = (500, 2_000)
# Of fewer connections one cannot tell how much memory each of them holds.
ENOUGH = 500
SERVER_CORES = [0]
LIMITS_KB = {"ws": 25, "sse": 16}
KINDS = {"ws": "socket", "sse": "stream"}


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
        where = {"port": self.port, "paths": ["/"], "token": "", "protocol": protocol}
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
    """The product as a server to be measured, with one board or several."""

    def __init__(self, product: Product, *boards: dict[str, Any]) -> None:
        self.product = product
        self.boards = boards

    @property
    def servers(self) -> list[int]:
        """The processes that serve."""
        return [process.pid for process in self.product.web]

    def crowd(self, protocol: str, *, publisher_cores: list[int] | None = None) -> Crowd:
        """This will give listeners of the measured boards, as many of each."""
        path = "/api/v1/sse" if protocol == "sse" else "/api/v1/ws"
        where = {
            "port": self.product.port,
            "paths": [f"{path}?boardId={board['board']}&changes=delta" for board in self.boards],
            "token": self.boards[0]["token"],
            "protocol": protocol,
            "ready": "columnOrder",
        }
        return Crowd(
            where=where,
            publisher={"topics": [board["topic"] for board in self.boards]},
            environment=self.product.environment,
            publisher_cores=publisher_cores or PUBLISHER_CORES,
        )


def run(report: Report) -> None:
    """This will measure P1 to P4."""
    machine.allow_many_files()
    sizes = report.sized((100, 500, 1_000, 2_000), (100, 500), (40,))
    seconds = report.sized(1.5, 1.0, 0.3)
    with Product() as product, node(report) as reference, raw() as ceiling:
        report.say("fan-out: preparing")
        product.start_redis()
        product.migrate()
        board = product.seed("board", cards=20)
        measured = Measured(product, board)
        for protocol in ("ws", "sse"):
            # What the last connections have left free would hide what the next ones hold.
            product.stop_web()
            product.start_web(cores=SERVER_CORES)
            rivals: dict[str, Any] = {"product": measured}
            if reference is not None:
                rivals["node"] = reference
            if protocol == "ws":
                rivals["raw"] = ceiling
            _compare(report, protocol, rivals, sizes, seconds)
        _many_boards(report, measured, sizes[-1], seconds)
        _several(report, measured, min(sizes[-1], 1_000), seconds)


class Growth:
    """What was measured at each number of connections, by server."""

    def __init__(self, protocol: str, names: list[str]) -> None:
        self.protocol = protocol
        self.names = names
        self.sizes: list[int] = []
        self.floods: dict[str, dict[int, list[Flood]]] = {name: {} for name in names}
        self.memory: dict[str, dict[int, float]] = {name: {} for name in names}

    def rate(self, name: str, size: int) -> float:
        """The median of deliveries a second."""
        return statistics.median(one.rate for one in self.floods[name][size])

    def cpu(self, name: str, size: int) -> float:
        """The median of processor time for each delivery."""
        return statistics.median(one.cpu_us for one in self.floods[name][size])

    def rows(self, report: Report) -> None:
        """This will add one row for each server and figure, with all sizes beside each other."""
        at = f"{self.protocol}, N={' / '.join(map(str, self.sizes))}"
        for name in self.names:
            rates = [self.rate(name, size) for size in self.sizes]
            costs = [self.cpu(name, size) for size in self.sizes]
            ratios: dict[int, float] = {}
            if name == "product" and "node" in self.names:
                ratios = {
                    size: self.rate(name, size) / self.rate("node", size) for size in self.sizes
                }
            judged = [
                ratio for size, ratio in ratios.items() if self.protocol == "ws" and size in PACED
            ]
            report.add(
                Row(
                    "P1" if judged else "",
                    f"deliveries/s, {at}, {name}",
                    ">= 1.0 x ws at 500 and 2,000" if judged else "",
                    " / ".join(f"{one / 1000:,.0f} k" for one in rates),
                    " / ".join(f"{one:.1f}" for one in ratios.values()) + " x" if ratios else "",
                    met=min(judged) >= 1.0 if judged else None,
                    details={
                        str(size): [vars(one) for one in self.floods[name][size]]
                        for size in self.sizes
                    },
                )
            )
            report.add(
                Row(
                    "",
                    f"processor time for each delivery, {at}, {name}",
                    "",
                    " / ".join(f"{one:.1f}" for one in costs) + " us",
                )
            )
        for name in self.names:
            held = list(self.memory[name].values())
            limit = LIMITS_KB[self.protocol]
            mine = name == "product"
            report.add(
                Row(
                    "P4" if mine else "",
                    f"memory per idle {KINDS[self.protocol]}, {at}, {name}",
                    f"<= {limit} KB" if mine else "",
                    " / ".join(f"{one:.1f}" for one in held) + " KB",
                    met=held[-1] <= limit if mine and self.sizes[-1] >= ENOUGH else None,
                )
            )


def _compare(
    report: Report,
    protocol: str,
    rivals: dict[str, Any],
    sizes: tuple[int, ...],
    seconds: float,
) -> None:
    """The servers take turns at each number of connections."""
    growth = Growth(protocol, list(rivals))
    turns = [*rivals] if report.quick else [*rivals, *rivals]
    with contextlib.ExitStack() as stack:
        crowds = {
            name: stack.enter_context(rival.crowd(protocol)) for name, rival in rivals.items()
        }
        for crowd in crowds.values():
            crowd.grow(WARM)
        for size in sizes:
            growth.sizes.append(size)
            for name, crowd in crowds.items():
                # Floods leave buffers behind: only what came with new connections counts.
                before, count = _memory(rivals[name]), crowd.count
                crowd.grow(size)
                growth.memory[name][size] = (_memory(rivals[name]) - before) / (size - count)
            times: dict[str, list[list[float]]] = {name: [] for name in rivals}
            for name in turns:
                what = f"{protocol} {name} N={size}"
                if size in PACED or len(sizes) == 1:
                    paced = report.sized(3.0, 2.0, 0.5)
                    times[name].append(crowds[name].steady(report, what, paced))
                flood = crowds[name].flood(report, what, seconds, rivals[name].servers)
                growth.floods[name].setdefault(size, []).append(flood)
            if any(times.values()):
                _judge_times(report, protocol, size, times)
    growth.rows(report)


def _memory(rival: Any) -> float:
    return float(sum(machine.resident_kb(pid) for pid in rival.servers))


def _judge_times(
    report: Report, protocol: str, size: int, times: dict[str, list[list[float]]]
) -> None:
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


def _many_boards(report: Report, measured: Measured, size: int, seconds: float) -> None:
    """As many connections on many boards, with an event on each in turn, beside one board."""
    product = measured.product
    count = max(2, size // 10)
    many = Measured(product, *product.seed("boards", count=count, cards=20))
    product.stop_web()
    product.start_web(cores=SERVER_CORES)
    floods: dict[str, list[Flood]] = {"one": [], "many": []}
    with measured.crowd("ws") as one, many.crowd("ws") as spread:
        crowds = {"one": one, "many": spread}
        for crowd in crowds.values():
            crowd.grow(size)
        for name in [*crowds] if report.quick else [*crowds, *crowds]:
            what = f"{name} board(s), N={size}"
            floods[name].append(crowds[name].flood(report, what, seconds, measured.servers))
    cost = {
        name: statistics.median(flood.cpu_us for flood in some) for name, some in floods.items()
    }
    rate = {name: statistics.median(flood.rate for flood in some) for name, some in floods.items()}
    shares = f"1 board x {size} / {count} boards x {size // count}"
    # What an event costs before anybody gets it is shared by few there.
    each_event = (cost["many"] - cost["one"]) * (size // count)
    report.add(
        Row(
            "",
            f"processor time for each delivery, ws, {shares}",
            "",
            f"{cost['one']:.1f} / {cost['many']:.1f} us, {each_event:.0f} us more an event "
            f"({rate['one'] / 1000:,.0f} / {rate['many'] / 1000:,.0f} k/s)",
            f"{cost['many'] / cost['one']:.1f} x",
            details={name: [vars(flood) for flood in some] for name, some in floods.items()},
        )
    )


def _several(report: Report, measured: Measured, size: int, seconds: float) -> None:
    """Two web processes beside one, in alternation; and who was busy meanwhile."""
    product = measured.product
    floods: dict[int, list[Flood]] = {1: [], 2: []}
    for count in (1, 2) if report.quick else (1, 2, 1, 2):
        product.stop_web()
        product.start_web(count, cores=[0, 1])
        # The publisher leaves both cores to the web processes.
        with measured.crowd("ws", publisher_cores=CLIENT_CORES) as crowd:
            crowd.grow(size)
            what = f"{count} web processes"
            crowd.flood(report, what, seconds / 3, measured.servers)
            floods[count].append(crowd.flood(report, what, seconds, measured.servers))
    rates = {n: statistics.median(one.rate for one in some) for n, some in floods.items()}
    costs = {n: statistics.median(one.cpu_us for one in some) for n, some in floods.items()}
    enough = machine.describe()["cores"] >= machine.CORES_TO_PIN
    report.add(
        Row(
            "P3",
            f"deliveries/s, N={size}, two web processes (one: {rates[1]:,.0f}/s)",
            ">= 1.7 x one",
            f"{rates[2]:,.0f}/s",
            f"{rates[2] / rates[1]:.2f} x",
            met=rates[2] / rates[1] >= 1.7 if enough else None,
            details={str(n): [vars(one) for one in some] for n, some in floods.items()},
        )
    )
    for count, some in floods.items():
        busy = some[-1].busy
        shares = ", ".join(
            f"{name} {' + '.join(f'{share:.0%}' for share in each)}" for name, each in busy.items()
        )
        report.add(
            Row(
                "",
                f"processor time for each delivery, {count} web process(es); cores in use",
                "",
                f"{costs[count]:.1f} us; {shares}",
            )
        )
