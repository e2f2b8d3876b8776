"""REST: the sharpening of a card's prompt, before an agent works on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents import conversation_queries as queries
from apps.agents import inputs, operations, outputs, registry
from apps.boards import queries as board_queries
from apps.core import problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.agents.conversation_tables import Conversation


def session_in(endpoint: Endpoint, project_id: UUID, session_id: UUID) -> Conversation:
    """This will find the pre-session in the address."""
    return queries.get_presession(
        actor=endpoint.actor, session_id=session_id, project_id=project_id
    )


class PreSessions(Endpoint):
    """The pre-sessions of a project."""

    @document(
        summary="Begin to sharpen a deferred card's prompt",
        description="The agent reads the project's folder and changes nothing. One pre-session a"
        " card is open; a 409 for another names it as `sessionId`.",
        request=inputs.OpenPreSession,
        response=outputs.PreSession,
        status=201,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        card_id = self.read(inputs.OpenPreSession)["card_id"]
        with problems.named("cardId"):
            card = board_queries.get_card(actor=self.actor, card_id=card_id, project_id=project_id)
        registry.agents()
        made = operations.open_presession(actor=self.actor, card=card)
        return results.created(outputs.presession(made))


class OnePreSession(Endpoint):
    """One pre-session."""

    @document(
        summary="Read a pre-session and what its agent proposes", response=outputs.PreSessionDetail
    )
    def get(self, request: Request, project_id: UUID, session_id: UUID) -> Response:
        found = session_in(self, project_id, session_id)
        proposal = queries.proposal_of(found)
        return results.ok(outputs.presession_detail(found, proposal=proposal))


class PreSessionMessage(Endpoint):
    """A word to the agent of a pre-session."""

    @document(
        summary="Send a message in a pre-session",
        description="The answer is streamed (`preSession.message`) and listed. While the agent"
        " answers, further messages wait.",
        request=inputs.SendWords,
        response=outputs.AgentMessage,
        status=201,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, session_id: UUID) -> Response:
        text = self.read(inputs.SendWords)["content"]
        found = session_in(self, project_id, session_id)
        registry.agents()
        item = operations.say(actor=self.actor, conversation=found, text=text)
        return results.created(outputs.conversation_message(found, item))


class PreSessionMessages(Endpoint):
    """What was said in a pre-session."""

    @document(
        summary="List the messages of a pre-session, oldest first",
        query=inputs.ListConversation,
        response=list[outputs.AgentMessage],
        meta=outputs.OlderSaid,
    )
    def get(self, request: Request, project_id: UUID, session_id: UUID) -> Response:
        values = self.read_query(inputs.ListConversation)
        found = session_in(self, project_id, session_id)
        items, more = queries.messages_of(found, **values)
        shown = [outputs.conversation_message(found, item) for item in items]
        meta: outputs.OlderSaid = {"hasMore": more}
        return results.ok(shown, meta=meta)


class PreSessionAcceptance(Endpoint):
    """That the refined prompt is good."""

    @document(
        summary="Write the refined prompt to the card and end the pre-session",
        description="Without `prompt` it is what the agent proposed last. The card stays deferred.",
        request=inputs.AcceptPreSession,
        response=outputs.AcceptedPreSession,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, session_id: UUID) -> Response:
        values = self.read(inputs.AcceptPreSession)
        found = session_in(self, project_id, session_id)
        ended, prompt = operations.accept_presession(actor=self.actor, conversation=found, **values)
        return results.ok(outputs.accepted_presession(ended, prompt=prompt))


class PreSessionCancel(Endpoint):
    """That nothing comes of it."""

    @document(summary="End a pre-session and leave the card's prompt", status=204, problems=(409,))
    def post(self, request: Request, project_id: UUID, session_id: UUID) -> Response:
        found = session_in(self, project_id, session_id)
        operations.cancel_presession(actor=self.actor, conversation=found)
        return results.no_content()
