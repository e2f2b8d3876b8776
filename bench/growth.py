"""Growth: the same work in a small world and in a large one."""

from __future__ import annotations

import json
import statistics
from typing import Any

from bench import calls, works
from bench.fanout import SERVER_CORES
from bench.product import Product
from bench.report import Report, Row
from bench.works import Work

JOURNAL = 1_000_000
REPLAYED = 1_000
SMALL, BOARDS = 50, 200
PROJECTS, ATTEMPTS = 200, 50_000


def run(report: Report) -> None:
    """This will measure P13 and P14, and the usual requests in large worlds."""
    _journal(report)
    _boards(report)
    _dashboard(report)


def _journal(report: Report) -> None:
    """A journal of many rows beside one with next to nothing in it, in alternation."""
    rows = report.sized(JOURNAL, 20_000, 4_000)
    with Product() as empty, Product() as full:
        report.say(f"growth: a journal of {rows:,} rows")
        few, board = (_prepared(product) for product in (empty, full))
        beside = full.seed("board", cards=SMALL, number=1)
        for product, world in ((empty, few), (full, beside)):
            product.seed("journal", topic=world["topic"], count=REPLAYED, others=0)
        full.seed("journal", topic=board["topic"], count=rows // 2, others=rows // 2)
        asked = {
            "empty": (empty, few["topic"], 0),
            "own topic": (full, board["topic"], rows // 2 - REPLAYED),
            "other topics": (full, beside["topic"], 0),
        }
        found: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
        for _number in range(report.sized(7, 3, 1)):
            for name, (product, topic, after) in asked.items():
                found[name].append(_replay(product, topic, after))
        for what in ("replay", "record"):
            middle = {
                name: statistics.median(one[what] for one in some) for name, some in found.items()
            }
            ratios = [middle[name] / middle["empty"] for name in ("own topic", "other topics")]
            name = f"replay {REPLAYED:,} events" if what == "replay" else "record and publish"
            report.add(
                Row(
                    "P13",
                    f"{name}, journal of {rows:,} rows (own topic, other topics)",
                    "<= 1.2 x empty",
                    f"{middle['own topic']:.2f} / {middle['other topics']:.2f} ms",
                    " / ".join(f"{ratio:.2f}" for ratio in ratios) + " x",
                    met=max(ratios) <= 1.2,
                    details={key: [one[what] for one in some] for key, some in found.items()},
                )
            )
        worlds = {"empty": (empty, few), "full": (full, board)}
        _beside(report, worlds, f"with {rows:,} rows in the journal")


def _replay(product: Product, topic: str, after: int) -> dict[str, float]:
    options = json.dumps({"topic": topic, "after": after, "replayed": REPLAYED})
    found: dict[str, float] = json.loads(product.python("-m", "bench.reading", options))
    return found


def _prepared(product: Product) -> dict[str, Any]:
    """This will start what a product needs, and make its first board."""
    product.start_redis()
    product.migrate()
    made: dict[str, Any] = product.seed("board", cards=SMALL)
    return made


def _boards(report: Report) -> None:
    """A server with many boards, each in a project of its own, beside one with a single board."""
    count = report.sized(BOARDS, 40, 5)
    with Product() as one, Product() as many:
        report.say(f"growth: {count} boards")
        worlds = {"one": (one, _prepared(one)), "many": (many, _prepared(many))}
        many.seed("boards", count=count - 1, cards=SMALL)
        _beside(report, worlds, f"on a server with {count} boards", lists=True)


def _beside(
    report: Report,
    worlds: dict[str, tuple[Product, dict[str, Any]]],
    where: str,
    *,
    lists: bool = False,
) -> None:
    """The same requests in a small world and in a large one, in alternation."""
    asked: dict[str, dict[str, Work]] = {}
    callers: dict[str, calls.Caller] = {}
    for name, (product, board) in worlds.items():
        product.start_web(cores=SERVER_CORES)
        callers[name] = calls.Caller(product.port, board["token"])
        asked[name] = works.edits(board) | works.reads(board, callers[name])
        asked[name]["boards"] = Work("GET", f"/api/v1/projects/{board['project']}/boards", [])
        if lists:
            asked[name]["projects"] = Work("GET", "/api/v1/projects", [])
    found: dict[str, dict[str, list[float]]] = {
        work: {name: [] for name in worlds} for work in next(iter(asked.values()))
    }
    for _number in range(report.sized(5, 2, 1)):
        for work, times in found.items():
            for name in worlds:
                times[name] += asked[name][work].time(callers[name], report.sized(20, 10, 1))
    costs = {
        name: works.inside(product, board["token"], asked[name])
        for name, (product, board) in worlds.items()
    }
    for caller in callers.values():
        caller.close()
    small, large = worlds
    for work, times in found.items():
        before, after = (statistics.median(times[name]) for name in (small, large))
        used = costs[large][work]["cpuMs"] / costs[small][work]["cpuMs"]
        counts = [int(costs[name][work]["statements"]) for name in (small, large)]
        # The list of projects is the one thing here that has more to give.
        equal = work != "projects"
        report.add(
            Row(
                "",
                f"{works.NAMES[work]} {where} ({counts[0]} / {counts[1]} statements)",
                "<= 1.2 x" if equal else "near linear",
                f"{before:.1f} / {after:.1f} ms",
                f"{after / before:.2f} x, CPU {used:.2f} x",
                met=min(after / before, used) <= 1.2 and len(set(counts)) == 1 if equal else None,
                details={"times": times, "inside": {name: costs[name][work] for name in worlds}},
            )
        )


def _dashboard(report: Report) -> None:
    projects = report.sized(PROJECTS, 20, 2)
    each = ATTEMPTS // PROJECTS
    with Product() as product:
        report.say(f"growth: {projects} projects with {projects * each:,} attempts")
        product.start_redis()
        product.migrate()
        made = product.seed("attempts", projects=projects, each=each)
        product.start_web(cores=SERVER_CORES)
        path = "/api/v1/dashboard"
        caller = calls.Caller(product.port, made["token"])
        times = [caller.timed("GET", path)[0] for _number in range(report.sized(12, 12, 4))][2:]
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
        boards = product.seed("boards", count=report.sized(20, 5, 2), cards=SMALL)
        _many_boards(report, product, boards)


def _many_boards(report: Report, product: Product, boards: list[dict[str, Any]]) -> None:
    """An edit is the same work on a server with many projects and attempts."""
    caller = calls.Caller(product.port, boards[0]["token"])
    times = []
    for number in range(report.sized(40, 40, 8)):
        board = boards[number % len(boards)]
        card = f"/api/v1/projects/{board['project']}/cards/{board['card']}"
        times.append(caller.timed("PATCH", card, {"title": f"Title {number}"})[0])
    report.add(Row("", "edit a card in that world", "", f"{statistics.median(times[5:]):.1f} ms"))
