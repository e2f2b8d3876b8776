"""Cards come, change and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.boards import events, inputs, locks, queries, rules
from apps.boards.models import Card, CardDependency, CardView, Column, Priority
from apps.boards.operations.attachments import remove_files
from apps.core import ids, problems, ranks
from apps.core.camel import camelize
from apps.projects.models import Project, ProjectSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.core.actors import Actor

# Fields of a card that people change, by their names in inputs.
EDITABLE = (
    "title",
    "prompt",
    "ticket_type",
    "priority",
    "labels",
    "is_enhanced",
    "disable_auto_close_on_pr_merge",
    "is_deferred",
    "is_auto_mode",
    "skip_approval",
    "skip_plan_columns",
    "pipeline",
)
# Fields the agents app shows on a card.
SHOWN_BY_AGENTS = frozenset(
    {
        "agent_status",
        "has_active_agent",
        "live_line",
        "branch_name",
        "insertions",
        "deletions",
        "summary",
        "awaiting_approval",
    }
)
WIRE_NAMES = {
    "prompt": "description",
    "disable_auto_close_on_pr_merge": "disableAutoCloseOnPRMerge",
    "insertions": "stats",
    "deletions": "stats",
}


def wire_name(field: str) -> str:
    """This will give the name of a card's field in outputs."""
    return WIRE_NAMES.get(field, camelize(field))


@transaction.atomic
def create_card(
    *,
    actor: Actor,
    column: Column,
    title: str,
    prompt: str = "",
    ticket_type: str = "",
    priority: str = Priority.NONE,
    labels: Sequence[str] = (),
    depends_on: Sequence[UUID] = (),
    is_deferred: bool = False,
    is_auto_mode: bool = False,
) -> Card:
    """This will put a new card at the end of a column, with the project's next key.

    The key's number is taken from a counter of the project in this transaction: keys have no gaps
    and no doubles, however many cards are made at once.
    """
    project = column.board.project
    rules.require_editor(actor, project)
    number, prefix = _next_number(project.pk)
    locks.lock_boards(column.board_id)
    last = Card.objects.filter(column=column).order_by("-rank").values_list("rank", flat=True)
    card = Card.objects.create(
        project=project,
        board_id=column.board_id,
        column=column,
        rank=ranks.between(last.first(), None),
        number=number,
        key=f"{prefix}-{number}",
        title=title,
        prompt=prompt,
        ticket_type=ticket_type,
        priority=priority,
        labels=list(labels),
        is_deferred=is_deferred,
        is_auto_mode=is_auto_mode,
        column_visits={column.public_id: 1} if is_auto_mode else {},
        created_by=actor.user,
    )
    if depends_on:
        _replace_dependencies(card, depends_on)
    events.card_created(card, position=queries.position_of(card), actor=actor)
    return card


def _next_number(project_id: UUID) -> tuple[int, str]:
    # The update holds the project's row until commit, so the reading after it is ours alone.
    Project.objects.filter(pk=project_id).update(next_ticket_number=F("next_ticket_number") + 1)
    found = (
        ProjectSettings.objects.filter(project_id=project_id)
        .values_list("project__next_ticket_number", "ticket_prefix")
        .first()
    )
    if found is None:
        message = "Project not found."
        raise problems.NotFound(message)
    return found[0] - 1, found[1]


@transaction.atomic
def update_card(
    *,
    actor: Actor,
    card: Card,
    changes: dict[str, Any],
    assignees: Sequence[UUID] | None = None,
    depends_on: Sequence[UUID] | None = None,
) -> Card:
    """This will change a card's fields (`EDITABLE`), its people and what it waits for.

    What is already so is not written, and an update without effect makes no event.
    """
    if depends_on is not None:
        locks.lock_boards(card.board_id)
    locked = locks.lock_card(card.pk)
    rules.require_editor(actor, locked.project)
    changed = [
        field for field in EDITABLE if field in changes and getattr(locked, field) != changes[field]
    ]
    for field in changed:
        setattr(locked, field, changes[field])
    if assignees is not None and _replace_assignees(locked, assignees):
        changed.append("assignees")
    if depends_on is not None and _replace_dependencies(locked, depends_on):
        changed.append("depends_on")
    if not changed:
        return locked
    if "is_auto_mode" in changed:
        locked.column_visits = {locked.column.public_id: 1} if locked.is_auto_mode else {}
    locked.last_activity_at = timezone.now()
    locked.save(
        update_fields=[
            *(field for field in changed if field in EDITABLE),
            "column_visits",
            "last_activity_at",
            "updated_at",
        ]
    )
    events.card_updated(locked, changes=_wire_names(changed), actor=actor)
    return locked


