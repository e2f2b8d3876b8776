"""How pre-sessions and assistants are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents.conversation_tables import Conversation
from apps.agents.outputs.sessions import message_of
from apps.agents.outputs.shapes import AgentMessage
from apps.core import ids
from apps.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.agents.conversation_tables import ConversationItem


class ConversationState(TypedDict):
    """Where a conversation stands, and what its agent does: `idle`, `queued` or `running`."""

    status: str
    activity: str


class PreSession(TypedDict):
    """The sharpening of a card's prompt; `status` is active, accepted, cancelled or closed."""

    id: str
    cardId: str
    status: str


class PreSessionDetail(PreSession):
    """A pre-session, what its agent does (`idle`, `queued` or `running`), and what it proposes.

    `proposal` is the prompt it proposed last, null before its first answer.
    """

    activity: str
    proposal: str | None


class AcceptedPreSession(PreSession):
    """A pre-session whose prompt was written to the card."""

    prompt: str


class OlderSaid(TypedDict):
    """Whether there is more of a conversation than was shown."""

    hasMore: bool


class Assistant(TypedDict):
    """One's own assistant in a project, `idle` or `running`; no session before the first word."""

    status: str
    sessionId: str | None
    messages: list[AgentMessage]


def conversation_state(row: Conversation) -> ConversationState:
    """This will show where a conversation stands, as its own kind says it."""
    status: str = row.status
    if not row.is_presession:
        status = "idle" if row.activity == Conversation.Activity.IDLE else "running"
    return {"status": status, "activity": row.activity}


def presession(row: Conversation) -> PreSession:
    """This will show a pre-session."""
    assert row.card_id is not None  # noqa: S101 - each has one
    return {
        "id": row.public_id,
        "cardId": ids.encode("card", row.card_id),
        "status": row.status,
    }


def presession_detail(row: Conversation, *, proposal: str) -> PreSessionDetail:
    """This will show a pre-session and what its agent proposes."""
    return {**presession(row), "activity": row.activity, "proposal": proposal or None}


def accepted_presession(row: Conversation, *, prompt: str) -> AcceptedPreSession:
    """This will show a pre-session and the card's new prompt."""
    return {**presession(row), "prompt": prompt}


def assistant(row: Conversation | None, items: Sequence[ConversationItem]) -> Assistant:
    """This will show an assistant, or that there is none yet."""
    if row is None:
        return {"status": "idle", "sessionId": None, "messages": []}
    return {
        "status": conversation_state(row)["status"],
        "sessionId": row.public_id,
        "messages": [conversation_message(row, item) for item in items],
    }


def conversation_message(row: Conversation, item: ConversationItem) -> AgentMessage:
    """This will show what was said or done in a conversation as a message."""
    shown = {
        **item.data,
        "id": item.public_id,
        "type": item.type,
        "timestamp": moment(item.created_at),
    }
    return message_of(shown, row.public_id)
