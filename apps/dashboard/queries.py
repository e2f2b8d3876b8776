"""What the overview is made of: a fixed number of statements, whatever the size of things."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Count,
    F,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce

from apps.accounts.models import User
from apps.agents.models import Approval, Attempt, AttemptLog
from apps.agents.states import ACTIVE, FINAL, Status
from apps.boards.models import Board, Card, ColumnKey, ColumnType
from apps.orgs.models import Membership
from apps.projects.models import Project, ProjectMember

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.dashboard.ranges import Window

MOST_ACTIVE = 200
MOST_RECENT = 40
MOST_INBOX_ATTEMPTS = 500
FEW_PROJECTS = 8

# What is shown of attempts: they have many columns, and some hold much.
SHOWN = (
    *("project_id", "board_id", "card_id", "agent", "status", "reason", "detail", "waiting_for"),
    *("created_at", "updated_at", "queued_at", "started_at", "ended_at"),
    *("project__name", "card__title", "card__key", "card__priority"),
)

# The projects somebody sees; None for those who see all.
Seen = frozenset["UUID"] | None


class Epoch(Func):
    """A moment as whole seconds since 1970."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """This will use SQLite's own clock functions."""
        return self.as_sql(
            compiler,
            connection,
            template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)",
            **context,
        )

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """This will use PostgreSQL's extract."""
        return self.as_sql(
            compiler,
            connection,
            template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint",
            **context,
        )


@dataclass(slots=True)
class Counts:
    """Attempts of one project and one agent."""

    total: int = 0
    in_range: int = 0
    succeeded: int = 0
    failed: int = 0
    succeeded_in_range: int = 0
    failed_in_range: int = 0
    active: int = 0
    last_at: datetime | None = None

    def add(self, other: Counts) -> None:
        """This will count the attempts of another one as well."""
        self.total += other.total
        self.in_range += other.in_range
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.succeeded_in_range += other.succeeded_in_range
        self.failed_in_range += other.failed_in_range
        self.active += other.active
        if self.last_at is None or (other.last_at is not None and other.last_at > self.last_at):
            self.last_at = other.last_at


@dataclass(slots=True)
class CardCounts:
    """Cards of one project: all, those not done, and by the four well-known columns."""

    total: int = 0
    open: int = 0
    buckets: dict[str, int] = field(
        default_factory=lambda: {"backlog": 0, "inProgress": 0, "review": 0, "done": 0}
    )


class Candidate(NamedTuple):
    """An attempt that may be something for the inbox."""

    pk: UUID
    card_id: UUID
    status: str
    queued_at: datetime
    started_at: datetime | None
    column_type: str


# --- who sees what -------------------------------------------------------------------------------


def seen_by(user: User) -> Seen:
    """This will tell which projects a person sees."""
    return seen_by_all([user.pk])[user.pk]


def seen_by_all(user_ids: Iterable[UUID]) -> dict[UUID, Seen]:
    """This will tell for many people at once which projects they see, in two statements."""
    wanted = set(user_ids)
    above = set(User.objects.filter(pk__in=wanted, role="super_admin").values_list("pk", flat=True))
    rest = wanted - above
    found: dict[UUID, set[UUID]] = {user_id: set() for user_id in rest}
    owned = Project.objects.filter(owner__in=rest).values_list("pk", "owner_id")
    joined = ProjectMember.objects.filter(user__in=rest).values_list("project_id", "user_id")
    shared = Membership.objects.filter(
        user__in=rest, organization__projects__isnull=False
    ).values_list("organization__projects", "user_id")
    for project_id, user_id in owned.union(joined, shared, all=True):
        found[user_id].add(project_id)
    return dict.fromkeys(above) | {
        user_id: frozenset(projects) for user_id, projects in found.items()
    }


def topics_of(seen: Seen) -> set[str]:
    """This will list the journal topics an overview of these projects depends on."""
    projects, boards = Project.objects.all(), Board.objects.all()
    if seen is not None:
        projects, boards = projects.filter(pk__in=seen), boards.filter(project__in=seen)
    return {f"project.{project.public_id}" for project in projects.only("pk")} | {
        f"board.{board.public_id}" for board in boards.only("pk")
    }


