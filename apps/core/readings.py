"""Long readings: those that must not see the world change, and those of very many rows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet


@contextlib.contextmanager
def one_moment() -> Iterator[None]:
    """This will let everything read in the block be of one moment, without holding a writer up.

    The block must not write. Within a transaction the reads are that transaction's.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        # `atomic` would take SQLite's one write lock; a deferred transaction only reads.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")


def raw_rows(rows: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """This will read a `values_list` as the database's driver gives it, in one statement.

    Django's conversions cost more than all the rest where there are thousands of rows. Without them
    SQLite gives the hex digits of a UUID, and JSON is text on every database.
    """
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
