from __future__ import annotations

import threading

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core import problems
from apps.core.models import Event
from apps.projects.models import ProjectSettings
from tests import factories, state_equation
from tests.people import actor_of

Columns = dict[str, Column]


def test_a_card_comes_to_the_end_with_the_next_key(
    ada: User, board: Board, columns: Columns
) -> None:
    with state_equation.holds(board, "card.created", "card.created"):
        first = operations.create_card(
            actor=actor_of(ada), column=columns["backlog"], title="First", prompt="Do *it*."
        )
        second = operations.create_card(
            actor=actor_of(ada), column=columns["backlog"], title="Second"
        )
    assert [first.key, second.key] == ["ABC-1", "ABC-2"]
    assert first.rank < second.rank


def test_a_new_prefix_changes_no_old_key(ada: User, columns: Columns) -> None:
    first = operations.create_card(actor=actor_of(ada), column=columns["backlog"], title="First")
    ProjectSettings.objects.update(ticket_prefix="XYZ")
    second = operations.create_card(actor=actor_of(ada), column=columns["backlog"], title="Next")
    first.refresh_from_db()
    assert [first.key, second.key] == ["ABC-1", "XYZ-2"]


def test_a_stranger_creates_nothing(eve: User, columns: Columns) -> None:
    with pytest.raises(problems.Forbidden):
        operations.create_card(actor=actor_of(eve), column=columns["backlog"], title="Mine")
    assert not Card.objects.exists()
    assert not Event.objects.exists()


def test_a_failure_takes_the_number_and_the_event_with_it(ada: User, columns: Columns) -> None:
    foreign = factories.Card.create(column=factories.Column.create(board=factories.Board.create()))
    with pytest.raises(problems.ValidationFailed):
        operations.create_card(
            actor=actor_of(ada),
            column=columns["backlog"],
            title="Waits for a stranger",
            depends_on=[foreign.pk],
        )
    assert not Event.objects.exists()
    card = operations.create_card(actor=actor_of(ada), column=columns["backlog"], title="First")
    assert card.key == "ABC-1"


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_get_keys_without_gaps_or_doubles(
    ada: User, board: Board, columns: Columns
) -> None:
    failures: list[Exception] = []

    def create(number: int) -> None:
        try:
            operations.create_card(
                actor=actor_of(ada), column=columns["backlog"], title=f"Card {number}"
            )
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(number,)) for number in range(20)]
    with state_equation.holds(board, *["card.created"] * 20) as made:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sorted(Card.objects.values_list("number", flat=True)) == list(range(1, 21))
    assert [event.version for event in made] == list(range(1, 21))
