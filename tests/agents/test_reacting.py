"""Cards that people move take their agents along; what the product moves starts nothing."""

from __future__ import annotations

from collections.abc import Callable

from apps.accounts.models import User
from apps.agents import operations, tasks
from apps.agents.models import Attempt
from apps.boards import operations as board_operations
from apps.boards.models import Card, Column
from apps.core.actors import Actor
from apps.core.models import Event
from tests import factories
from tests.agents.conftest import MakeCard, RunAttempt
from tests.people import actor_of


def move(actor: Actor, card: Card, column: Column) -> None:
    """Moves a card and lets the reaction run, as the worker does."""
    board_operations.move_card(actor=actor, card=card, column_id=column.pk)
    event = Event.objects.filter(kind="card.moved").latest("pk")
    tasks.follow_card(event_id=event.pk)
    tasks.follow_card(event_id=event.pk)


def test_a_card_dragged_to_work_gets_an_agent_once(
    make_card: MakeCard, ada: User, columns: dict[str, Column], transactional_db: None
) -> None:
    card = make_card()

    move(actor_of(ada), card, columns["inProgress"])

    attempt = card.attempts.get()
    assert (attempt.status, attempt.started_by) == ("queued", ada)


def test_a_card_dragged_away_loses_its_agent(
    make_card: MakeCard, ada: User, columns: dict[str, Column], transactional_db: None
) -> None:
    card = make_card()
    move(actor_of(ada), card, columns["inProgress"])

    move(actor_of(ada), Card.objects.get(pk=card.pk), columns["backlog"])

    assert card.attempts.get().status == "stopped"


def test_what_the_product_moves_starts_nothing(
    make_card: MakeCard, columns: dict[str, Column], transactional_db: None
) -> None:
    card = make_card()

    move(Actor.system("pipeline"), card, columns["inProgress"])

    assert not card.attempts.exists()


def test_a_deferred_card_starts_when_it_is_activated(
    make_card: MakeCard, ada: User, columns: dict[str, Column], transactional_db: None
) -> None:
    card = make_card()
    card.is_deferred = True
    card.save()
    move(actor_of(ada), card, columns["inProgress"])
    assert not card.attempts.exists()

    operations.activate_card(actor=actor_of(ada), card=Card.objects.get(pk=card.pk))

    assert card.attempts.get().status == "queued"


def test_a_card_that_ended_and_comes_back_gets_a_new_attempt(
    make_card: MakeCard,
    ada: User,
    columns: dict[str, Column],
    run_attempt: RunAttempt,
) -> None:
    card = make_card()
    move(actor_of(ada), card, columns["inProgress"])
    run_attempt(card.attempts.get())
    assert Card.objects.get(pk=card.pk).column_id == columns["review"].pk

    move(actor_of(ada), Card.objects.get(pk=card.pk), columns["inProgress"])

    assert list(card.attempts.order_by("number").values_list("number", "status")) == [
        (1, "succeeded"),
        (2, "queued"),
    ]


def test_a_column_without_mode_starts_nothing(
    make_card: MakeCard, ada: User, columns: dict[str, Column], transactional_db: None
) -> None:
    card = make_card()

    move(actor_of(ada), card, columns["review"])

    assert not card.attempts.exists()


def test_another_column_that_works_gets_an_agent_of_its_own(
    make_card: MakeCard,
    ada: User,
    columns: dict[str, Column],
    ada_starts: Callable[..., Attempt],
) -> None:
    other = factories.Column.create(
        board=columns["review"].board, column_type="active", agent_mode="code", rank="zz"
    )
    card = make_card()
    attempt = ada_starts(card)

    move(actor_of(ada), Card.objects.get(pk=card.pk), other)

    attempt.refresh_from_db()
    assert attempt.status == "stopped"
    assert list(card.attempts.order_by("number").values_list("status", "column")) == [
        ("stopped", columns["inProgress"].pk),
        ("queued", other.pk),
    ]


def follow_ends() -> None:
    """Lets the reaction to every end run, as the worker does."""
    for event in Event.objects.filter(kind="attempt.completed").order_by("pk"):
        tasks.follow_end(event_id=event.pk)


def test_a_card_in_auto_mode_goes_from_step_to_step(
    make_card: MakeCard,
    ada_starts: Callable[..., Attempt],
    run_attempt: RunAttempt,
    columns: dict[str, Column],
) -> None:
    second = factories.Column.create(
        board=columns["review"].board,
        column_type="active",
        agent_mode="code",
        rank=columns["inProgress"].rank + "V",
    )
    card = make_card("@say Done.")
    card.is_auto_mode = True
    card.save()

    run_attempt(ada_starts(card))
    follow_ends()
    follow_ends()
    assert Card.objects.get(pk=card.pk).column_id == second.pk
    assert card.attempts.count() == 2

    run_attempt(card.attempts.get(number=2))
    follow_ends()
    assert Card.objects.get(pk=card.pk).column_id == columns["review"].pk
    assert card.attempts.count() == 2


def test_a_failed_step_ends_auto_mode(
    make_card: MakeCard,
    ada_starts: Callable[..., Attempt],
    run_attempt: RunAttempt,
    columns: dict[str, Column],
) -> None:
    card = make_card("@crash")
    card.is_auto_mode = True
    card.save()

    run_attempt(ada_starts(card))
    follow_ends()

    card.refresh_from_db()
    assert (card.is_auto_mode, card.column_id) == (False, columns["inProgress"].pk)
