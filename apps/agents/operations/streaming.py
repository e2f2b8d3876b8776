"""What a fast stream of items asks of the database, in plain SQL.

At some hundred items a second the ORM's own part would be most of the work.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import connection

from apps.agents.models import Attempt, Item
from apps.agents.operations import transitions

# Numbers for a batch, and the places it belongs to, in one statement.
TAKE_NUMBERS = """
    UPDATE agents_attempt SET last_seq = last_seq + %s, last_position = last_position + %s
    WHERE id = %s AND epoch = %s
    RETURNING project_id, board_id, card_id, last_seq, last_position
"""
COLUMNS = (
    "id, created_at, updated_at, attempt_id, turn_number, position, seq, source_id, type, data"
)
PLACES = f"({', '.join(['%s'] * 10)})"
# Far below what databases take as parameters of one statement.
AT_ONCE = 500


def take_numbers(attempt_id: UUID, epoch: int, *, changes: int, new: int) -> Attempt:
    """This will give the attempt with its places and its new numbers, and nothing else of it.

    OutOfTurn when the claim is lost.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE_NUMBERS, [changes, new, _stored(attempt_id), epoch])
        row = cursor.fetchone()
    if row is None:
        raise transitions.OutOfTurn
    project_id, board_id, card_id = (
        place if isinstance(place, UUID) else UUID(place) for place in row[:3]
    )
    return Attempt(
        id=attempt_id,
        project_id=project_id,
        board_id=board_id,
        card_id=card_id,
        epoch=epoch,
        last_seq=row[3],
        last_position=row[4],
    )


def insert_items(rows: list[Item]) -> None:
    """This will add items of one attempt that were made at one moment."""
    attempt_id = _stored(rows[0].attempt_id)
    # Asked for once: each look at the connection costs more than a row's own part.
    as_uuid = connection.features.has_native_uuid_field
    now = connection.ops.adapt_datetimefield_value(rows[0].created_at)
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        values: list[Any] = []
        for row in some:
            key = row.pk if as_uuid else row.pk.hex
            values += (key, now, now, attempt_id, row.turn_number, row.position)
            values += (row.seq, row.source_id, row.type, json.dumps(row.data))
        statement = f"INSERT INTO agents_item ({COLUMNS}) VALUES {', '.join([PLACES] * len(some))}"  # noqa: S608 - our own words
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


def _stored(value: UUID) -> UUID | str:
    """An id as this database keeps it."""
    return value if connection.features.has_native_uuid_field else value.hex
