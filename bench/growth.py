"""Growth: the same work in a small world and in a large one."""

from __future__ import annotations

import json
import statistics
from typing import Any

from bench import calls
from bench.fanout import SERVER_CORES
from bench.product import Product
from bench.report import Report, Row

JOURNAL = 1_000_000
REPLAYED = 1_000
PROJECTS, ATTEMPTS = 200, 50_000


def run(report: Report) -> None:
    """This will measure P13 and P14, and edits among many boards."""
    _journal(report)
    _dashboard(report)


def _journal(report: Report) -> None:
    rows = 20_000 if report.quick else JOURNAL
    with Product() as product:
        report.say(f"growth: a journal of {rows:,} rows")
        product.start_redis()
        product.migrate()
        board = product.seed("board", cards=20)
        few = product.seed("board", cards=20, number=1)
        product.seed("journal", topic=few["topic"], count=REPLAYED, others=0)
        small = _replay(product, few["topic"])
        product.seed("journal", topic=board["topic"], count=rows // 2, others=rows // 2)
        large = _replay(product, board["topic"])
        # The small topic again: what others have in the journal must not count either.
        beside = _replay(product, few["topic"])
        for what in ("replay", "record"):
            ratios = [large[what] / small[what], beside[what] / small[what]]
            name = f"replay {REPLAYED:,} events" if what == "replay" else "record and publish"
            report.add(
                Row(
                    "P13",
                    f"{name}, journal of {rows:,} rows (own topic, other topics)",
                    "<= 1.2 x empty",
                    f"{large[what]:.2f} ms",
                    " / ".join(f"{ratio:.2f}" for ratio in ratios) + " x",
                    met=max(ratios) <= 1.2,
                    details={"small": small, "large": large, "beside": beside},
                )
            )


def _replay(product: Product, topic: str) -> dict[str, float]:
    options = json.dumps({"topic": topic, "replayed": REPLAYED})
    found: dict[str, float] = json.loads(product.python("-m", "bench.reading", options))
    return found


def _dashboard(report: Report) -> None:
    projects = 20 if report.quick else PROJECTS
    each = ATTEMPTS // PROJECTS
    with Product() as product:
        report.say(f"growth: {projects} projects with {projects * each:,} attempts")
        product.start_redis()
        product.migrate()
        made = product.seed("attempts", projects=projects, each=each)
        product.start_web(cores=SERVER_CORES)
        path = "/api/v1/dashboard"
        caller = calls.Caller(product.port, made["token"])
        times = [caller.timed("GET", path)[0] for _number in range(12)][2:]
        asked: list[Any] = ["overview", "GET", path, []]
        options = json.dumps({"token": made["token"], "calls": [asked]})
        inside = json.loads(product.python("-m", "bench.inside", options))["overview"]
        took = statistics.median(times)
        report.add(
            Row(
                "P14",
                f"dashboard overview, {projects} projects, {projects * each:,} attempts",
                "<= 100 ms",
                f"{took:.0f} ms, {inside['cpuMs']:.0f} ms CPU",
                met=took <= 100,
                details={"times": times},
            )
        )
        statements = inside["statements"]
        report.add(Row("P14", "its statements", "<= 12", f"{statements}", met=statements <= 12))
        boards = product.seed("boards", count=5 if report.quick else 20, cards=50)
        _many_boards(report, product, boards)


def _many_boards(report: Report, product: Product, boards: list[dict[str, Any]]) -> None:
    """An edit is the same work on a server with many projects and attempts."""
    caller = calls.Caller(product.port, boards[0]["token"])
    times = []
    for number in range(40):
        board = boards[number % len(boards)]
        card = f"/api/v1/projects/{board['project']}/cards/{board['card']}"
        times.append(caller.timed("PATCH", card, {"title": f"Title {number}"})[0])
    report.add(Row("", "edit a card in that world", "", f"{statistics.median(times[5:]):.1f} ms"))