@transaction.atomic
def end_auto_mode(*, actor: Actor, card: Card, reason: str, detail: str = "") -> Card:
    """This will switch off the auto mode of a card that cannot go on by itself, and say why.

    `reason` is `failed`, `cancelled`, `not_started` or `visited_often`.
    """
    if not locks.lock_card(card.pk).is_auto_mode:
        return card
    ended = update_card(actor=actor, card=card, changes={"is_auto_mode": False})
    events.auto_mode_ended(ended, reason=reason, detail=detail, actor=actor)
    return ended


def _wire_names(fields: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(wire_name(field) for field in fields))


def _replace_assignees(card: Card, user_ids: Sequence[UUID]) -> bool:
    wanted = set(user_ids)
    people = {
        user.pk
        for user in User.objects.filter(pk__in=wanted, is_active=True)
        if Project.objects.visible_to(user).filter(pk=card.project_id).exists()
    }
    if people != wanted:
        raise problems.ValidationFailed.of(
            "assignees", "Only people of the project can be assigned."
        )
    if set(card.assignees.values_list("pk", flat=True)) == wanted:
        return False
    card.assignees.set(User.objects.filter(pk__in=wanted))
    return True


@transaction.atomic
def set_dependencies(*, actor: Actor, card: Card, depends_on: Sequence[UUID]) -> Card:
    """This will replace what a card waits for; cards of another board and cycles are refused."""
    return update_card(actor=actor, card=card, changes={}, depends_on=depends_on)


@transaction.atomic
def add_dependency(*, actor: Actor, card: Card, other_id: UUID) -> Card:
    """This will let a card wait for one more; what others add at the same moment stays."""
    present = _held_dependencies(card)
    if len(present) >= inputs.MAX_SET:
        detail = f"A card can wait for at most {inputs.MAX_SET} others."
        raise problems.ValidationFailed.of("dependsOn", detail, "max_length")
    return set_dependencies(actor=actor, card=card, depends_on=[*present, other_id])


@transaction.atomic
def remove_dependency(*, actor: Actor, card: Card, other_id: UUID) -> Card:
    """This will let a card wait for one less; for one it does not wait for, nothing changes."""
    present = _held_dependencies(card)
    return set_dependencies(
        actor=actor, card=card, depends_on=[one for one in present if one != other_id]
    )


def _held_dependencies(card: Card) -> list[UUID]:
    """What a card waits for, which nobody changes until the transaction ends."""
    locks.lock_boards(card.board_id)
    return list(card.dependencies.values_list("depends_on_id", flat=True))


def _replace_dependencies(card: Card, depends_on: Sequence[UUID]) -> bool:
    """Under the board's lock: so two simultaneous changes cannot close a cycle together."""
    wanted = {other for other in depends_on if other != card.pk}
    on_board = set(
        Card.objects.filter(board_id=card.board_id, pk__in=wanted).values_list("pk", flat=True)
    )
    if on_board != wanted:
        detail = "A card can only wait for cards of its own board."
        raise problems.ValidationFailed.of("dependsOn", detail, "dependency_board_mismatch")
    graph = queries.dependencies_of(board=card.board)
    present = {other for other, _done in graph.get(card.pk, [])}
    if present == wanted:
        return False
    if _reaches(graph, wanted, card.pk):
        detail = "These cards would wait for each other."
        raise problems.ValidationFailed.of("dependsOn", detail, "dependency_cycle")
    CardDependency.objects.filter(card=card, depends_on_id__in=present - wanted).delete()
    CardDependency.objects.bulk_create(
        CardDependency(card=card, depends_on_id=other) for other in sorted(wanted - present)
    )
    return True


