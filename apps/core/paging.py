"""Long lists in parts: a cursor names the last row of the part before, not a number of rows.

So nothing is shown twice or left out when rows come and go between two parts.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q
from django.utils import timezone
from rest_framework import serializers

from apps.core import camel, fields, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models import Field, QuerySet

_Row = TypeVar("_Row")

USUAL_LIMIT = 50
MOST = 500
CURSOR_LENGTH = 1_000
_LARGEST = 2**63


def cursor_field() -> fields.Text:
    """This will be the field for a cursor, for inputs that have a limit of their own."""
    return fields.Text(max_length=CURSOR_LENGTH, required=False)


class Part(camel.Serializer):
    """A part of a list: at most `limit` rows, after those of the part whose `nextCursor` this is.

    Without either it is the whole list.
    """

    limit = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    cursor = cursor_field()


class Paged(TypedDict):
    """Whether there is more, and the cursor to ask for it with."""

    nextCursor: str | None
    hasMore: bool


def cut(
    rows: QuerySet[Any, _Row],
    *,
    order: Sequence[str],
    limit: int | None = None,
    cursor: str | None = None,
    offset: int = 0,
    usual_limit: int | None = None,
    read: Callable[[QuerySet[Any, _Row]], list[_Row]] = list,
    place: Callable[[_Row], Sequence[Any]] | None = None,
) -> tuple[list[_Row], Paged]:
    """This will read one part of a list in an order, and tell how to go on.

    `order` are columns as in `order_by`, the last one unique; none may be NULL. Without `limit`
    and `cursor` it is everything, or the first `usual_limit` rows. `offset` counts rows, for lists
    that were documented that way; a cursor makes it meaningless. Where rows are no objects, `read`
    reads them, and `place` gives the values of `order` of one.
    """
    rows = rows.order_by(*order)
    if cursor is not None:
        rows = rows.filter(_after(order, _read(rows.model, order, cursor)))
        limit, offset = limit or usual_limit or USUAL_LIMIT, 0
    limit = limit or usual_limit
    if limit is None:
        return read(rows), {"nextCursor": None, "hasMore": False}
    found = read(rows[offset : offset + limit + 1])
    if len(found) <= limit:
        return found, {"nextCursor": None, "hasMore": False}
    last = found[limit - 1]
    values = place(last) if place is not None else _place_of(last, order)
    return found[:limit], {"nextCursor": _cursor_of(values), "hasMore": True}


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """The rows behind these values: the first column further, or equal and the second further."""
    found = Q()
    equal = Q()
    for name, value in zip(order, values, strict=True):
        column = name.removeprefix("-")
        way = "lt" if name.startswith("-") else "gt"
        found |= equal & Q(**{f"{column}__{way}": value})
        equal &= Q(**{column: value})
    return found


def _place_of(row: Any, order: Sequence[str]) -> list[Any]:
    values = []
    for name in order:
        value = row
        for part in name.removeprefix("-").split("__"):
            value = getattr(value, part)
        values.append(value)
    return values


def _cursor_of(place: Sequence[Any]) -> str:
    values = [value if isinstance(value, (int, str)) else _text(value) for value in place]
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _text(value: Any) -> str:
    return str(value) if isinstance(value, UUID) else str(value.isoformat())


def _read(model: type[Model], order: Sequence[str], cursor: str) -> list[Any]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        values = json.loads(text)
        if not isinstance(values, list) or len(values) != len(order):
            raise _wrong()
        return [
            _value(_column(model, name.removeprefix("-")), value)
            for name, value in zip(order, values, strict=True)
        ]
    except (ValueError, TypeError, RecursionError, binascii.Error, ValidationError) as error:
        raise _wrong() from error


def _wrong() -> problems.ValidationFailed:
    return problems.ValidationFailed.of("cursor", "This cursor is not one of this list's.")


def _value(column: Field[Any, Any], value: Any) -> Any:
    if isinstance(value, (bool, float, list, dict, type(None))):
        raise TypeError
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError
    found = column.to_python(value)
    if found is None or (isinstance(found, dt.datetime) and timezone.is_naive(found)):
        raise ValueError
    return found


def _column(model: type[Model], path: str) -> Field[Any, Any]:
    first, _, rest = path.partition("__")
    # Django's documented API; `board_id` is the column of `board`.
    meta = model._meta  # noqa: SLF001
    try:
        column: Any = meta.pk if first == "pk" else meta.get_field(first)
    except FieldDoesNotExist:
        column = meta.get_field(first.removesuffix("_id"))
    if rest:
        return _column(column.related_model, rest)
    return cast("Field[Any, Any]", column.target_field if column.is_relation else column)
