from __future__ import annotations

import random
import threading

import pytest
from django.db import close_old_connections, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core import problems, ranks
from apps.core.actors import Actor
from apps.core.models import Event
from tests import factories, state_equation
from tests.people import actor_of

Columns = dict[str, Column]


def keys(column: Column) -> list[str]:
    return list(column.cards.order_by("rank").values_list("title", flat=True))


@pytest.fixture
def cards(columns: Columns) -> list[Card]:
    return [factories.Card.create(column=columns["backlog"], title=name) for name in "abcd"]


@pytest.mark.parametrize(
    ("position", "order"),
    [
        (0, ["c", "a", "b", "d"]),
        (1, ["a", "c", "b", "d"]),
        (2, ["a", "b", "c", "d"]),
        (3, ["a", "b", "d", "c"]),
        (-1, ["c", "a", "b", "d"]),
        (10**9, ["a", "b", "d", "c"]),
        (None, ["a", "b", "d", "c"]),
    ],
)
def test_a_card_lands_where_it_was_put(
    ada: User,
    board: Board,
    columns: Columns,
    cards: list[Card],
    position: int | None,
    order: list[str],
) -> None:
    with state_equation.holds(board, "card.moved"):
        operations.move_card(
            actor=actor_of(ada), card=cards[2], column_id=columns["backlog"].pk, position=position
        )
    assert keys(columns["backlog"]) == order


def test_one_row_is_written_however_many_cards_stand_there(
    ada: User, columns: Columns, cards: list[Card]
) -> None:
    before = dict(Card.objects.values_list("pk", "rank"))
    operations.move_card(
        actor=actor_of(ada), card=cards[3], column_id=columns["backlog"].pk, position=1
    )
    after = dict(Card.objects.values_list("pk", "rank"))
    assert [pk for pk in before if before[pk] != after[pk]] == [cards[3].pk]


def test_a_stranger_moves_nothing(eve: User, columns: Columns, cards: list[Card]) -> None:
    with pytest.raises(problems.Forbidden):
        operations.move_card(
            actor=actor_of(eve), card=cards[0], column_id=columns["done"].pk, position=0
        )
    assert keys(columns["backlog"]) == ["a", "b", "c", "d"]
    assert not Event.objects.exists()


def test_a_card_stays_in_its_project(ada: User, columns: Columns, cards: list[Card]) -> None:
    foreign = factories.BoardWithColumns.create(project=factories.Project.create(owner=ada))
    with pytest.raises(problems.ValidationFailed) as raised:
        operations.move_card(
            actor=actor_of(ada), card=cards[0], column_id=foreign.columns.get(key="backlog").pk
        )
    assert raised.value.errors[0]["field"] == "columnId"
    assert keys(columns["backlog"]) == ["a", "b", "c", "d"]


def test_another_board_of_the_project_is_told_too(
    ada: User, board: Board, cards: list[Card]
) -> None:
    other = factories.BoardWithColumns.create(project=board.project, name="Other")
    target = other.columns.get(key="backlog")
    factories.CardDependency.create(card=cards[1], depends_on=cards[0])
    with (
        state_equation.holds(board, "card.deleted", "card.updated"),
        state_equation.holds(other, "card.created"),
    ):
        operations.move_card(actor=actor_of(ada), card=cards[0], column_id=target.pk, position=0)
    assert keys(target) == ["a"]


def test_a_blocked_card_does_not_enter_a_column_that_starts_agents(
    ada: User, board: Board, columns: Columns, cards: list[Card]
) -> None:
    factories.CardDependency.create(card=cards[0], depends_on=cards[1])
    with state_equation.holds(board), pytest.raises(problems.Conflict) as raised:
        operations.move_card(actor=actor_of(ada), card=cards[0], column_id=columns["inProgress"].pk)
    assert raised.value.code == "CARD_BLOCKED"
    assert raised.value.extra["blockedBy"] == [cards[1].public_id]


def test_a_done_card_unblocks_those_that_waited(
    ada: User, board: Board, columns: Columns, cards: list[Card]
) -> None:
    factories.CardDependency.create(card=cards[0], depends_on=cards[1])
    with state_equation.holds(board, "card.moved", "card.updated"):
        operations.move_card(actor=actor_of(ada), card=cards[1], column_id=columns["done"].pk)
    cards[1].refresh_from_db()
    assert cards[1].completed_at is not None
    with state_equation.holds(board, "card.moved"):
        operations.move_card(actor=actor_of(ada), card=cards[0], column_id=columns["inProgress"].pk)


def test_leaving_done_opens_a_card_again(
    ada: User, board: Board, columns: Columns, cards: list[Card]
) -> None:
    operations.complete_card(actor=actor_of(ada), card=cards[0])
    with state_equation.holds(board, "card.moved"):
        operations.move_card(actor=actor_of(ada), card=cards[0], column_id=columns["backlog"].pk)
    cards[0].refresh_from_db()
    assert cards[0].completed_at is None


def test_a_worn_out_gap_is_renumbered(
    ada: User, board: Board, columns: Columns, cards: list[Card]
) -> None:
    long = cards[0].rank + "V" * ranks.MAX_LENGTH
    Card.objects.filter(pk=cards[1].pk).update(rank=long)
    with state_equation.holds(board, "card.moved"):
        operations.move_card(
            actor=actor_of(ada), card=cards[3], column_id=columns["backlog"].pk, position=2
        )
    with state_equation.holds(board, "card.moved"):
        operations.move_card(
            actor=actor_of(ada), card=cards[2], column_id=columns["backlog"].pk, position=1
        )
    assert keys(columns["backlog"]) == ["a", "c", "b", "d"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    moves=st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from(["backlog", "review", "done"]), st.integers(-1, 6)
        ),
        max_size=12,
    )
)
def test_any_moves_give_what_a_list_gives(
    ada: User, columns: Columns, moves: list[tuple[int, str, int]]
) -> None:
    Card.objects.all().delete()
    cards = [factories.Card.create(column=columns["backlog"], title=str(n)) for n in range(5)]
    model: dict[str, list[str]] = {"backlog": list("01234"), "review": [], "done": []}
    for number, key, position in moves:
        operations.move_card(
            actor=actor_of(ada),
            card=Card.objects.select_related("project", "column").get(pk=cards[number].pk),
            column_id=columns[key].pk,
            position=position,
        )
        for names in model.values():
            if str(number) in names:
                names.remove(str(number))
        model[key].insert(max(position, 0), str(number))
    assert {key: keys(columns[key]) for key in model} == model


@pytest.mark.django_db(transaction=True)
def test_simultaneous_moves_leave_every_card_in_one_place(
    ada: User, board: Board, columns: Columns, cards: list[Card]
) -> None:
    targets = [columns["backlog"], columns["review"], columns["done"]]
    failures: list[Exception] = []

    def shuffle(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        try:
            for _turn in range(5):
                card = Card.objects.select_related("project", "column").get(
                    pk=dice.choice(cards).pk
                )
                operations.move_card(
                    actor=Actor(user=ada, origin="rest"),
                    card=card,
                    column_id=dice.choice(targets).pk,
                    position=dice.randrange(4),
                )
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            connection.close()
            close_old_connections()

    threads = [threading.Thread(target=shuffle, args=(seed,)) for seed in range(4)]
    with state_equation.holds(board, *["card.moved"] * 20):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert Card.objects.count() == 4
