from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core import problems
from apps.core.actors import Actor
from tests import factories, state_equation
from tests.people import actor_of

Columns = dict[str, Column]


@pytest.fixture
def card(columns: Columns) -> Card:
    return factories.Card.create(column=columns["backlog"], title="Old")


def test_the_event_names_what_changed(ada: User, board: Board, card: Card) -> None:
    with state_equation.holds(board, "card.updated") as made:
        operations.update_card(
            actor=actor_of(ada), card=card, changes={"title": "New", "prompt": "Body", "labels": []}
        )
    assert made[0].data["changes"] == ["title", "description"]
    assert made[0].data["card"]["title"] == "New"


def test_what_is_already_so_makes_no_event(ada: User, board: Board, card: Card) -> None:
    with state_equation.holds(board):
        operations.update_card(actor=actor_of(ada), card=card, changes={"title": "Old"})


def test_a_stranger_changes_nothing(eve: User, board: Board, card: Card) -> None:
    with state_equation.holds(board), pytest.raises(problems.Forbidden):
        operations.update_card(actor=actor_of(eve), card=card, changes={"title": "Mine"})


def test_only_people_of_the_project_are_assigned(
    ada: User, bob: User, eve: User, board: Board, card: Card
) -> None:
    with state_equation.holds(board, "card.updated"):
        operations.update_card(actor=actor_of(ada), card=card, changes={}, assignees=[bob.pk])
    with state_equation.holds(board), pytest.raises(problems.ValidationFailed):
        operations.update_card(actor=actor_of(ada), card=card, changes={}, assignees=[eve.pk])


def test_a_cycle_is_refused(ada: User, board: Board, columns: Columns, card: Card) -> None:
    second = factories.Card.create(column=columns["backlog"])
    third = factories.Card.create(column=columns["backlog"])
    with state_equation.holds(board, "card.updated", "card.updated"):
        operations.set_dependencies(actor=actor_of(ada), card=second, depends_on=[card.pk])
        operations.set_dependencies(actor=actor_of(ada), card=third, depends_on=[second.pk])
    with state_equation.holds(board), pytest.raises(problems.ValidationFailed) as raised:
        operations.set_dependencies(actor=actor_of(ada), card=card, depends_on=[third.pk])
    assert raised.value.errors == [
        {
            "field": "dependsOn",
            "code": "dependency_cycle",
            "detail": "These cards would wait for each other.",
        }
    ]


def test_a_card_of_another_board_is_nothing_to_wait_for(
    ada: User, board: Board, card: Card
) -> None:
    other = factories.BoardWithColumns.create(project=board.project)
    far = factories.Card.create(column=other.columns.get(key="backlog"))
    with state_equation.holds(board), pytest.raises(problems.ValidationFailed) as raised:
        operations.set_dependencies(actor=actor_of(ada), card=card, depends_on=[far.pk])
    assert raised.value.errors[0]["code"] == "dependency_board_mismatch"


def test_a_deleted_card_frees_those_that_waited(
    ada: User, board: Board, columns: Columns, card: Card
) -> None:
    waiting = factories.Card.create(column=columns["backlog"])
    factories.CardDependency.create(card=waiting, depends_on=card)
    with state_equation.holds(board, "card.deleted", "card.updated"):
        operations.delete_card(actor=actor_of(ada), card=card)


def test_an_agent_shows_itself_on_the_card(board: Board, card: Card) -> None:
    with state_equation.holds(board, "card.updated") as made:
        operations.show_agent(
            actor=Actor.system("runner"),
            card_id=card.pk,
            agent_status="running",
            has_active_agent=True,
            insertions=3,
            deletions=1,
        )
    assert made[0].data["changes"] == ["agentStatus", "hasActiveAgent", "stats"]
    assert made[0].data["card"]["stats"] == {"insertions": 3, "deletions": 1}
