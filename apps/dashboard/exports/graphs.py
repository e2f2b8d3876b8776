"""What must hold between the rows of a document: who belongs to whom, and who waits for whom."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Rows = dict[str, list[dict[str, Any]]]


def faults(rows: Rows) -> Iterator[tuple[str, str]]:
    """This will name what does not fit together, as the path of a field and a sentence."""
    if not rows["boards"]:
        yield "boards", "A project has at least one board."
    board_of_column = {row["id"]: row["board"] for row in rows["columns"]}
    board_of_card = {row["id"]: row["board"] for row in rows["cards"]}
    for number, row in enumerate(rows["cards"]):
        if board_of_column[row["column"]] != row["board"]:
            yield f"cards.{number}.columnId", "This column is on another board."
    yield from _columns(rows)
    for number, row in enumerate(rows["dependencies"]):
        if board_of_card[row["card"]] != board_of_card[row["depends_on"]]:
            yield f"dependencies.{number}.dependsOnId", "This card is on another board."
    in_circle = _circle(rows["dependencies"])
    if in_circle is not None:
        yield f"dependencies.{in_circle}", "These cards wait for each other in a circle."


def _columns(rows: Rows) -> Iterator[tuple[str, str]]:
    seen = set()
    for number, row in enumerate(rows["columns"]):
        place = (row["board"], row["key"])
        if row["key"] and place in seen:
            yield f"columns.{number}.key", "Another column of the board has this key."
        seen.add(place)


def _circle(dependencies: list[dict[str, Any]]) -> int | None:
    """The number of a dependency that nothing can begin with, or None: Kahn's algorithm."""
    waits: dict[str, int] = defaultdict(int)
    frees = defaultdict(list)
    for row in dependencies:
        waits[row["card"]] += 1
        frees[row["depends_on"]].append(row["card"])
    free = [card for card in frees if not waits[card]]
    while free:
        for card in frees.pop(free.pop(), []):
            waits[card] -= 1
            if not waits[card]:
                free.append(card)
    return next((number for number, row in enumerate(dependencies) if waits[row["card"]]), None)
