"""What people do over REST, the same on any board: as requests, timed and counted."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import Any

from bench import calls
from bench.product import Product

PAGE = 50
# The first ones open connections and fill caches.
WARM = 3
NAMES = {
    "move": "move a card",
    "create": "create a card",
    "read": "read a board",
    "list": "list the cards",
    "part": f"list {PAGE} cards by cursor",
    "boards": "list a project's boards",
    "projects": "list all projects",
}


@dataclass
class Work:
    """One kind of request; its bodies take turns."""

    method: str
    path: str
    bodies: list[Any]

    def time(self, caller: calls.Caller, count: int) -> list[float]:
        """This will make the request some times, and give the milliseconds of each."""
        found = []
        for number in range(count + WARM):
            body = self.bodies[number % len(self.bodies)] if self.bodies else None
            took, _content = caller.timed(self.method, self.path, body)
            if number >= WARM:
                found.append(took)
        return found


def edits(board: dict[str, Any]) -> dict[str, Work]:
    """This will give the works that cost the same whatever else there is."""
    base = f"/api/v1/projects/{board['project']}"
    first, second = board["columns"][0], board["columns"][2]
    places = [{"columnId": second, "position": 0}, {"columnId": first, "position": 3}]
    return {
        "move": Work("PATCH", f"{base}/cards/{board['cards'][5]}/move", places),
        "create": Work("POST", f"{base}/cards", [{"columnId": first, "title": "New"}]),
    }


def reads(board: dict[str, Any], caller: calls.Caller) -> dict[str, Work]:
    """This will give the readings: whole ones grow with the board, a part does not."""
    base = f"/api/v1/projects/{board['project']}"
    part = f"{base}/cards?limit={PAGE}"
    _took, content = caller.timed("GET", part)
    cursor = json.loads(content)["meta"].get("nextCursor")
    return {
        "read": Work("GET", f"{base}/boards/{board['board']}/state", []),
        "list": Work("GET", f"{base}/cards", []),
        "part": Work("GET", f"{part}&cursor={cursor}" if cursor else part, []),
    }


def inside(product: Product, token: str, asked: dict[str, Work]) -> dict[str, dict[str, float]]:
    """This will give each work's statements and least processor time, without a server."""
    listed = [[name, work.method, work.path, work.bodies] for name, work in asked.items()]
    options = json.dumps({"token": token, "calls": listed})
    found: dict[str, dict[str, float]] = json.loads(product.python("-m", "bench.inside", options))
    return found


def median(caller: calls.Caller, work: Work, count: int) -> float:
    """This will give the middle of some times."""
    return statistics.median(work.time(caller, count))
