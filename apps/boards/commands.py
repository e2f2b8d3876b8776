"""Socket commands of a board: name -> input -> operation -> output.

A command only reaches cards and columns of the board its socket is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.boards import inputs, operations, outputs, queries
from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from apps.boards.models import Board, Card, Column
    from apps.core.actors import Actor
    from apps.core.camel import Serializer

Result = dict[str, Any]


def read(serializer: type[Serializer], payload: object) -> dict[str, Any]:
    """This will validate a command's payload and give its snake_case values."""
    if not isinstance(payload, dict):
        raise problems.ValidationFailed.of("payload", "The payload must be an object.")
    reader = serializer(data=payload)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def card_on(board: Board, *, actor: Actor, card_id: UUID) -> Card:
    """This will find a card of this very board; NotFound for cards elsewhere."""
    card = queries.get_card(actor=actor, card_id=card_id)
    if card.board_id != board.pk:
        message = "Card not found."
        raise problems.NotFound(message)
    return card


def _column_on(board: Board, *, actor: Actor, column_id: UUID) -> Column:
    column = queries.get_column(actor=actor, column_id=column_id)
    if column.board_id != board.pk:
        message = "Column not found."
        raise problems.NotFound(message)
    return column


def create_card(*, actor: Actor, board: Board, payload: object) -> Result:
    """This will create a card at the end of a column; gives the card."""
    values = read(inputs.SocketCreateCard, payload)
    column = _column_on(board, actor=actor, column_id=values.pop("column_id"))
    card = operations.create_card(actor=actor, column=column, **values)
    return {"card": outputs.card(card)}


def move_card(*, actor: Actor, board: Board, payload: object) -> Result:
    """This will move a card within the board; gives the card."""
    values = read(inputs.SocketMoveCard, payload)
    card = card_on(board, actor=actor, card_id=values["card_id"])
    column = _column_on(board, actor=actor, column_id=values["to_column_id"])
    moved = operations.move_card(
        actor=actor, card=card, column_id=column.pk, position=values["to_index"]
    )
    return {"card": outputs.card(moved)}


def update_card(*, actor: Actor, board: Board, payload: object) -> Result:
    """This will change a card; gives the card."""
    values = read(inputs.SocketUpdateCard, payload)
    card = card_on(board, actor=actor, card_id=values.pop("card_id"))
    depends_on = values.pop("depends_on", None)
    updated = operations.update_card(actor=actor, card=card, changes=values, depends_on=depends_on)
    return {"card": outputs.card(updated)}


# Deleting is the agents app's command: it stops the card's agent and saves its work first.
COMMANDS: dict[str, Callable[..., Result]] = {
    "create_card": create_card,
    "move_card": move_card,
    "update_card": update_card,
}