def _within(rows: QuerySet[Any], seen: Seen) -> QuerySet[Any]:
    return rows if seen is None else rows.filter(project__in=seen)


def within_by_time(rows: QuerySet[Any], seen: Seen) -> QuerySet[Any]:
    """This will be the rows of the projects, for reading that goes along time.

    SQLite takes a list of projects for the narrowest condition there is and reads all they ever
    had. Who sees many of the projects finds the newest rows sooner by looking at all of them.
    """
    if seen is None or connection.vendor != "sqlite" or len(seen) <= FEW_PROJECTS:
        return _within(rows, seen)
    placed: QuerySet[Any] = rows.alias(place=Coalesce("project_id", "project_id"))
    return placed.filter(place__in=seen)


# --- projects and cards --------------------------------------------------------------------------


def projects(seen: Seen) -> list[Project]:
    """This will list the projects, newest first, each with the id of its first board."""
    rows = Project.objects.all() if seen is None else Project.objects.filter(pk__in=seen)
    first = Board.objects.filter(project=OuterRef("pk")).order_by("rank", "pk").values("pk")[:1]
    return list(rows.annotate(first_board_id=Subquery(first)).order_by("-created_at", "-pk"))


def card_counts(seen: Seen) -> dict[UUID, CardCounts]:
    """This will count cards by project and kind of column, in one statement."""
    found: defaultdict[UUID, CardCounts] = defaultdict(CardCounts)
    rows = (
        _within(Card.objects.all(), seen)
        .values_list("project_id", "column__key", "column__column_type")
        .annotate(number=Count("pk"))
        .order_by()
    )
    for project_id, key, kind, number in rows:
        counts = found[project_id]
        counts.total += number
        counts.buckets[bucket_of(key, kind)] += number
        if kind not in {ColumnType.DONE, ColumnType.ARCHIVE}:
            counts.open += number
    return found


def bucket_of(key: str, column_type: str) -> str:
    """This will tell which of the four well-known columns a column counts as."""
    if key in {ColumnKey.IN_PROGRESS, ColumnKey.REVIEW}:
        return key
    return {
        ColumnType.BACKLOG: "backlog",
        ColumnType.DONE: "done",
        ColumnType.ARCHIVE: "done",
    }.get(ColumnType(column_type), "inProgress")


# --- attempts ------------------------------------------------------------------------------------


def attempt_counts(seen: Seen, window: Window) -> dict[tuple[UUID, str], Counts]:
    """This will count attempts by project and agent, in one statement."""
    in_range = Q(queued_at__lt=window.end)
    if window.start is not None:
        in_range &= Q(queued_at__gte=window.start)
    found: defaultdict[tuple[UUID, str], Counts] = defaultdict(Counts)
    rows = (
        _within(Attempt.objects.all(), seen)
        .values_list("project_id", "agent", "status")
        .annotate(
            # Not by the key: the index they are counted from does not hold it.
            number=Count("queued_at"),
            number_in_range=Count("queued_at", filter=in_range),
            last_at=Max(Coalesce("ended_at", "queued_at")),
        )
        .order_by()
    )
    for project_id, agent, status, number, number_in_range, last_at in rows:
        counts = found[project_id, agent]
        counts.total += number
        counts.in_range += number_in_range
        if status == "succeeded":
            counts.succeeded += number
            counts.succeeded_in_range += number_in_range
        elif status in {"failed", "interrupted"}:
            counts.failed += number
            counts.failed_in_range += number_in_range
        elif status in ACTIVE:
            counts.active += number
        if counts.last_at is None or last_at > counts.last_at:
            counts.last_at = last_at
    return found


def over(rows: QuerySet[Attempt]) -> QuerySet[Attempt]:
    """This will be those that have ended, said so that nobody goes along their states for it."""
    return rows.exclude(status__in=ACTIVE)


def active_attempts(seen: Seen) -> list[Attempt]:
    """This will list attempts that are not over, with card and project, newest first."""
    rows = _within(Attempt.objects.active(), seen).select_related("card", "project").only(*SHOWN)
    return list(rows.order_by("-queued_at", "-pk")[:MOST_ACTIVE])


