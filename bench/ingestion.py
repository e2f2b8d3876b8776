"""Ingestion: what eight busy attempts say, from their workers to a client that listens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from typing import Any

from bench import databases
from bench.product import PROJECT, Product
from bench.report import Report, Row, quantile
from bench.sockets import Socket

ATTEMPTS, RATE = 8, 200.0
# As in bench.worker, which only runs where Django is set up.
LANE = 1_000_000
MARK = re.compile(rb"@@(\d{12}) (\d{20})")


class Listener(threading.Thread):
    """One client of a board who hears every transcript, and checks each attempt's numbers."""

    def __init__(self, product: Product, board: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        path = f"/api/v1/ws?boardId={board['board']}&changes=delta"
        self.socket = Socket(product.port, path, board["token"])
        self.socket.until(b"columnOrder")
        self.milliseconds: list[float] = []
        self.next: defaultdict[int, int] = defaultdict(int)
        self.wrong = 0

    def run(self) -> None:
        """This will read until the socket is closed."""
        for frame in self.socket.frames():
            now = time.monotonic_ns()
            for marked, at in MARK.findall(frame):
                lane, number = divmod(int(marked), LANE)
                if number != self.next[lane]:
                    self.wrong += 1
                self.next[lane] = number + 1
                self.milliseconds.append((now - int(at)) / 1_000_000)


def run(report: Report) -> None:
    """This will measure P9 on SQLite and, where there is one, on PostgreSQL."""
    _measure(report, "SQLite", None)
    with databases.postgres(report) as address:
        if address is not None:
            _measure(report, "PostgreSQL", address)


def _measure(report: Report, name: str, database_url: str | None) -> None:
    seconds = report.sized(8.0, 2.0, 1.0)
    with Product(database_url=database_url) as product:
        report.say(f"ingestion, {name}: preparing")
        product.start_redis()
        product.migrate()
        board = product.seed("board", cards=50)
        product.start_web()
        listener = Listener(product, board)
        listener.start()
        options = {"board": board["board"], "attempts": ATTEMPTS, "rate": RATE, "seconds": seconds}
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker", json.dumps(options)],
            cwd=PROJECT,
            env=product.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds * 10 + 60,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        worker = json.loads(done.stdout)
        deadline = time.monotonic() + 10
        while len(listener.milliseconds) < worker["written"] and time.monotonic() < deadline:
            time.sleep(0.05)
        listener.socket.close()
        listener.join(5)
        _judge(report, name, worker, listener)


def _judge(report: Report, name: str, worker: dict[str, Any], listener: Listener) -> None:
    lost = worker["written"] - len(listener.milliseconds)
    if lost or listener.wrong:
        report.fail(f"ingestion, {name}: {lost} lost, {listener.wrong} out of order")
    spans = {share: quantile(listener.milliseconds, share) for share in (0.5, 0.95, 0.99)}
    report.add(
        Row(
            "P9",
            f"{ATTEMPTS} attempts x {RATE:.0f} items/s to a client, {name}, p50 / p95 / p99",
            "p95 <= 150 ms, 0 lost",
            f"{spans[0.5]:.0f} / {spans[0.95]:.0f} / {spans[0.99]:.0f} ms, {lost} lost",
            met=spans[0.95] <= 150 and not lost and not listener.wrong,
            details={"written": worker["written"], "seconds": worker["seconds"]},
        )
    )
    share = worker["cpu"] / worker["seconds"]
    rate = worker["written"] / worker["seconds"]
    report.add(
        Row(
            "P9",
            f"the writers' processor time, {name}, at {rate:,.0f} items/s",
            "<= 50 % of a core",
            f"{share * 100:.0f} %, {worker['cpu'] * 1000 / worker['written']:.2f} ms an item",
            met=share <= 0.5 and rate >= ATTEMPTS * RATE * 0.9,
            details=worker,
        )
    )
