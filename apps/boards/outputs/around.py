"""What belongs to one card and stands in other tables, read in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import BigIntegerField, F, TextField, Value
from django.db.models.functions import Cast

from apps.boards import queries
from apps.boards.models import Attachment as AttachmentModel
from apps.boards.models import Card, CardDependency, ColumnType
from apps.core import ids
from apps.core.moments import moment

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.accounts.models import User
    from apps.boards.outputs.shapes import Attachment, Person

# The columns that every part fills, since one statement has one shape.
COLUMNS = ("part", "place", "other", "name", "kind", "size", "made")


class Around(NamedTuple):
    """What a card waits for (and whether that is done), its people, its files, and its news."""

    dependencies: list[tuple[UUID, bool]]
    assignees: list[Person]
    attachments: list[Attachment]
    unread: bool


def around(card: Card, viewer: User | None) -> Around:
    """This will read what belongs to a card; `viewer` is whose unread news are asked for."""
    parts = [_assignees(card), _attachments(card)]
    if viewer is not None:
        parts.append(_news(card, viewer))
    found = Around([], [], [], unread=False)
    # Only files have no number of their own; they come by age.
    for part, _place, other, name, kind, size, made in sorted(
        _dependencies(card).union(*parts, all=True),
        key=lambda row: (row[1], row[6], row[2]),
    ):
        match part:
            case "dependency":
                found.dependencies.append((other, name == ColumnType.DONE))
            case "assignee":
                found.assignees.append({"id": ids.encode("user", other), "displayName": name})
            case "attachment":
                found.attachments.append(
                    {
                        "id": ids.encode(AttachmentModel.id_prefix, other),
                        "filename": name,
                        "contentType": kind,
                        "size": size,
                        "createdAt": moment(made),
                    }
                )
            case _:
                found = found._replace(unread=True)
    return found


def _dependencies(card: Card) -> QuerySet[Any, Any]:
    return _part(
        "dependency",
        CardDependency.objects.filter(card=card),
        place=F("pk"),
        other=F("depends_on_id"),
        name=_text(F("depends_on__column__column_type")),
        made=F("depends_on__created_at"),
    )


def _assignees(card: Card) -> QuerySet[Any, Any]:
    return _part(
        "assignee",
        Card.assignees.through.objects.filter(card=card),
        place=F("pk"),
        other=F("user_id"),
        name=_text(F("user__display_name")),
        made=F("user__created_at"),
    )


def _attachments(card: Card) -> QuerySet[Any, Any]:
    return _part(
        "attachment",
        AttachmentModel.objects.filter(card=card),
        other=F("pk"),
        name=_text(F("filename")),
        kind=_text(F("content_type")),
        size=F("size"),
        made=F("created_at"),
    )


def _news(card: Card, viewer: User) -> QuerySet[Any, Any]:
    unread = queries.unread_of(viewer, [card.project_id]).filter(pk=card.pk)
    return _part("news", unread, other=F("pk"), made=F("created_at"))


def _part(part: str, rows: QuerySet[Any], **columns: Any) -> QuerySet[Any, Any]:
    nothing = {"place": _number(0), "name": _text(""), "kind": _text(""), "size": _number(0)}
    filled = {"part": _text(part), **nothing, **columns}
    # Names of their own, so that none meets a field of the table.
    named = {f"shown_{name}": filled[name] for name in COLUMNS}
    chosen: QuerySet[Any, Any] = rows.order_by().annotate(**named).values_list(*named)
    return chosen


def _text(value: Any) -> Cast:
    return Cast(value if isinstance(value, F) else Value(value), TextField())


def _number(value: int) -> Cast:
    return Cast(Value(value), BigIntegerField())