def recent_attempts(seen: Seen, window: Window) -> list[Attempt]:
    """This will list attempts that ended in the window, newest first."""
    rows = within_by_time(over(Attempt.objects.filter(ended_at__lt=window.end)), seen)
    if window.start is not None:
        rows = rows.filter(ended_at__gte=window.start)
    rows = rows.select_related("card", "project").only(*SHOWN)
    return list(rows.order_by("-ended_at", "-pk")[:MOST_RECENT])


def candidates(seen: Seen, window: Window) -> list[Candidate]:
    """This will list the newest attempts of the window by the little that the inbox decides on."""
    rows = within_by_time(Attempt.objects.filter(queued_at__lt=window.end), seen)
    if window.start is not None:
        rows = rows.filter(Q(queued_at__gte=window.start) | ~Q(status__in=FINAL))
    found = rows.order_by("-queued_at", "-pk").values_list(
        "pk", "card_id", "status", "queued_at", "started_at", "card__column__column_type"
    )
    return [Candidate(*row) for row in found[:MOST_INBOX_ATTEMPTS]]


def attempts_by_id(ids: Iterable[UUID]) -> dict[UUID, Attempt]:
    """This will read attempts with card, column and project, in one statement."""
    rows = Attempt.objects.filter(pk__in=set(ids))
    rows = rows.select_related("card__column", "project").only(*SHOWN, "card__column__name")
    return {row.pk: row for row in rows}


def last_words_of(attempts: Iterable[Attempt]) -> dict[UUID, str | None]:
    """This will find what attempts said last: an error line, else any line; one statement."""
    wanted = {attempt.pk for attempt in attempts}
    lines = AttemptLog.objects.filter(attempt=OuterRef("pk")).annotate(is_error=Q(level="error"))
    newest = lines.order_by("-is_error", "-seq").values("message")[:1]
    rows = Attempt.objects.filter(pk__in=wanted).annotate(last_words=Subquery(newest))
    return dict(rows.values_list("pk", "last_words"))


def pending_approvals(seen: Seen) -> list[Approval]:
    """This will list the questions nobody has answered, with attempt, card and project."""
    rows = Approval.objects.filter(status=Approval.Status.PENDING, attempt__status__in=ACTIVE)
    if seen is not None:
        rows = rows.filter(attempt__project__in=seen)
    rows = rows.select_related("attempt__card", "attempt__project")
    return list(rows.order_by("created_at", "pk")[:MOST_ACTIVE])


def waiting_count(user: User) -> int:
    """This will count the attempts that wait for somebody, of the projects a person sees."""
    waiting = Attempt.objects.filter(status=Status.WAITING)
    return waiting.filter(project__in=Project.objects.visible_to(user)).count()


# --- series --------------------------------------------------------------------------------------


def histograms(moments: dict[str, QuerySet[Any]], window: Window) -> list[list[int]]:
    """This will count rows by bucket; one more bucket holds what came after the window.

    Each entry of `moments` is a column that is counted by and its rows, for one histogram; all of
    them come of one statement.
    """
    first = math.ceil(window.first.timestamp())
    found = [[0] * (window.buckets + 1) for _moment in moments]
    parts = [
        rows.filter(**{f"{moment}__gte": window.first})
        .annotate(
            place=Value(place, output_field=IntegerField()),
            bucket=(Epoch(F(moment)) - first) / window.step,
        )
        .values_list("place", "bucket")
        .annotate(number=Count("*"))
        .order_by()
        for place, (moment, rows) in enumerate(moments.items())
    ]
    for place, bucket, number in parts[0].union(*parts[1:], all=True):
        found[place][min(max(int(bucket), 0), window.buckets)] += number
    return found


def attempts_of(seen: Seen) -> QuerySet[Attempt]:
    """This will be all attempts of the projects."""
    return within_by_time(Attempt.objects.all(), seen)


def cards_of(seen: Seen) -> QuerySet[Card]:
    """This will be all cards of the projects."""
    return within_by_time(Card.objects.all(), seen)
