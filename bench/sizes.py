"""Edits and readings of boards of several sizes: their times, and their statements."""

from __future__ import annotations

from typing import Any

from bench import calls, databases, works
from bench.product import Product
from bench.report import Report, Row

COUNTED = (20, 2_000, 10_000)
WORKS = ("move", "create", "read", "list", "part")
# What must cost the same on any board; the others grow with what they give.
EQUAL = ("move", "create", "part")


def run(report: Report, product: Product, boards: dict[int, dict[str, Any]]) -> None:
    """This will measure P7 and P8, on boards that are there."""
    caller = calls.Caller(product.port, next(iter(boards.values()))["token"])
    times: dict[str, dict[int, float]] = {name: {} for name in WORKS}
    costs: dict[str, dict[int, dict[str, float]]] = {name: {} for name in WORKS}
    for size, board in boards.items():
        asked = works.edits(board) | works.reads(board, caller)
        for name, work in asked.items():
            count = report.sized(40, 10, 2) if name in EQUAL else report.sized(10, 5, 1)
            times[name][size] = works.median(caller, work, count)
        for name, cost in works.inside(product, board["token"], asked).items():
            costs[name][size] = cost
        report.say(f"{size:,} cards: done")
    caller.close()
    for name in WORKS:
        _row(report, name, times[name], costs[name])
    _statements(report, "SQLite", costs)
    limits = [("create", 500, 15), ("read", 500, 20), ("read", 10_000, 250)]
    for name, size, limit in limits:
        if size in boards:
            value = times[name][size]
            what = (
                f"{works.NAMES[name]} of {size:,} cards"
                if name == "read"
                else "create a card at 500"
            )
            report.add(Row("P7", what, f"<= {limit} ms", f"{value:.1f} ms", met=value <= limit))


def _row(
    report: Report, name: str, times: dict[int, float], costs: dict[int, dict[str, float]]
) -> None:
    sizes = ", ".join(f"{size:,}" for size in times)
    effort = [cost["cpuMs"] for cost in costs.values()]
    spread = max(times.values()) / min(times.values())
    used = max(effort) / min(effort)
    equal = name in EQUAL
    if not equal:
        values = list(times.values())
        spread, used = values[-1] / values[0], effort[-1] / effort[0]
    report.add(
        Row(
            "P8" if name == "move" else "",
            f"{works.NAMES[name]} at {sizes} cards",
            "equal within 20 %" if equal else "near linear",
            " / ".join(f"{value:.1f}" for value in times.values()) + " ms",
            f"{spread:.2f} x, CPU {used:.2f} x",
            met=min(spread, used) <= 1.2 if equal else None,
            details={"times": times, "inside": costs},
        )
    )


def statements(report: Report) -> None:
    """This will count the statements on PostgreSQL too, where there is a server."""
    with databases.postgres(report) as address:
        if address is None:
            return
        with Product(database_url=address) as product:
            product.start_redis()
            product.migrate()
            costs: dict[str, dict[int, dict[str, float]]] = {name: {} for name in WORKS}
            sizes = report.sized(COUNTED, COUNTED[:2], COUNTED[:1])
            boards = {size: product.seed("board", cards=size, number=size) for size in sizes}
            product.start_web()
            for size, board in boards.items():
                caller = calls.Caller(product.port, board["token"])
                asked = works.edits(board) | works.reads(board, caller)
                caller.close()
                for name, cost in works.inside(product, board["token"], asked).items():
                    costs[name][size] = cost
            _statements(report, "PostgreSQL", costs)


def _statements(
    report: Report, database: str, costs: dict[str, dict[int, dict[str, float]]]
) -> None:
    counts = {
        name: [int(cost["statements"]) for cost in found.values()] for name, found in costs.items()
    }
    sizes = ", ".join(f"{size:,}" for size in costs["move"])
    shown = ", ".join(
        f"{name} {'/'.join(map(str, dict.fromkeys(found)))}" for name, found in counts.items()
    )
    report.add(
        Row(
            "P8",
            f"statements at {sizes} cards, {database}",
            "move <= 10, equal at all sizes",
            shown,
            met=max(counts["move"]) <= 10
            and all(len(set(found)) == 1 for found in counts.values()),
            details={"counts": counts},
        )
    )
