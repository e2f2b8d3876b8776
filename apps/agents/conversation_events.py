"""What conversations tell the journal: pre-sessions their project, assistants their person alone.

The kinds are `presession.…` and `assistant.…`; the keys are those of the REST answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.accounts import outputs as account_outputs
from apps.agents import outputs
from apps.agents.conversation_tables import Conversation
from apps.core import events, ids
from apps.projects import outputs as project_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.agents.conversation_tables import ConversationItem
    from apps.core.actors import Actor
    from apps.core.models import Event


def topic_of(conversation: Conversation) -> str:
    """This will name the topic that hears of a conversation."""
    if conversation.is_presession:
        return project_outputs.topic(conversation.project_id)
    return account_outputs.user_topic(conversation.person)


def place_of(conversation: Conversation) -> dict[str, str]:
    """This will be the ids every message about a conversation carries."""
    place = {
        "projectId": ids.encode("proj", conversation.project_id),
        "sessionId": conversation.public_id,
    }
    if conversation.card_id is not None:
        place["cardId"] = ids.encode("card", conversation.card_id)
    return place


def delta_kind(conversation: Conversation) -> str:
    """This will name the passing pieces of an answer."""
    return f"{conversation.kind}.delta"


def _record(conversation: Conversation, done: str, *, actor: Actor, **data: Any) -> Event:
    return events.record(
        topic=topic_of(conversation),
        kind=f"{conversation.kind}.{done}",
        data={**place_of(conversation), **data},
        actor=actor,
    )


def conversation_queued(conversation: Conversation, *, actor: Actor) -> Event:
    """This will tell of a turn in line; `admitted` says that it has a slot and starts."""
    return _record(
        conversation,
        "queued",
        actor=actor,
        **outputs.conversation_state(conversation),
        admitted=conversation.dispatched_at is not None,
    )


def conversation_status_changed(conversation: Conversation, *, actor: Actor) -> Event:
    """This will tell that a turn began or ended, or that the conversation is over."""
    return _record(
        conversation,
        "status_changed",
        actor=actor,
        **outputs.conversation_state(conversation),
    )


def conversation_messaged(
    conversation: Conversation, items: Sequence[ConversationItem], *, actor: Actor
) -> Event:
    """This will tell what was said and done, new or changed: a known id is to be replaced."""
    messages = [outputs.conversation_message(conversation, item) for item in items]
    return _record(conversation, "messaged", actor=actor, messages=messages)
