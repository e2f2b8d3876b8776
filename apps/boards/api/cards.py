"""REST: cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.boards import inputs, operations, outputs, queries
from apps.core import problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.boards.models import Card


def card_in(endpoint: Endpoint, project_id: UUID, card_id: UUID) -> Card:
    """This will find a card of the project in the address."""
    return queries.get_card(actor=endpoint.actor, card_id=card_id, project_id=project_id)


class Cards(Endpoint):
    """The cards of a project."""

    @document(
        summary="List a project's cards",
        description="All of them, or those that match; `search` looks into keys, titles and "
        "descriptions. `limit` and `cursor` give a part.",
        query=inputs.ListCards,
        response=list[outputs.Card],
        meta=outputs.PagedVersions,
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        asked = self.read_query(inputs.ListCards)
        part = {key: asked.pop(key, None) for key in ("limit", "cursor")}
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        versions = outputs.versions_of(project.pk, board_id=asked.get("board_id"))
        matching = queries.cards_matching(project, **asked)
        shown, meta = outputs.part_of_cards(project, matching, **part)
        return results.ok(shown, meta={**versions, **meta})

    @document(
        summary="Create a card in a column",
        request=inputs.CreateCard,
        response=outputs.CardDetail,
        status=201,
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        values = self.read(inputs.CreateCard)
        with problems.named("columnId"):
            column = queries.get_column(
                actor=self.actor, column_id=values.pop("column_id"), project_id=project_id
            )
        card = operations.create_card(actor=self.actor, column=column, **values)
        return results.created(outputs.card_detail(card, viewer=self.actor.user))


class CardMove(Endpoint):
    """A card's place."""

    def shown(self, project_id: UUID, card_id: UUID) -> Response:
        return results.ok(
            outputs.card_detail(card_in(self, project_id, card_id), viewer=self.actor.user)
        )

    @document(
        summary="Move a card", request=inputs.MoveCard, response=outputs.CardDetail, problems=(409,)
    )
    def patch(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        values = self.read(inputs.MoveCard)
        card = operations.move_card(
            actor=self.actor, card=card_in(self, project_id, card_id), **values
        )
        return results.ok(outputs.card_detail(card, viewer=self.actor.user))


class CardSeen(Endpoint):
    """That one looked at a card."""

    @document(summary="Note that you looked at a card", status=204)
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        operations.see_card(actor=self.actor, card=card_in(self, project_id, card_id))
        return results.no_content()


class CardPipeline(Endpoint):
    """The columns a card visits."""

    @document(summary="Read the columns a card visits", response=outputs.Pipeline)
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        return results.ok(outputs.pipeline(card_in(self, project_id, card_id)))

    @document(
        summary="Choose the columns a card visits",
        request=inputs.SetPipeline,
        response=outputs.Pipeline,
    )
    def put(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        steps = self.read(inputs.SetPipeline)["steps"]
        card = operations.set_pipeline(
            actor=self.actor, card=card_in(self, project_id, card_id), steps=steps
        )
        return results.ok(outputs.pipeline(card))


class FlatCards(Endpoint):
    """Cards for scripts that know a project and nothing of its boards."""

    @document(
        summary="Create a card by project",
        request=inputs.CreateCardAnywhere,
        response=outputs.NewCard,
        status=201,
        problems=(404,),
    )
    def post(self, request: Request) -> Response:
        values = self.read(inputs.CreateCardAnywhere)
        project_id = values.pop("project_id")
        with problems.named("projectId"):
            project = project_queries.get_project(actor=self.actor, project_id=project_id)
        column = queries.entry_column_of(project)
        card = operations.create_card(actor=self.actor, column=column, **values)
        return results.created(outputs.new_card(card))


class FlatCardStatus(Endpoint):
    """Where a card stands, in four words."""

    @document(summary="Read where a card stands", response=outputs.CardStatus)
    def get(self, request: Request, card_id: UUID) -> Response:
        card = queries.get_card(actor=self.actor, card_id=card_id)
        return results.ok(outputs.card_status(card))
