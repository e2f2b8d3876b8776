"""Many cards at once, shown from what the database's driver gives: no objects are made of rows.

Each looks as `cards.card_row` shows one alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.db.models import Func, TextField

from apps.boards import queries
from apps.boards.models import Card as CardModel
from apps.boards.models import CardDependency, ColumnType
from apps.core import ids, paging
from apps.core.readings import raw_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.boards import models
    from apps.boards.outputs.shapes import Card, Person
    from apps.core.paging import Paged
    from apps.projects.models import Project

    Row = tuple[Any, ...]
    # What the driver gives for a UUID: itself, or its hex digits.
    RawId = UUID | str


class _Moment(Func):
    """A moment as `core.moments` writes it, made in SQL, so that the driver makes no object."""

    # SQLite stores moments as text, without a fraction where that is zero.
    template = "replace(%(expressions)s, ' ', 'T') || 'Z'"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """This will write the same, which has no fraction where that is zero."""
        whole = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        template = f"replace({whole}, '.000000Z', 'Z')"
        return self.as_sql(compiler, connection, template=template, **context)


FIELDS: tuple[Any, ...] = (
    "pk",
    "project_id",
    "board_id",
    "column_id",
    "rank",
    "key",
    "title",
    "prompt",
    "ticket_type",
    "priority",
    "labels",
    "is_enhanced",
    "disable_auto_close_on_pr_merge",
    "is_auto_mode",
    "is_deferred",
    "awaiting_approval",
    "credential_id",
    "has_active_agent",
    "agent_status",
    "live_line",
    "branch_name",
    "insertions",
    "deletions",
    _Moment("created_at"),
    _Moment("updated_at"),
)


class _Outside(dict[Any, str]):
    """Outside ids by what the driver gives, each written once."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def __missing__(self, raw: RawId) -> str:
        written = self[raw] = ids.encode_raw(self.prefix, raw)
        return written


def cards_of_board(board: models.Board) -> list[Card]:
    """This will show all cards of a board, column by column in their order, in three statements."""
    rows = raw_rows(board.cards.order_by("column_id", "rank").values_list(*FIELDS))
    return list(_cards(rows, _counted(rows), card__board=board))


def part_of_cards(
    project: Project, matching: QuerySet[CardModel], *, limit: int | None, cursor: str | None
) -> tuple[list[Card], Paged]:
    """This will show cards of a project, or a part of them, in four statements."""
    rows, more = paging.cut(
        matching.values_list("board__rank", "column__rank", *FIELDS),
        order=queries.CARD_ORDER,
        limit=limit,
        cursor=cursor,
        read=raw_rows,
        place=_place_in_order,
    )
    rows = [row[2:] for row in rows]
    places = _places_of(rows)
    # Naming all cards of a long list takes longer than to read what belongs to the others too.
    if limit is None and cursor is None:
        return list(_cards(rows, places, card__project=project)), more
    return list(_cards(rows, places, card_id__in=[row[0] for row in rows])), more


def cards_by_id(of: models.Board, card_ids: Sequence[UUID]) -> list[Card]:
    """This will show some cards of a board, in the order asked for; others are left out."""
    rows = raw_rows(of.cards.filter(pk__in=card_ids).values_list(*FIELDS))
    found = {
        card["id"]: card
        for card in _cards(rows, _places_of(rows), card_id__in=[row[0] for row in rows])
    }
    wanted = dict.fromkeys(ids.encode("card", card_id) for card_id in card_ids)
    return [found[public_id] for public_id in wanted if public_id in found]


def _place_in_order(row: Row) -> tuple[Any, ...]:
    board_rank, column_rank, _card_id, _project_id, board_id, column_id, rank, *_ = row
    return board_rank, board_id, column_rank, column_id, rank


def _counted(rows: Iterable[Row]) -> Iterator[int]:
    """The places of whole columns of cards in their order."""
    place: dict[RawId, int] = defaultdict(int)
    for row in rows:
        yield place[row[3]]
        place[row[3]] += 1


