"""The board page in a browser: its first paint, a drag, and another's change until it is seen."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import calls
from bench.product import Product
from bench.report import Report, Row, quantile

BROWSER = os.environ.get("E2E_BROWSER", "/usr/bin/chromium")
# Nothing but the page itself: Chromium's own look-ups would leave the machine.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCHER = Path(__file__).with_name("page.js")
WINDOW = {"width": 1440, "height": 900}
SMALL, LARGE = 20, 2_000
FIRST_PAINT, SETTLED, SHOWN = 1_000.0, 120.0, 50.0
PATIENCE = 30_000
# The first ones compile scripts and fill caches.
WARM = 2


def run(report: Report) -> None:
    """This will measure P15."""
    if not Path(BROWSER).exists():
        report.say(f"No browser at {BROWSER} (E2E_BROWSER): the page is left out.")
        return
    large = report.sized(LARGE, LARGE, 200)
    with Product() as product, browser() as chromium:
        report.say("page: preparing")
        product.start_redis()
        product.migrate()
        small, many = (product.seed("board", cards=size, number=size) for size in (SMALL, large))
        cookie = product.seed("session")
        product.start_web()
        worlds = {f"{SMALL} cards": (small, ""), f"{large:,} cards": (many, "")}
        if not report.smoke:
            # As opened, a column shows its first hundred. Each window has a board to itself: what
            # one drags would move below another's mouse.
            other = product.seed("board", cards=large, number=large + 1)
            whole = f"?column={other['columns'][0]}&all=1"
            worlds[f"{large:,} cards, all shown"] = (other, whole)
        windows = [
            Window(chromium, product, cookie, name, board, query)
            for name, (board, query) in worlds.items()
        ]
        _first_paints(report, windows)
        for window in windows:
            window.open()
        _drags(report, windows)
        _events(report, windows)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is Chromium

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        try:
            yield launched
        finally:
            launched.close()


class Window:
    """One board, as somebody looks at it."""

    def __init__(
        self,
        chromium: Any,
        product: Product,
        cookie: dict[str, str],
        name: str,
        board: dict[str, Any],
        query: str,
    ) -> None:
        self.chromium = chromium
        self.address = f"http://127.0.0.1:{product.port}"
        self.cookie = cookie
        self.name = name
        self.board = board
        self.path = f"/boards/{board['board']}{query}"
        self.caller = calls.Caller(product.port, board["token"])
        self.page: Any = None

    def open(self) -> dict[str, float]:
        """This will open the board in a browser that knows nothing of it yet."""
        context = self.chromium.new_context(viewport=WINDOW, base_url=self.address)
        context.add_cookies([{**self.cookie, "url": self.address}])
        context.add_init_script(path=WATCHER)
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        answer = self.page.goto(self.path, wait_until="commit")
        if answer.status != 200:
            message = f"the board's page answered {answer.status}"
            raise RuntimeError(message)
        begun: dict[str, float] = self.page.evaluate("bench.begun()")
        return begun

    def close(self) -> None:
        """This will close the window and forget what it knows."""
        self.page.context.close()

    def drag(self, to: str) -> dict[str, float]:
        """This will drag the first card of the other column to the top of one, by mouse."""
        source = next(one for one in self._columns() if one != to)
        card = self.page.locator(f"#col-{source} .card").first
        name = card.get_attribute("data-card")
        card.hover()
        target = self.page.locator(f"#col-{to}[data-armed]")
        target.wait_for()
        box = target.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + 60
        self.page.mouse.down()
        self.page.mouse.move(x, y, steps=8)
        self.page.mouse.move(x + 4, y + 4, steps=4)
        self.page.locator(f"#col-{to}.is-target #card-{name}").wait_for()
        self._ask(f"bench.settled('{name}', '{to}')")
        self.page.mouse.up()
        return self._answer()

    def _columns(self) -> tuple[str, str]:
        """Backlog and Done: no agent starts there."""
        return self.board["columns"][0], self.board["columns"][3]

    def hear(self, number: int) -> dict[str, float]:
        """This will have another client rename the board's first card, and see it here."""
        card = self.page.locator(f"#col-{self._columns()[0]} .card").first.get_attribute(
            "data-card"
        )
        mark = f"Seen by others {number:06}"
        self._ask(f"bench.shown('{card}', '{mark}')")
        began = time.time() * 1000
        path = f"/api/v1/projects/{self.board['project']}/cards/{card}"
        self.caller.timed("PATCH", path, {"title": mark})
        answer = self._answer()
        answer["published"] = answer.pop("at") - began
        return answer

    def _ask(self, what: str) -> None:
        self.page.evaluate(f"() => {{ globalThis.asked = {what}; }}")

    def _answer(self) -> dict[str, float]:
        answer: dict[str, float] = self.page.evaluate("() => globalThis.asked")
        return answer


def _rounds(report: Report, full: int, quick: int) -> Iterator[bool]:
    """One for each round, true where it counts."""
    warm = 0 if report.smoke else WARM
    for number in range(warm + report.sized(full, quick, 1)):
        yield number >= warm


def _first_paints(report: Report, windows: list[Window]) -> None:
    found: dict[str, list[dict[str, float]]] = {window.name: [] for window in windows}
    for counts in _rounds(report, 12, 5):
        for window in windows:
            begun = window.open()
            window.close()
            if counts:
                found[window.name].append(begun)
    _rows(report, "first contentful paint", "firstPaint", FIRST_PAINT, found)


def _drags(report: Report, windows: list[Window]) -> None:
    found: dict[str, list[dict[str, float]]] = {window.name: [] for window in windows}
    for number, counts in enumerate(_rounds(report, 15, 8)):
        for window in windows:
            took = window.drag(window.board["columns"][0 if number % 2 else 3])
            if counts:
                found[window.name].append(took)
    _rows(report, "drag: mouse up to settled and confirmed", "settled", SETTLED, found)


def _events(report: Report, windows: list[Window]) -> None:
    found: dict[str, list[dict[str, float]]] = {window.name: [] for window in windows}
    for number, counts in enumerate(_rounds(report, 30, 15)):
        for place, window in enumerate(windows):
            took = window.hear(number * len(windows) + place)
            if counts:
                found[window.name].append(took)
    _rows(report, "event at the socket to painted card", "painted", SHOWN, found)
    for name, times in found.items():
        spans = [one["published"] for one in times]
        report.add(
            Row(
                "",
                f"another's change over REST to painted card, {name}, p50 / p95",
                "",
                f"{statistics.median(spans):.0f} / {quantile(spans, 0.95):.0f} ms",
            )
        )


def _rows(
    report: Report,
    what: str,
    key: str,
    limit: float,
    found: dict[str, list[dict[str, float]]],
) -> None:
    """One row for each size; the ratio is to the smallest."""
    medians = {name: statistics.median(one[key] for one in some) for name, some in found.items()}
    smallest = next(iter(medians.values()))
    for name, some in found.items():
        late = quantile([one[key] for one in some], 0.95)
        report.add(
            Row(
                "P15",
                f"{what}, {name}, p50 / p95",
                f"p50 <= {limit:,.0f} ms",
                f"{medians[name]:.0f} / {late:.0f} ms",
                f"{medians[name] / smallest:.2f} x",
                met=medians[name] <= limit,
                details={part: [one[part] for one in some] for part in some[0]},
            )
        )
