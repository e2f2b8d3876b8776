"""Figures: kept as they come, judged by their targets, printed as a table, written as JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench import machine

T = TypeVar("T")

FOLDER = Path(__file__).resolve().parents[1] / "build" / "bench"


@dataclass
class Row:
    """One figure: what it is, what was aimed at, what came out."""

    target: str
    what: str
    wanted: str
    measured: str
    ratio: str = ""
    # None: nothing was aimed at, or it could not be measured.
    met: bool | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Report:
    """All figures of one run."""

    def __init__(self, *, quick: bool, smoke: bool = False) -> None:
        self.quick = quick or smoke
        self.smoke = smoke
        self.rows: list[Row] = []
        self.failures: list[str] = []
        self.machine = machine.describe()
        self.began = time.monotonic()

    def sized(self, full: T, quick: T, smoke: T) -> T:
        """This will choose how much is measured in this run."""
        return smoke if self.smoke else quick if self.quick else full

    def say(self, text: str) -> None:
        """This will tell whoever waits how far it is."""
        passed = time.monotonic() - self.began
        sys.stderr.write(f"[{passed:6.1f} s] {text}\n")
        sys.stderr.flush()

    def add(self, row: Row) -> None:
        """This will keep a figure."""
        self.rows.append(row)
        met = {None: "", True: "met", False: "MISSED"}[row.met]
        self.say(f"{row.target:4} {row.what}: {row.measured} {row.ratio} {met}".rstrip())

    def fail(self, text: str) -> None:
        """This will note what must never be: a lost message, a doubled one."""
        self.failures.append(text)
        self.say(f"FAILED: {text}")

    def table(self) -> str:
        """This will write all figures as a Markdown table."""
        head = ("target", "work", "aimed at", "measured", "ratio", "met")
        cells = [
            (
                row.target,
                row.what,
                row.wanted,
                row.measured,
                row.ratio,
                {None: "", True: "yes", False: "no"}[row.met],
            )
            for row in self.rows
        ]
        widths = [max(len(line[place]) for line in [head, *cells]) for place in range(len(head))]

        def line(values: Sequence[str]) -> str:
            padded = (value.ljust(width) for value, width in zip(values, widths, strict=True))
            return f"| {' | '.join(padded)} |"

        rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
        return "\n".join([line(head), rule, *(line(values) for values in cells)])

    def write(self) -> Path:
        """This will write everything as JSON, beside what it was measured on."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        when = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        path = FOLDER / f"{when}{self.sized('', '-quick', '-smoke')}.json"
        content = {
            "machine": {**self.machine, "loadAtEnd": machine.describe()["loadAtStart"]},
            "quick": self.quick,
            "smoke": self.smoke,
            "seconds": round(time.monotonic() - self.began, 1),
            "failures": self.failures,
            "rows": [asdict(row) for row in self.rows],
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return path


def quantile(values: Sequence[float], share: float) -> float:
    """This will give the value below which a share of the values lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def summary(values: Sequence[float]) -> dict[str, float]:
    """This will give median, least and greatest of repeated measurements."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "count": len(values),
    }
