from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Column, ColumnType
from apps.core import problems
from tests import factories, state_equation
from tests.people import actor_of

Columns = dict[str, Column]


def test_a_new_column_stands_at_the_right_end(ada: User, board: Board, columns: Columns) -> None:
    with state_equation.holds(board, "column.created"):
        column = operations.create_column(
            actor=actor_of(ada), board=board, name="QA", column_type=ColumnType.ACTIVE
        )
    assert column.agent_mode == "code"
    assert [item.name for item in board.columns.order_by("rank")][-1] == "QA"


def test_only_active_columns_have_a_mode(ada: User, board: Board, columns: Columns) -> None:
    with state_equation.holds(board), pytest.raises(problems.ValidationFailed):
        operations.create_column(
            actor=actor_of(ada),
            board=board,
            name="Later",
            column_type=ColumnType.BACKLOG,
            agent_mode="code",
        )


def test_columns_are_reordered_as_a_whole(ada: User, board: Board, columns: Columns) -> None:
    backwards = [column.pk for column in board.columns.order_by("-rank")]
    with state_equation.holds(board, "column.reordered"):
        operations.reorder_columns(actor=actor_of(ada), board=board, column_ids=backwards)
    assert [column.pk for column in board.columns.order_by("rank")] == backwards
    for wrong in (backwards[1:], [*backwards, backwards[0]], [*backwards[1:], board.pk]):
        with state_equation.holds(board), pytest.raises(problems.ValidationFailed):
            operations.reorder_columns(actor=actor_of(ada), board=board, column_ids=wrong)


def test_a_column_with_cards_stays(ada: User, board: Board, columns: Columns) -> None:
    factories.Card.create(column=columns["review"])
    with state_equation.holds(board), pytest.raises(problems.Conflict):
        operations.delete_column(actor=actor_of(ada), column=columns["review"])
    with state_equation.holds(board, "column.deleted"):
        operations.delete_column(actor=actor_of(ada), column=columns["done"])


def test_a_stranger_changes_no_column(eve: User, board: Board, columns: Columns) -> None:
    with state_equation.holds(board), pytest.raises(problems.Forbidden):
        operations.update_column(
            actor=actor_of(eve), column=columns["review"], changes={"name": "Mine"}
        )


def test_a_renamed_column_keeps_its_meaning(ada: User, board: Board, columns: Columns) -> None:
    with state_equation.holds(board, "column.updated"):
        operations.update_column(
            actor=actor_of(ada), column=columns["done"], changes={"name": "Erledigt"}
        )
    assert board.columns.get(name="Erledigt").key == "done"
