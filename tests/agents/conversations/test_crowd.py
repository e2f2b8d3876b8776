"""Several people, several threads, and workers that die in the middle of an answer."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.agents import conversation_queries as queries
from apps.agents import operations, processes, tasks
from apps.agents.conversation_tables import Conversation
from apps.agents.operations import conversing
from apps.agents.runner import driving
from apps.boards.models import Card, Column
from apps.core import problems
from apps.projects.models import Project
from tests import factories
from tests.agents.conversations.conftest import SYSTEM, TalkerOf, answer_now, speaks, wait_for
from tests.agents.test_workers import StartWorker, start_worker  # noqa: F401 - a fixture
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*jobs: Callable[[], object]) -> list[str]:
    """Does all of it at the same time; the outcome of each is a word."""
    barrier, outcomes = threading.Barrier(len(jobs)), ["?"] * len(jobs)

    def run(number: int, job: Callable[[], object]) -> None:
        barrier.wait()
        try:
            job()
            outcomes[number] = "done"
        except problems.Problem as problem:
            outcomes[number] = str(problem.status)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, job)) for number, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_of_many_that_open_one_gets_it(ada: User, deferred: Card) -> None:
    outcomes = at_once(
        *[lambda: operations.open_presession(actor=actor_of(ada), card=deferred)] * 6
    )
    assert Counter(outcomes) == {"done": 1, "409": 5}
    assert Conversation.objects.count() == 1


def test_accept_and_cancel_at_once_leave_one_truth(
    ada: User, talkative: Project, columns: dict[str, Column], talker_of: TalkerOf
) -> None:
    for _ in range(4):
        card = factories.Card.create(column=columns["backlog"], prompt="Old.", is_deferred=True)
        talker = talker_of(ada)
        talker.say(talker.open(card), "@say New.")
        row = answer_now()

        outcomes = at_once(
            partial(operations.accept_presession, actor=actor_of(ada), conversation=row),
            partial(operations.cancel_presession, actor=actor_of(ada), conversation=row),
        )

        row.refresh_from_db()
        card.refresh_from_db()
        if outcomes[0] == "done":
            assert (outcomes, row.status, card.prompt) == (["done", "409"], "accepted", "New.")
        else:
            assert (outcomes, row.status, card.prompt) == (["409", "done"], "cancelled", "Old.")


def test_first_words_said_at_once_make_one_assistant(ada: User, talkative: Project) -> None:
    outcomes = at_once(
        *[
            lambda: operations.say_to_assistant(
                actor=actor_of(ada), project=talkative, text="@say Hello."
            )
        ]
        * 5
    )
    assert outcomes == ["done"] * 5
    row = Conversation.objects.get()
    assert sorted(row.items.values_list("position", flat=True)) == [1, 2, 3, 4, 5]
    assert answer_now().turn == 5


def test_two_runners_that_come_at_once_do_not_both_answer(ada: User, talkative: Project) -> None:
    operations.say_to_assistant(actor=actor_of(ada), project=talkative, text="Hello")
    row = Conversation.objects.get()
    taken: list[object] = []

    def claim() -> None:
        taken.append(
            conversing.claim_conversation(
                actor=SYSTEM, conversation_id=row.pk, owner=driving.owner_name(), lease_seconds=30
            )
        )

    at_once(*[claim] * 4)

    assert len([one for one in taken if one is not None]) == 1


def test_a_killed_runner_is_made_up_for_once(
    ada: User,
    talkative: Project,
    start_worker: StartWorker,  # noqa: F811 - the fixture
) -> None:
    worker = start_worker()
    operations.say_to_assistant(actor=actor_of(ada), project=talkative, text="@slow 300")
    row = wait_for(Conversation.objects.get(), speaks)
    first = row.epoch

    os.kill(int(row.lease_owner.split("/")[1]), signal.SIGKILL)

    def again(one: Conversation) -> bool:
        tasks.reap()
        return one.epoch >= first + 2 and one.lease_owner != ""

    row = wait_for(row, again)
    assert row.auto_retried
    os.kill(int(row.lease_owner.split("/")[1]), signal.SIGKILL)

    def over(one: Conversation) -> bool:
        tasks.reap()
        return one.activity == "idle"

    row = wait_for(row, over)
    last = queries.newest_items(row, limit=1)[0]
    assert (last.type, last.data["text"]) == ("error", conversing.LOST)
    assert not processes.find_marked().get(row.public_id)

    operations.say_to_assistant(actor=actor_of(ada), project=talkative, text="@say Back.")

    row = wait_for(row, lambda one: one.activity == "idle" and one.turn > row.turn)
    assert queries.newest_items(row, limit=1)[0].data["text"] == "Back."
    worker.kill()


def fills(row: Conversation) -> bool:
    texts = row.items.filter(role="assistant").values_list("data__text", flat=True)
    return any("working" in text for text in texts)


def test_a_card_is_not_created_twice_after_a_kill(
    ada: User,
    talkative: Project,
    columns: dict[str, Column],
    start_worker: StartWorker,  # noqa: F811 - the fixture
) -> None:
    start_worker()
    operations.say_to_assistant(
        actor=actor_of(ada),
        project=talkative,
        text='@call create_card {"title": "Once"}\n@slow 300',
    )
    row = wait_for(Conversation.objects.get(), fills)

    os.kill(int(row.lease_owner.split("/")[1]), signal.SIGKILL)

    def over(one: Conversation) -> bool:
        tasks.reap()
        return one.activity == "idle"

    wait_for(row, over)
    assert Card.objects.filter(title="Once").count() == 1


def test_a_worker_that_is_shut_down_hands_the_message_on(
    ada: User,
    talkative: Project,
    start_worker: StartWorker,  # noqa: F811 - the fixture
) -> None:
    first = start_worker()
    operations.say_to_assistant(actor=actor_of(ada), project=talkative, text="@slow 300")
    row = wait_for(Conversation.objects.get(), speaks)

    first.terminate()
    start_worker()

    def taken(one: Conversation) -> bool:
        tasks.reap()
        return one.lease_owner not in {"", row.lease_owner}

    again = wait_for(row, taken)
    assert again.activity == "running"
    operations.stop_assistant(actor=actor_of(ada), project=talkative)
    wait_for(row, lambda one: one.activity == "idle")
