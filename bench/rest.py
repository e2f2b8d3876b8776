"""REST: what edits and readings cost at several sizes, and the web process beside plain WSGI."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

from bench import calls, machine, marks
from bench import sizes as sizes_of
from bench.fanout import SERVER_CORES, Measured
from bench.product import Product, end, free_port
from bench.report import FOLDER, Report, Row, quantile
from bench.sockets import Socket

SIZES = (20, 500, 2_000, 10_000)
VIEWERS = 100
GUNICORN = "gunicorn==23.0.0"


def run(report: Report) -> None:
    """This will measure P5 to P8 and P10."""
    machine.allow_many_files()
    sizes = report.sized(SIZES, SIZES[:2], SIZES[:2])
    with Product() as product:
        report.say("rest: preparing")
        product.start_redis()
        product.migrate()
        boards = {size: product.seed("board", cards=size, number=size) for size in sizes}
        product.start_web(cores=SERVER_CORES)
        sizes_of.run(report, product, boards)
        _bytes(report, product, boards)
        _edits(report, product, boards[500])
        _beside_wsgi(report, product, boards[20])
    sizes_of.statements(report)


def _bytes(report: Report, product: Product, boards: dict[int, dict[str, Any]]) -> None:
    found = {}
    for size, board in boards.items():
        path = f"/api/v1/ws?boardId={board['board']}&changes=delta"
        listener = Socket(product.port, path, board["token"])
        listener.until(b"columnOrder")
        card = f"/api/v1/projects/{board['project']}/cards/{board['card']}"
        caller = calls.Caller(product.port, board["token"])
        caller.timed("PATCH", card, {"title": "A title of the usual length for a card"})
        found[size] = len(listener.until(b"card_updated"))
        listener.close()
        caller.close()
    sizes = ", ".join(map(str, boards))
    report.add(
        Row(
            "P5",
            f"bytes to each viewer for an edit at {sizes} cards",
            "<= 1.5 KB, equal",
            " / ".join(map(str, found.values())) + " B",
            met=max(found.values()) <= 1536 and max(found.values()) - min(found.values()) <= 64,
        )
    )


def _edits(report: Report, product: Product, board: dict[str, Any]) -> None:
    count = report.sized(100, 20, 5)
    card = f"/api/v1/projects/{board['project']}/cards/{board['card']}"
    with Measured(product, board).crowd("ws") as crowd:
        crowd.grow(VIEWERS)
        caller = calls.Caller(product.port, board["token"])

        def publish(number: int) -> None:
            caller.timed("PATCH", card, {"title": marks.mark(number)})
            time.sleep(0.02)

        times = crowd.hear(report, "edits", count, publish)
        caller.close()
    middle, late = quantile(times, 0.5), quantile(times, 0.95)
    report.add(
        Row(
            "P6",
            f"edit over REST to an event at {VIEWERS} viewers, 500 cards, p50 / p95",
            "<= 15 / 40 ms",
            f"{middle:.1f} / {late:.1f} ms",
            met=middle <= 15 and late <= 40,
        )
    )


def _beside_wsgi(report: Report, product: Product, board: dict[str, Any]) -> None:
    folder = FOLDER / "gunicorn"
    install = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), GUNICORN]
    if report.smoke and not (folder / "gunicorn").is_dir():
        report.say("Nothing is installed for a smoke test, so P10 is left out.")
        return
    try:
        if not (folder / "gunicorn").is_dir():
            subprocess.run(install, check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError) as error:
        report.say(f"gunicorn cannot be installed, so P10 is left out: {error}")
        return
    port = free_port()
    product.environment["PYTHONPATH"] += f":{folder}"
    options = ("-k", "gthread", "-w", "1", "--threads", "8", "-b", f"127.0.0.1:{port}")
    server = product.run("-m", "gunicorn", *options, "kanbanai.wsgi:application")
    try:
        _wait(port, board["token"])
        for pid in (server.pid, *machine.below(server.pid)):
            machine.pin(pid, SERVER_CORES)
        for name, path in (("an empty view", "/healthz"), ("who am I", "/api/v1/auth/me")):
            _side_by_side(report, name, path, (product.port, port), board["token"])
    finally:
        end(server)
        product.processes.remove(server)


def _wait(port: int, token: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            calls.Caller(port, token).timed("GET", "/healthz")
        except (OSError, EOFError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _side_by_side(report: Report, name: str, path: str, ports: tuple[int, int], token: str) -> None:
    seconds = report.sized(2.0, 0.5, 0.2)
    rates: dict[int, list[float]] = {port: [] for port in ports}
    for port in ports:
        calls.rate(port, token, path, seconds=0.3)
    for port in ports * (1 if report.quick else 3):
        rates[port].append(calls.rate(port, token, path, seconds=seconds))
    mine, theirs = (statistics.median(rates[port]) for port in ports)
    report.add(
        Row(
            "P10",
            f"{name}, 8 connections (gunicorn gthread 1 x 8: {theirs:,.0f}/s)",
            ">= 0.7 x gunicorn",
            f"{mine:,.0f}/s",
            f"{mine / theirs:.2f} x",
            met=mine / theirs >= 0.7,
            details={"product": rates[ports[0]], "gunicorn": rates[ports[1]]},
        )
    )
