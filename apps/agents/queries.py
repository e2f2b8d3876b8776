"""What can be found of agents at work, by whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Q

from apps.agents import slash_commands
from apps.agents.conversation_tables import Conversation
from apps.agents.models import Approval, Attempt, Item, Turn
from apps.agents.states import Status
from apps.boards.models import AgentMode, ColumnType
from apps.core import paging, problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.agents.models import AttemptLog
    from apps.boards.models import Board, Card
    from apps.core.actors import Actor
    from apps.core.paging import Paged
    from apps.projects.models import Project

SESSIONS_ASKED = 10
# A slot is held by whoever runs a process, and by whoever was let in and is on the way to one.
HOLDS_SLOT = Q(lease_owner__gt="") | Q(status=Status.QUEUED, dispatched_at__isnull=False)
TALKS = Q(lease_owner__gt="") | Q(activity="queued", dispatched_at__isnull=False)
IN_LINE = Q(status=Status.QUEUED, dispatched_at__isnull=True)


def _attempts(actor: Actor) -> QuerySet[Attempt]:
    attempts = Attempt.objects.select_related("project", "board", "card__column", "started_by")
    return attempts if actor.is_system else attempts.visible_to(actor.person)


def get_attempt(*, actor: Actor, attempt_id: UUID) -> Attempt:
    """This will find an attempt the actor may see, with project, board and card."""
    found = _attempts(actor).filter(pk=attempt_id).first()
    if found is None:
        message = "Attempt not found."
        raise problems.NotFound(message)
    return found


def slash_commands_of(project: Project) -> list[slash_commands.Command]:
    """This will list what a message can begin with: the repository's, the agents', and ours.

    What agents offer is known from their last sessions in this project.
    """
    newest = Attempt.objects.filter(project=project).order_by("-queued_at", "-pk")
    sessions = newest.values_list("session_info", flat=True)[:SESSIONS_ASKED]
    return slash_commands.merged(
        slash_commands.of_repository(Path(project.path)),
        *(slash_commands.advertised(info.get("commands")) for info in sessions),
        slash_commands.OURS,
    )


def find_attempt(attempt_id: UUID) -> Attempt | None:
    """This will find an attempt for the product itself, with its card and who started it."""
    return (
        Attempt.objects.select_related("project", "board", "card__column", "started_by")
        .filter(pk=attempt_id)
        .first()
    )


def get_approval(*, actor: Actor, attempt_id: UUID, approval_id: UUID) -> Approval:
    """This will find a question of an attempt the actor may see."""
    found = Approval.objects.filter(
        pk=approval_id, attempt__in=_attempts(actor).filter(pk=attempt_id)
    ).first()
    if found is None:
        message = "Approval not found."
        raise problems.NotFound(message)
    return found


def get_newest_attempt(card: Card) -> Attempt:
    """This will find a card's newest attempt; a 409 when it has none."""
    found = find_newest_attempt(card)
    if found is None:
        message = "No agent has worked on this card yet."
        raise problems.Conflict(message)
    return found


def get_planning_attempt(card: Card) -> Attempt:
    """This will find the attempt whose plan may wait; a 409 when there is none at all."""
    found = find_newest_attempt(card)
    if found is None:
        raise problems.Conflict("No plan waits for approval.", code="NO_PENDING_PLAN")
    return found


def find_newest_attempt(card: Card) -> Attempt | None:
    """This will find a card's newest attempt, or None."""
    return (
        Attempt.objects.select_related("project", "board", "card__column", "started_by")
        .filter(card=card)
        .order_by("-number")
        .first()
    )


def attempts_of_card(card: Card) -> list[Attempt]:
    """This will list a card's attempts, newest first."""
    return list(card.attempts.order_by("-number"))


def part_of_attempts(
    card: Card, *, limit: int | None = None, cursor: str | None = None
) -> tuple[list[Attempt], Paged]:
    """This will list a card's attempts, or a part of them, newest first."""
    attempts = card.attempts.select_related("card__column", "column")
    return paging.cut(attempts, order=("-number",), limit=limit, cursor=cursor)


def item_counts_of(attempts: list[Attempt]) -> dict[UUID, int]:
    """This will count what was said in attempts, by attempt, in one statement."""
    counted = Item.objects.filter(attempt__in=attempts).values_list("attempt_id")
    return dict(counted.annotate(count=Count("pk")))


def newest_attempts_of_board(
    board: Board, *, card_ids: Sequence[UUID] | None = None
) -> list[Attempt]:
    """This will list the newest attempt of each card of a board, or of some, in one statement."""
    newer = Attempt.objects.filter(card_id=OuterRef("card_id"), number__gt=OuterRef("number"))
    newest = board.attempts.filter(~Exists(newer)).order_by("card_id")
    return list(newest if card_ids is None else newest.filter(card_id__in=card_ids))


