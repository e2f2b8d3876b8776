from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core import problems
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.people import actor_of

Columns = dict[str, Column]


def test_a_board_is_renamed_once(bob: User, board: Board) -> None:
    for _ in range(2):
        renamed = operations.rename_board(actor=actor_of(bob), board=board, name="Roadmap")
        assert renamed.name == "Roadmap"
    event = Event.objects.get()
    assert (event.topic, event.kind) == (
        f"project.{board.project.public_id}",
        "board.updated",
    )
    assert [shown["name"] for shown in event.data["boards"]] == ["Roadmap"]


def test_a_board_goes_with_its_cards_but_not_the_last_one(
    ada: User, project: Project, board: Board, columns: Columns
) -> None:
    second = factories.BoardWithColumns.create(project=project, name="Second")
    kept = factories.Card.create(column=columns["backlog"])
    gone = factories.Card.create(column=second.columns.get(key="done"))
    factories.CardDependency.create(card=kept, depends_on=gone)
    operations.delete_board(actor=actor_of(ada), board=second)
    assert list(Card.objects.all()) == [kept]
    assert not kept.dependencies.exists()
    assert Event.objects.filter(kind="board.deleted").count() == 1
    with pytest.raises(problems.Conflict):
        operations.delete_board(actor=actor_of(ada), board=board)
    assert list(Board.objects.all()) == [board]


def test_only_admins_delete_boards(bob: User, eve: User, project: Project, board: Board) -> None:
    factories.BoardWithColumns.create(project=project, name="Second")
    for user in (bob, eve):
        with pytest.raises(problems.Forbidden):
            operations.delete_board(actor=actor_of(user), board=board)
    assert Board.objects.count() == 2
    assert not Event.objects.exists()


def test_what_is_gone_is_not_changed(ada: User, project: Project, board: Board) -> None:
    factories.BoardWithColumns.create(project=project, name="Second")
    held = Board.objects.select_related("project").get(pk=board.pk)
    operations.delete_board(actor=actor_of(ada), board=board)
    for change in (
        lambda: operations.rename_board(actor=actor_of(ada), board=held, name="New"),
        lambda: operations.delete_board(actor=actor_of(ada), board=held),
    ):
        with pytest.raises(problems.NotFound):
            change()


def test_a_deferred_card_is_activated_once(ada: User, columns: Columns) -> None:
    card = factories.Card.create(column=columns["review"], is_deferred=True)
    assert not operations.activate_card(actor=actor_of(ada), card=card).is_deferred
    with pytest.raises(problems.Conflict) as refusal:
        operations.activate_card(actor=actor_of(ada), card=card)
    assert refusal.value.code == "NOT_DEFERRED"


def test_a_blocked_card_is_not_activated_where_agents_start(ada: User, columns: Columns) -> None:
    card = factories.Card.create(column=columns["inProgress"], is_deferred=True)
    factories.CardDependency.create(
        card=card, depends_on=factories.Card.create(column=columns["backlog"])
    )
    with pytest.raises(problems.Conflict) as refusal:
        operations.activate_card(actor=actor_of(ada), card=card)
    assert refusal.value.code == "CARD_BLOCKED"


def test_without_a_done_column_a_card_is_done_where_it_stands(
    ada: User, board: Board, columns: Columns
) -> None:
    card = factories.Card.create(column=columns["backlog"])
    board.columns.filter(key="done").delete()
    stays = operations.complete_card(actor=actor_of(ada), card=card)
    again = operations.complete_card(actor=actor_of(ada), card=stays)
    assert stays.column == columns["backlog"]
    assert stays.completed_at is not None
    assert again.completed_at == stays.completed_at
    assert [event.kind for event in Event.objects.all()] == ["card.updated"]
