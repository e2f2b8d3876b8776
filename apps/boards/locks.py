"""Row locks of boards, taken in one order everywhere: project, boards by id, then cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.boards.models import Board, Card, Column
from apps.core import problems

if TYPE_CHECKING:
    from uuid import UUID


def lock_boards(*board_ids: UUID) -> list[Board]:
    """This will hold boards until the transaction ends: whoever orders their cards waits here."""
    wanted = sorted(set(board_ids))
    boards = list(
        Board.objects.select_for_update(of=("self",))
        .select_related("project")
        .filter(pk__in=wanted)
        .order_by("pk")
    )
    if len(boards) != len(wanted):
        message = "Board not found."
        raise problems.NotFound(message)
    return boards


def lock_column(column_id: UUID, *, card: Card) -> Column | None:
    """This will hold the boards of a card and of a column of its project; None for another's.

    Within one board, which is nearly always so, it is one statement.
    """
    columns = Column.objects.select_related("board").filter(pk=column_id)
    here = columns.select_for_update(of=("board",)).filter(board_id=card.board_id).first()
    if here is not None:
        return here
    found = columns.filter(board__project_id=card.project_id).first()
    if found is not None:
        lock_boards(card.board_id, found.board_id)
    return found


def lock_card(card_id: UUID) -> Card:
    """This will hold a card as it is now, with its project, board and column."""
    cards = (
        Card.objects.select_for_update(of=("self",))
        .select_related("project", "board", "column")
        .filter(pk=card_id)
    )
    # PostgreSQL drops a row whose column changed while we waited for it: the join was made before.
    # The second look finds it as it is now, and is made only then.
    card = cards.first() or cards.first()
    if card is None:
        message = "Card not found."
        raise problems.NotFound(message)
    return card