def _places_of(rows: Sequence[Row]) -> list[int]:
    """The places of any choice of cards; the statement reads nothing but an index."""
    of = CardModel.objects.filter(column_id__in={row[3] for row in rows})
    in_order = raw_rows(of.order_by("column_id", "rank").values_list("column_id", "rank"))
    # They stand column by column, so a column begins where its first card stands.
    first: dict[RawId, int] = {}
    number: dict[Row, int] = {}
    for count, place in enumerate(in_order):
        number[place] = count - first.setdefault(place[0], count)
    # One that moves elsewhere between the two readings: the news of it asks again.
    return [number.get((row[3], row[4]), 0) for row in rows]


def _waits(**which: Any) -> dict[RawId, list[tuple[RawId, str]]]:
    """What cards wait for, with the types of the columns that is in, in one statement."""
    rows = CardDependency.objects.filter(**which).order_by("pk")
    found: dict[RawId, list[tuple[RawId, str]]] = defaultdict(list)
    for card_id, other_id, column_type in raw_rows(
        rows.values_list("card_id", "depends_on_id", "depends_on__column__column_type")
    ):
        found[card_id].append((other_id, column_type))
    return found


def _people(**which: Any) -> dict[RawId, list[Person]]:
    """The assignees of cards, in one statement."""
    rows = CardModel.assignees.through.objects.filter(**which).order_by("pk")
    found: dict[RawId, list[Person]] = defaultdict(list)
    for card_id, user_id, name in raw_rows(
        rows.values_list("card_id", "user_id", "user__display_name")
    ):
        found[card_id].append({"id": ids.encode_raw("user", user_id), "displayName": name})
    return found


def _cards(rows: Iterable[Row], places: Iterable[int], **which: Any) -> Iterator[Card]:
    """The cards of rows; `which` finds what belongs to them in the tables beside."""
    waits, people = _waits(**which), _people(**which)
    projects, boards, columns = _Outside("proj"), _Outside("board"), _Outside("col")
    encode = ids.encode_raw
    for row, position in zip(rows, places, strict=True):
        (
            card_id,
            project_id,
            board_id,
            column_id,
            _rank,
            key,
            title,
            prompt,
            ticket_type,
            priority,
            labels,
            is_enhanced,
            disable_auto_close,
            is_auto_mode,
            is_deferred,
            awaiting_approval,
            credential_id,
            has_active_agent,
            agent_status,
            live_line,
            branch_name,
            insertions,
            deletions,
            created_at,
            updated_at,
        ) = row
        others = waits.get(card_id, ())
        shown: Card = {
            "id": encode("card", card_id),
            "ticketKey": key,
            "title": title,
            "projectId": projects[project_id],
            "boardId": boards[board_id],
            "columnId": columns[column_id],
            "position": position,
            "ticketType": ticket_type or None,
            "priority": priority,
            "labels": json.loads(labels) if labels != "[]" else [],
            "assignees": people.get(card_id, []),
            "isEnhanced": is_enhanced,
            "disableAutoCloseOnPRMerge": disable_auto_close,
            "isAutoMode": is_auto_mode,
            "isDeferred": is_deferred,
            "awaitingApproval": awaiting_approval,
            "credentialId": encode("cred", credential_id) if credential_id else None,
            "dependsOn": [encode("card", other) for other, _type in others],
            "blocked": not all(kind == ColumnType.DONE for _other, kind in others),
            "hasActiveAgent": has_active_agent,
            "agentStatus": agent_status or None,
            "liveLine": live_line or None,
            "branchName": branch_name or None,
            "stats": {"insertions": insertions, "deletions": deletions},
            "createdAt": created_at,
            "updatedAt": updated_at,
        }
        if prompt:
            shown["description"] = prompt
        yield shown
