"""Attempts that say much: real writers, as the runner has them, fed at an even pace.

Started with the arguments as one JSON text; prints one line of JSON when the time is over.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402 - models need the settings

from apps.agents import states  # noqa: E402
from apps.agents.events import place_of  # noqa: E402
from apps.agents.models import Attempt  # noqa: E402
from apps.agents.operations import records  # noqa: E402
from apps.agents.runner.store import Store  # noqa: E402
from apps.agents.runner.writer import Told, Writer  # noqa: E402
from apps.boards.models import Board  # noqa: E402
from apps.boards.outputs import board_topic  # noqa: E402
from apps.core import ids  # noqa: E402
from apps.core.actors import Actor  # noqa: E402
from bench import marks  # noqa: E402

TEXT_BYTES = 200
# Each attempt has a range of numbers of its own.
LANE = 1_000_000
# Items that come together, as from a program that prints.
TOGETHER = 4


class Lease:
    """The claim on an attempt, which nobody contests here."""

    seconds = 30.0

    def halt(self, word: str) -> None:
        """This will end the measurement: nothing may fail."""
        message = f"the writer gave up: {word}"
        raise RuntimeError(message)


def make(board_id: str, count: int) -> list[Attempt]:
    """This will make attempts that run, each of a card of its own."""
    board = Board.objects.get(pk=ids.decode("board", board_id))
    now = timezone.now()
    made = []
    for card in board.cards.order_by("number")[:count]:
        number = card.attempts.count() + 1
        card.attempts.filter(status=states.Status.RUNNING).update(
            status=states.Status.SUCCEEDED, ended_at=now
        )
        made.append(
            Attempt.objects.create(
                card=card,
                board=board,
                project=card.project,
                number=number,
                agent="demo",
                status=states.Status.RUNNING,
                epoch=1,
                queued_at=now,
                started_at=now,
            )
        )
    return made


async def speak(attempt: Attempt, place: int, options: dict[str, Any]) -> int:
    """This will write one attempt's items; the listeners of each have numbers of their own."""
    lease: Any = Lease()
    store = Store()
    writer = Writer(
        store,
        lease,
        record=partial(
            records.record_batch, actor=Actor.system("bench"), attempt_id=attempt.pk, epoch=1
        ),
        told=Told(
            topic=board_topic(attempt.board_id), delta="attempt.delta", place=place_of(attempt)
        ),
    )
    working = asyncio.ensure_future(writer.work())
    began = time.monotonic() + place * 0.005
    count = int(options["seconds"] * options["rate"])
    for number in range(count):
        if number % TOGETHER == 0:
            await asyncio.sleep(max(0.0, began + number / options["rate"] - time.monotonic()))
        text = marks.padded(place * LANE + number, TEXT_BYTES)
        writer.put(
            records.ItemDraft(
                source_id=f"item-{number}",
                type="message",
                turn=1,
                data={"role": "assistant", "text": text},
            )
        )
        await writer.ease()
    await writer.flush()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()
    return count


async def main() -> None:
    """This will let all attempts speak at the same time."""
    options = json.loads(sys.argv[1])
    attempts = await asyncio.to_thread(make, options["board"], options["attempts"])
    before = time.process_time()
    began = time.monotonic()
    counts = await asyncio.gather(
        *(speak(attempt, place, options) for place, attempt in enumerate(attempts))
    )
    took = time.monotonic() - began
    used = time.process_time() - before
    answer = {"written": sum(counts), "seconds": took, "cpu": used}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
