"""Ranks: text keys whose byte order is the order of things, so that a move writes one row.

Fractional indexing (https://observablehq.com/@dgreensp/implementing-fractional-indexing). The keys
sort right only byte by byte, so columns that hold them use the collation `C` on PostgreSQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from fractional_indexing import generate_key_between, generate_n_keys_between

# Repeated insertion at one spot makes keys grow by about a character in six inserts; past this
# length the set is renumbered, which costs one write per row once in thousands of moves.
MAX_LENGTH = 200


def between(before: str | None, after: str | None) -> str:
    """This will be a key that sorts after `before` and before `after` (None: the open end)."""
    return str(generate_key_between(before, after))


def sequence(count: int, after: str | None = None) -> list[str]:
    """This will be `count` fresh keys in order, all after `after`."""
    return list(generate_n_keys_between(after, None, count))


if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class RankField(_CharField):
    """A column for ranks, sorted by bytes on every database."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["max_length"] = MAX_LENGTH + 55
        super().__init__(**kwargs)

    def db_type(self, connection: object) -> str | None:
        """This will be a byte-ordered text type; SQLite compares bytes by itself."""
        if getattr(connection, "vendor", "") == "postgresql":
            return 'varchar(255) COLLATE "C"'
        return "varchar(255)"
