"""REST: a card's way from step to step, and what its agents leave behind for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents import operations, queries, registry
from apps.agents.api.cards import card_in
from apps.boards import inputs as board_inputs
from apps.boards import outputs as board_outputs
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class WrittenSummary(TypedDict):
    """What was done on a card, in a few sentences."""

    summary: str


class CardAutoMode(Endpoint):
    """Whether a card goes on by itself."""

    def shown(self, project_id: UUID, card_id: UUID) -> Response:
        """What the write is compared with."""
        found = card_in(self, project_id, card_id)
        return results.ok(board_outputs.card_detail(found, viewer=self.actor.user))

    @document(
        summary="Switch a card's auto mode",
        description="On where an agent has succeeded, the card goes on at once. `skipApproval`"
        " takes plans as approved, `skipPlanColumns` passes over the columns that plan.",
        request=board_inputs.SetAutoMode,
        response=board_outputs.CardDetail,
    )
    def patch(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        values = self.read(board_inputs.SetAutoMode)
        card = card_in(self, project_id, card_id)
        registry.agents()
        card = operations.set_auto_mode(actor=self.actor, card=card, **values)
        return results.ok(board_outputs.card_detail(card, viewer=self.actor.user))


class StepApproval(Endpoint):
    """A person's word on the step at which a card waits."""

    @document(
        summary="Approve the step at which a card in auto mode waits",
        description="Its plan is accepted, and the card goes on as soon as the agent that made"
        " it has ended.",
        status=204,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        card = card_in(self, project_id, card_id)
        registry.agents()
        operations.approve_auto(actor=self.actor, card=card)
        return results.no_content()


class CardCompletion(Endpoint):
    """That a card is done."""

    @document(summary="Complete a card", status=204)
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        operations.complete_card(actor=self.actor, card=card_in(self, project_id, card_id))
        return results.no_content()


class CardSummary(Endpoint):
    """What was done on a card."""

    waits = frozenset({"POST"})

    @document(
        summary="Have a card's last session summarized",
        description="Its own agent is asked for some seconds; where it does not answer in time,"
        " or cannot, it is the last thing it said. What comes later still becomes the card's.",
        response=WrittenSummary,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.get_newest_attempt(card_in(self, project_id, card_id))
        registry.agents()
        return results.ok({"summary": operations.summarize(actor=self.actor, attempt=newest)})


class AgentRelay(Endpoint):
    """A fresh session that gets a hand-off."""

    @document(
        summary="Go on with a card in a fresh session",
        description="An agent at work is stopped first; the hand-off is written by it where it"
        " can still be asked.",
        status=204,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.get_newest_attempt(card_in(self, project_id, card_id))
        registry.agents()
        operations.relay_attempt(actor=self.actor, attempt=newest)
        return results.no_content()
