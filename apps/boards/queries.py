"""What can be found on boards, by whom."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import BooleanField, Count, Exists, F, Func, OuterRef, Q, Value

from apps.boards.models import (
    Attachment,
    Board,
    BoardTemplate,
    Card,
    CardDependency,
    CardView,
    Column,
    ColumnKey,
    ColumnType,
)
from apps.core import problems
from apps.projects.models import ProjectView

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.accounts.models import User
    from apps.core.actors import Actor
    from apps.projects import outputs as project_outputs
    from apps.projects.models import Project


class Tally(NamedTuple):
    """The cards of a project, and its first board."""

    total: int
    open: int
    active: int
    board_id: UUID | None


def get_board(*, actor: Actor, board_id: UUID) -> Board:
    """This will find a board the actor may see, with its project; NotFound otherwise."""
    found = _boards(actor).filter(pk=board_id).first()
    if found is None:
        message = "Board not found."
        raise problems.NotFound(message)
    return found


def get_card(*, actor: Actor, card_id: UUID, project_id: UUID | None = None) -> Card:
    """This will find a card the actor may see, with its project, board and column."""
    cards = Card.objects.select_related("project", "board", "column")
    if not actor.is_system:
        cards = cards.visible_to(actor.person)
    if project_id is not None:
        cards = cards.filter(project_id=project_id)
    found = cards.filter(pk=card_id).first()
    if found is None:
        message = "Card not found."
        raise problems.NotFound(message)
    return found


def get_column(*, actor: Actor, column_id: UUID, project_id: UUID | None = None) -> Column:
    """This will find a column the actor may see, with board and project; NotFound otherwise."""
    columns = Column.objects.select_related("board__project").filter(
        Exists(_boards(actor).filter(pk=OuterRef("board_id")))
    )
    if project_id is not None:
        columns = columns.filter(board__project_id=project_id)
    found = columns.filter(pk=column_id).first()
    if found is None:
        message = "Column not found."
        raise problems.NotFound(message)
    return found


def find_column(*, actor: Actor, column_id: UUID, project_id: UUID) -> Column | None:
    """This will find a column of a project the actor may see, or None."""
    try:
        return get_column(actor=actor, column_id=column_id, project_id=project_id)
    except problems.NotFound:
        return None


def _boards(actor: Actor) -> QuerySet[Board]:
    boards = Board.objects.select_related("project")
    return boards if actor.is_system else boards.visible_to(actor.person)


def boards_of(project: Project) -> list[Board]:
    """This will list a project's boards in their order."""
    return list(project.boards.select_related("project").order_by("rank", "pk"))


def board_ids_of(project_id: UUID) -> list[UUID]:
    """This will list the ids of a project's boards in their order."""
    boards = Board.objects.filter(project_id=project_id).order_by("rank", "pk")
    return list(boards.values_list("pk", flat=True))


def first_board_of(project_id: UUID) -> Board | None:
    """This will find a project's first board."""
    return (
        Board.objects.select_related("project")
        .filter(project_id=project_id)
        .order_by("rank", "pk")
        .first()
    )


def templates() -> list[BoardTemplate]:
    """This will list the templates people made, the eldest first."""
    return list(BoardTemplate.objects.order_by("created_at", "pk"))


def get_template(template_id: UUID) -> BoardTemplate:
    """This will find a template somebody made; NotFound for others."""
    found = BoardTemplate.objects.filter(pk=template_id).first()
    if found is None:
        message = "Template not found."
        raise problems.NotFound(message)
    return found


def attachments_of(card: Card) -> list[Attachment]:
    """This will list a card's files, the eldest first."""
    return list(card.attachments.order_by("created_at", "pk"))


def get_attachment(*, actor: Actor, attachment_id: UUID) -> Attachment:
    """This will find a file of a card the actor may see; NotFound otherwise."""
    attachments = Attachment.objects.select_related("card")
    if not actor.is_system:
        mine = Card.objects.visible_to(actor.person).filter(pk=OuterRef("card_id"))
        attachments = attachments.filter(Exists(mine))
    found = attachments.filter(pk=attachment_id).first()
    if found is None:
        message = "Attachment not found."
        raise problems.NotFound(message)
    return found


def board_position(board: Board) -> int:
    """This will count the boards before this one in its project."""
    return Board.objects.filter(project_id=board.project_id, rank__lt=board.rank).count()


def column_position(column: Column) -> int:
    """This will count the columns left of this one."""
    return Column.objects.filter(board_id=column.board_id, rank__lt=column.rank).count()


def entry_column_of(project: Project) -> Column:
    """This will find where a card enters that names no column: the first board's first backlog."""
    columns = Column.objects.select_related("board__project").filter(board__project=project)
    in_order = columns.order_by("board__rank", "board_id", "rank", "pk")
    found = in_order.filter(column_type=ColumnType.BACKLOG).first() or in_order.first()
    if found is None:
        message = "The project has no column to put a card into."
        raise problems.Conflict(message)
    return found


def columns_of(board: Board) -> list[Column]:
    """This will list a board's columns in their order."""
    return list(board.columns.order_by("rank", "pk"))


def column_by_key(board_id: UUID, key: ColumnKey) -> Column | None:
    """This will find the column with a well-known key, else the first of the same meaning."""
    columns = list(Column.objects.filter(board_id=board_id).order_by("rank", "pk"))
    for column in columns:
        if column.key == key:
            return column
    wanted = {
        ColumnKey.BACKLOG: ColumnType.BACKLOG,
        ColumnKey.DONE: ColumnType.DONE,
    }.get(key)
    return next((column for column in columns if column.column_type == wanted), None)


# Boards and columns in their order, cards by rank.
CARD_ORDER = ("board__rank", "board_id", "column__rank", "column_id", "rank")


