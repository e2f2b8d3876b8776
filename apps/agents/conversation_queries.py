"""What can be found of conversations with agents that only read, by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents import proposals
from apps.agents.conversation_tables import Conversation, ConversationItem
from apps.core import problems

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.boards.models import Card
    from apps.core.actors import Actor
    from apps.projects.models import Project

# Answers that are looked through for a proposal.
ANSWERS_READ = 50


def _conversations(actor: Actor) -> QuerySet[Conversation]:
    rows = Conversation.objects.select_related("project", "card", "person")
    return rows if actor.is_system else rows.visible_to(actor.person)


def get_presession(*, actor: Actor, session_id: UUID, project_id: UUID) -> Conversation:
    """This will find a pre-session of a project the actor may see; NotFound otherwise."""
    found = (
        _conversations(actor)
        .filter(pk=session_id, project_id=project_id, kind=Conversation.Kind.PRESESSION)
        .first()
    )
    if found is None:
        message = "Pre-session not found."
        raise problems.NotFound(message)
    return found


def find_open_presession(card: Card) -> Conversation | None:
    """This will find the pre-session of a card that one can still speak in."""
    return (
        Conversation.objects.select_related("project", "card", "person")
        .filter(card=card, kind=Conversation.Kind.PRESESSION, status=Conversation.Status.ACTIVE)
        .first()
    )


def find_assistant(*, actor: Actor, project: Project) -> Conversation | None:
    """This will find the actor's own assistant of a project; None before the first message."""
    return (
        Conversation.objects.select_related("project", "card", "person")
        .filter(project=project, person=actor.person, kind=Conversation.Kind.ASSISTANT)
        .first()
    )


def newest_items(
    conversation: Conversation, *, limit: int, seq_after: int = 0
) -> list[ConversationItem]:
    """This will list the newest items in their order; `seq_after` leaves out older news."""
    rows = conversation.items.filter(seq__gt=seq_after).order_by("-position")
    return list(rows[:limit])[::-1]


def messages_of(
    conversation: Conversation,
    *,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> tuple[list[ConversationItem], bool]:
    """This will list items, oldest first, and tell whether there are more.

    `since` and `before` are exclusive; without `since` it is the newest ones.
    """
    rows = ConversationItem.objects.filter(conversation=conversation)
    if since is not None:
        rows = rows.filter(created_at__gt=since)
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    newest_first = since is None
    found = list(rows.order_by("-position" if newest_first else "position")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return (found[::-1] if newest_first else found), more


def unanswered(conversation: Conversation) -> QuerySet[ConversationItem]:
    """This will be what people said and no turn has answered yet, oldest first."""
    return conversation.items.filter(role="user", position__gt=conversation.handled).order_by(
        "position"
    )


def answers_of(conversation: Conversation) -> QuerySet[ConversationItem]:
    """This will be what the agent said in turns that are over, newest first."""
    rows = conversation.items.filter(role="assistant", type="message").order_by("-position")
    if conversation.activity == Conversation.Activity.RUNNING:
        rows = rows.exclude(turn_number=conversation.turn)
    return rows


def proposal_of(conversation: Conversation) -> str:
    """This will be the prompt the agent proposed last; empty before its first answer."""
    texts = answers_of(conversation).values_list("data__text", flat=True)[:ANSWERS_READ]
    return proposals.last_of(str(text or "") for text in texts)
