"""Everybody at once: people move, start, stop and talk while runners work; nothing breaks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.agents import operations
from apps.agents.models import Attempt
from apps.agents.runner import work
from apps.boards import operations as board_operations
from apps.boards.models import Card, Column
from apps.core import problems
from apps.core.actors import Actor
from tests.agents.conftest import MakeCard
from tests.people import actor_of

SECONDS = 8
SLOTS = 3
Act = Callable[[random.Random], None]


def repeated(act: Act, seed: int, until: float) -> None:
    """Does something again and again; refusals are answers, everything else is a failure."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    try:
        while time.monotonic() < until:
            try:
                act(chance)
            except problems.Conflict:
                continue
    finally:
        connection.close()


def test_a_crowd_breaks_neither_limits_nor_locks(  # noqa: C901 - ten small acts
    make_card: MakeCard,
    ada: User,
    columns: dict[str, Column],
    settings: Settings,
    transactional_db: None,
) -> None:
    settings.KANBANAI_AGENT_SLOTS = SLOTS
    # A runner that is slow because all the others run is not lost.
    settings.KANBANAI_AGENT_LEASE_SECONDS = 60
    cards = [make_card("@write a.txt :: a\n@say Hello.", title=f"C{n}") for n in range(5)]
    actor, places = actor_of(ada), [column.pk for column in columns.values()]
    most: list[int] = []

    def one(chance: random.Random) -> Card:
        rows = Card.objects.select_related("project", "board", "column")
        return rows.get(pk=chance.choice(cards).pk)

    def move(chance: random.Random) -> None:
        board_operations.move_card(
            actor=actor, card=one(chance), column_id=chance.choice(places), position=0
        )

    def start(chance: random.Random) -> None:
        operations.start_attempt(actor=actor, card=one(chance), agent="demo")

    def talk(chance: random.Random) -> None:
        operations.send_card_message(actor=actor, card=one(chance), text="@say More.")

    def stop(chance: random.Random) -> None:
        for attempt in Attempt.objects.select_related("project").active()[:1]:
            operations.stop_attempt(actor=actor, attempt=attempt)
        time.sleep(chance.random())

    def run(_: random.Random) -> None:
        ready = Attempt.objects.filter(status="queued", dispatched_at__isnull=False)
        for attempt_id in ready.values_list("pk", flat=True):
            asyncio.run(work.run(attempt_id))

    def look(_: random.Random) -> None:
        most.append(Attempt.objects.filter(lease_owner__gt="").count())
        operations.dispatch_queue(actor=Actor.system("tests"))

    acts: list[Act] = [move, move, start, start, talk, stop, run, run, run, look]
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(len(acts)) as pool:
        done = [pool.submit(repeated, act, seed, until) for seed, act in enumerate(acts)]
    for future in done:
        future.result()

    assert max(most) <= SLOTS
    reasons = set(Attempt.objects.filter(status="failed").values_list("reason", "detail"))
    assert reasons == set()
    assert not Attempt.objects.filter(status="interrupted").exists()
    assert Attempt.objects.count() > 0