def _reaches(graph: queries.Dependencies, start: set[UUID], goal: UUID) -> bool:
    open_cards, seen = list(start), set(start)
    while open_cards:
        for other, _done in graph.get(open_cards.pop(), []):
            if other == goal:
                return True
            if other not in seen:
                seen.add(other)
                open_cards.append(other)
    return False


@transaction.atomic
def set_pipeline(*, actor: Actor, card: Card, steps: Sequence[dict[str, Any]]) -> Card:
    """This will choose the columns a card visits; each of its board's, and once."""
    on_board = set(Column.objects.filter(board_id=card.board_id).values_list("pk", flat=True))
    wanted = [step["column_id"] for step in steps]
    if len(set(wanted)) != len(wanted) or not on_board.issuperset(wanted):
        raise problems.ValidationFailed.of("steps", "Give columns of the card's board, each once.")
    pipeline = [
        {
            "columnId": ids.encode("col", step["column_id"]),
            "prompt": step.get("prompt", ""),
            "enabled": step.get("enabled", True),
        }
        for step in steps
    ]
    return update_card(actor=actor, card=card, changes={"pipeline": pipeline})


@transaction.atomic
def choose_credential(*, actor: Actor, card: Card, credential_id: UUID | None) -> Card:
    """This will name the credential of a card's agents; None leaves it to the project.

    Whether there is such a credential is known above: the agents app asks that, and ends here.
    """
    locked = locks.lock_card(card.pk)
    rules.require_editor(actor, locked.project)
    if locked.credential_id == credential_id:
        return locked
    locked.credential_id = credential_id
    locked.last_activity_at = timezone.now()
    locked.save(update_fields=["credential_id", "last_activity_at", "updated_at"])
    events.card_updated(locked, changes=["credentialId"], actor=actor)
    return locked


@transaction.atomic
def forget_credential(*, actor: Actor, credential_id: UUID) -> None:
    """This will take a credential that goes away from every card."""
    for found in Card.objects.filter(credential_id=credential_id).order_by("board_id", "pk"):
        choose_credential(actor=actor, card=found, credential_id=None)


@transaction.atomic
def see_card(*, actor: Actor, card: Card) -> None:
    """This will note that a person looked at a card, and tell the other windows if it had news."""
    rules.require_editor(actor, card.project)
    had_news = queries.unread_of(actor.person, [card.project_id]).filter(pk=card.pk).exists()
    CardView.objects.update_or_create(
        card=card, user=actor.person, defaults={"viewed_at": timezone.now()}
    )
    if had_news:
        events.card_read(card, actor=actor)


@transaction.atomic
def delete_card(*, actor: Actor, card: Card) -> None:
    """This will delete a card with all that belongs to it; those that waited for it wait no more.

    Agents at work and worktrees are not known here: the agents app deletes cards through its own
    operation, which ends in this one.
    """
    locks.lock_boards(card.board_id)
    locked = locks.lock_card(card.pk)
    rules.require_editor(actor, locked.project)
    dependents = list(Card.objects.filter(dependencies__depends_on=locked).order_by("number"))
    card_id = locked.pk
    remove_files(locked.attachments.all())
    locked.delete()
    events.card_deleted(
        project_id=locked.project_id,
        board_id=locked.board_id,
        card_id=card_id,
        column_id=locked.column_id,
        actor=actor,
    )
    for dependent in dependents:
        events.card_updated(dependent, changes=["dependsOn", "blocked"], actor=actor)


@transaction.atomic
def show_agent(*, actor: Actor, card_id: UUID, **shown: Any) -> Card | None:
    """This will show on a card what its agent does (`SHOWN_BY_AGENTS`); None when it is gone."""
    unknown = set(shown) - SHOWN_BY_AGENTS
    if unknown:
        message = f"not an agent's field: {sorted(unknown)}"
        raise ValueError(message)
    try:
        card = locks.lock_card(card_id)
    except problems.NotFound:
        return None
    changed = [field for field, value in shown.items() if getattr(card, field) != value]
    if not changed:
        return card
    for field in changed:
        setattr(card, field, shown[field])
    card.last_activity_at = timezone.now()
    card.save(update_fields=[*changed, "last_activity_at", "updated_at"])
    events.card_updated(card, changes=_wire_names(changed), actor=actor)
    return card