def cards_of_project(project: Project) -> list[Card]:
    """This will list a project's cards in `CARD_ORDER`."""
    return list(project.cards.select_related("column").order_by(*CARD_ORDER))


class _Labelled(Func):
    """Whether the list in a column holds a text; each database has its own word for it."""

    template = "EXISTS (SELECT 1 FROM json_each(%(expressions)s)"
    arg_joiner = ") WHERE value = "
    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """This will use the operator that an index can serve."""
        return self.as_sql(
            compiler, connection, template="(%(expressions)s)", arg_joiner=" ? ", **context
        )


def cards_matching(
    project: Project,
    *,
    board_id: UUID | None = None,
    column_id: UUID | None = None,
    label: str | None = None,
    search: str | None = None,
    assignee: UUID | None = None,
    agent_status: str | None = None,
) -> QuerySet[Card]:
    """This will find a project's cards that match everything that is given, in no order yet."""
    cards = project.cards.all()
    if board_id is not None:
        cards = cards.filter(board_id=board_id)
    if column_id is not None:
        cards = cards.filter(column_id=column_id)
    if label is not None:
        cards = cards.filter(_Labelled("labels", Value(label)))
    if search:
        cards = cards.filter(
            Q(title__icontains=search) | Q(key__icontains=search) | Q(prompt__icontains=search)
        )
    if assignee is not None:
        cards = cards.filter(assignees=assignee)
    if agent_status is not None:
        cards = cards.filter(agent_status=agent_status)
    return cards


# card id -> [(id of the card it waits for, whether that one is done)]
Dependencies = dict["UUID", list[tuple["UUID", bool]]]


def dependencies_of(board: Board) -> Dependencies:
    """This will tell for the cards of a board what each waits for, in one statement."""
    rows = CardDependency.objects.filter(card__board=board).order_by("pk")
    found: Dependencies = defaultdict(list)
    for card_id, other_id, kind in rows.values_list(
        "card_id", "depends_on_id", "depends_on__column__column_type"
    ):
        found[card_id].append((other_id, kind == ColumnType.DONE))
    return found


def open_dependencies_of(card: Card) -> list[Card]:
    """This will list the cards that must be done before this one may start."""
    return list(
        Card.objects.filter(dependents__card=card)
        .exclude(column__column_type=ColumnType.DONE)
        .order_by("number")
    )


def card_counts_of(board: Board) -> dict[str, int]:
    """This will count the cards of each column, by the column's outside id."""
    counted = board.columns.annotate(number_of_cards=Count("cards"))
    return {column.public_id: column.number_of_cards for column in counted}


def labels_of(board: Board) -> list[str]:
    """This will list the labels that are in use on a board, by name."""
    used: set[str] = set()
    for labels in board.cards.exclude(labels=[]).values_list("labels", flat=True):
        used.update(labels)
    return sorted(used, key=str.casefold)


def prerequisites_of(card: Card) -> list[Card]:
    """This will list what a card waits for, done or not, with the columns they are in."""
    return list(
        Card.objects.select_related("column").filter(dependents__card=card).order_by("number")
    )


def last_views_of(board: Board, user: User) -> dict[UUID, datetime]:
    """This will tell when a person last looked at each card of a board."""
    views = CardView.objects.filter(card__board=board, user=user)
    return dict(views.values_list("card_id", "viewed_at"))


def position_of(card: Card) -> int:
    """This will count the cards above this one in its column."""
    return Card.objects.filter(column_id=card.column_id, rank__lt=card.rank).count()


def unread_of(user: User, project_ids: Iterable[UUID]) -> QuerySet[Card]:
    """This will find the cards in which something happened since a person last looked.

    One looks at a card, or marks a whole project read; a card of one's own is seen when it is made.
    """
    seen = CardView.objects.filter(
        card=OuterRef("pk"), user=user, viewed_at__gte=OuterRef("last_activity_at")
    )
    all_read = ProjectView.objects.filter(
        project=OuterRef("project_id"), user=user, all_read_at__gte=OuterRef("last_activity_at")
    )
    return (
        Card.objects.filter(project_id__in=list(project_ids))
        .exclude(Exists(seen))
        .exclude(Exists(all_read))
        .exclude(created_by=user, last_activity_at__lte=F("created_at") + timedelta(seconds=1))
    )


def unread_counts(shelf: project_outputs.Shelf) -> dict[UUID, int]:
    """This will count a person's unread cards by project, in one statement."""
    counts = unread_of(shelf.user, shelf.project_ids).values("project_id").annotate(n=Count("pk"))
    return dict(counts.values_list("project_id", "n"))


def tallies_of(project_ids: Iterable[UUID]) -> dict[UUID, Tally]:
    """This will count the cards of projects and find their first boards, in two statements."""
    wanted = list(project_ids)
    counts = {
        row["project_id"]: row
        for row in Card.objects.filter(project_id__in=wanted)
        .values("project_id")
        .annotate(
            total=Count("pk"),
            open=Count(
                "pk",
                filter=~Q(column__column_type__in=[ColumnType.DONE, ColumnType.ARCHIVE]),
            ),
            active=Count("pk", filter=Q(has_active_agent=True)),
        )
    }
    first = first_boards_of(wanted)
    none = {"total": 0, "open": 0, "active": 0}
    tallies = {}
    for project_id in wanted:
        row = counts.get(project_id, none)
        tallies[project_id] = Tally(row["total"], row["open"], row["active"], first.get(project_id))
    return tallies


def first_boards_of(project_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """This will find the first board of each project, in one statement."""
    last_first = Board.objects.filter(project_id__in=list(project_ids)).order_by("-rank", "-pk")
    return dict(last_first.values_list("project_id", "pk"))