def stalled_attempts() -> list[Attempt]:
    """This will list the attempts that succeeded and whose cards in auto mode have not gone on."""
    newer = Attempt.objects.filter(card_id=OuterRef("card_id"), number__gt=OuterRef("number"))
    return list(
        Attempt.objects.select_related("project", "board", "card__column", "started_by")
        .filter(
            ~Exists(newer),
            status=Status.SUCCEEDED,
            then="",
            card__is_auto_mode=True,
            card__is_deferred=False,
            card__column__column_type=ColumnType.ACTIVE,
        )
        .exclude(card__column__agent_mode=AgentMode.NONE)
        .order_by("ended_at", "pk")
    )


def active_attempts_of(project: Project) -> list[Attempt]:
    """This will list a project's attempts that are not over, with their cards, oldest first."""
    return list(project.attempts.active().select_related("card").order_by("queued_at", "pk"))


def items_of(attempt: Attempt, *, since_seq: int = 0) -> list[Item]:
    """This will list an attempt's conversation in its order; `since_seq` leaves out older news."""
    return list(attempt.items.filter(seq__gt=since_seq).order_by("position"))


def newest_items(attempt: Attempt, *, limit: int, before: int | None = None) -> list[Item]:
    """This will list the newest items, or the newest before a position, in their order."""
    rows = attempt.items.order_by("-position")
    if before is not None:
        rows = rows.filter(position__lt=before)
    return list(rows[:limit])[::-1]


def messages_of(
    attempts: list[Attempt],
    *,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> tuple[list[Item], Paged]:
    """This will list conversation items, oldest first, and tell whether there are more.

    `since` and `before` are exclusive. Without `since` it is the newest ones, and a cursor goes on
    to older ones; with it, the first ones, and a cursor goes on to newer ones.
    """
    from_items = Item.objects.filter(attempt__in=attempts)
    if since is not None:
        from_items = from_items.filter(created_at__gt=since)
    if before is not None:
        from_items = from_items.filter(created_at__lt=before)
    newest_first = since is None
    order = ("created_at", "position", "pk")
    if newest_first:
        order = ("-created_at", "-position", "-pk")
    rows, more = paging.cut(from_items, order=order, limit=limit, cursor=cursor)
    return (rows[::-1] if newest_first else rows), more


def logs_of(attempt: Attempt, *, limit: int = 1_000) -> list[AttemptLog]:
    """This will list an attempt's newest log lines, oldest first."""
    return part_of_logs(attempt, limit=limit)[0]


def part_of_logs(
    attempt: Attempt, *, limit: int, cursor: str | None = None
) -> tuple[list[AttemptLog], Paged]:
    """This will list an attempt's newest log lines, or those before a cursor, oldest first."""
    rows, more = paging.cut(attempt.logs.all(), order=("-seq",), limit=limit, cursor=cursor)
    return rows[::-1], more


def approvals_of(attempt: Attempt) -> list[Approval]:
    """This will list what the agent asked, oldest first."""
    return list(attempt.approvals.order_by("created_at", "pk"))


def context_percent(attempt: Attempt) -> int | None:
    """This will tell how full the session's context is, as the agent reports it; None unknown."""
    if not attempt.context_size:
        return None
    return round(100 * attempt.context_used / attempt.context_size)


def pending_approvals(attempt: Attempt) -> list[Approval]:
    """This will list what the agent asked and nobody has answered, oldest first."""
    return list(attempt.approvals.filter(status=Approval.Status.PENDING).order_by("created_at"))


def queued_turns(attempt: Attempt) -> list[Turn]:
    """This will list the prompts in line, in their order."""
    return list(attempt.turns.filter(status=Turn.Status.QUEUED).order_by("number"))


def slot_holders() -> list[tuple[UUID, UUID | None, UUID | None]]:
    """This will list project, person and credential of whatever holds a slot of this server."""
    talking = Conversation.objects.filter(TALKS)
    spoken = talking.values_list("project_id", "person_id", "credential_id")
    working = Attempt.objects.filter(HOLDS_SLOT)
    held = working.values_list("project_id", "started_by_id", "credential_id")
    return list(held.union(spoken, all=True))


def attempts_in_line() -> list[Attempt]:
    """This will list the attempts that wait for a slot, with their cards, oldest first."""
    waiting = Attempt.objects.filter(IN_LINE)
    asked = waiting.select_related("card__project__organization", "profile")
    return list(asked.order_by("queued_at", "pk"))
