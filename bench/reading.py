"""What reading and writing the journal costs, inside: `python -m bench.reading <options as JSON>`.

Processor time in milliseconds, the least of some tries.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import django

django.setup()

from django.db import transaction  # noqa: E402 - needs the settings

from apps.core import events  # noqa: E402
from apps.core.actors import Actor  # noqa: E402
from apps.core.live import journal  # noqa: E402

TIMES = 15
RECORDED = 40


def least(work: Callable[[], object]) -> float:
    """This will give the least processor time of some tries."""
    found = []
    for _number in range(TIMES):
        began = time.process_time()
        work()
        found.append((time.process_time() - began) * 1000)
    return min(found)


def main() -> None:
    """This will read some events of a topic, always the same, and record some more."""
    options = json.loads(sys.argv[1])
    topic, after, count = options["topic"], options["after"], options["replayed"]
    actor = Actor.system("bench")

    def replay() -> None:
        # A client that comes back asks for this first.
        journal.bounds(topic)
        version, read = after, 0
        while read < count:
            entries = journal.entries_after(topic, version, min(journal.CHUNK, count - read))
            read += len(entries)
            version = entries[-1].version

    def record() -> None:
        for _number in range(RECORDED):
            with transaction.atomic():
                events.record(
                    topic=topic, kind="card.updated", data={"card": {"id": "x"}}, actor=actor
                )

    found = {"replay": least(replay), "record": least(record) / RECORDED}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
