"""The same thing several times at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

_Given = TypeVar("_Given")
# A thread that takes longer hangs, however busy the machine is.
LIMIT_SECONDS = 120


def at_once(*works: Callable[[], _Given]) -> list[_Given]:
    """This will run functions in threads that begin together, and give what each returned."""
    start = threading.Barrier(len(works))
    found: dict[int, _Given] = {}

    def run(number: int, work: Callable[[], _Given]) -> None:
        try:
            start.wait(LIMIT_SECONDS)
            found[number] = work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
    assert len(found) == len(works), "a thread failed or hangs"
    return [found[number] for number in range(len(works))]
