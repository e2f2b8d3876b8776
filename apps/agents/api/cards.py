"""REST: cards with their agents. What ends a card ends its agent as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents import inputs, operations, outputs, queries, registry
from apps.agents.worktrees.diff import Diff
from apps.boards import inputs as board_inputs
from apps.boards import operations as board_operations
from apps.boards import outputs as board_outputs
from apps.boards import queries as board_queries
from apps.core import paging, results
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
    return board_queries.get_card(actor=endpoint.actor, card_id=card_id, project_id=project_id)


class OneCard(Endpoint):
    """One card."""

    waits = frozenset({"DELETE"})

    @document(summary="Read a card", response=board_outputs.CardDetail)
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        return results.ok(
            board_outputs.card_detail(card_in(self, project_id, card_id), viewer=self.actor.user)
        )

    @document(
        summary="Change a card",
        request=board_inputs.UpdateCard,
        response=board_outputs.CardDetail,
    )
    def patch(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        values = self.read(board_inputs.UpdateCard)
        card = board_operations.update_card(
            actor=self.actor,
            card=card_in(self, project_id, card_id),
            assignees=values.pop("assignees", None),
            depends_on=values.pop("depends_on", None),
            changes=values,
        )
        return results.ok(board_outputs.card_detail(card, viewer=self.actor.user))

    @document(
        summary="Delete a card, its agent and its worktree",
        query=inputs.DeleteCard,
        status=204,
        problems=(409,),
    )
    def delete(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        force = self.read_query(inputs.DeleteCard).get("force", False)
        operations.delete_card(
            actor=self.actor, card=card_in(self, project_id, card_id), force=force
        )
        return results.no_content()


class FlatCard(Endpoint):
    """One card, for scripts that know its id alone."""

    @document(summary="Read a card and its sessions", response=outputs.FlatCard)
    def get(self, request: Request, card_id: UUID) -> Response:
        card = board_queries.get_card(actor=self.actor, card_id=card_id)
        rows = card.attempts.select_related("card").order_by("-number")
        return results.ok(outputs.flat_card(card, rows))


class CardActivation(Endpoint):
    """That a card waits no longer."""

    @document(summary="End a card's deferral", status=204, problems=(409,))
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        card = card_in(self, project_id, card_id)
        registry.agents()
        operations.activate_card(actor=self.actor, card=card)
        return results.no_content()


class CardDiff(Endpoint):
    """What a card's newest attempt changed."""

    @document(summary="Read a card's diff", response=Diff)
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.find_newest_attempt(card_in(self, project_id, card_id))
        return results.ok(operations.git_diff(attempt=newest))


class CardAgent(Endpoint):
    """The agent of a card."""

    @document(summary="Read the state of a card's agent", response=outputs.AgentState)
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.find_newest_attempt(card_in(self, project_id, card_id))
        return results.ok(outputs.agent_state(newest) if newest else None)


class AgentStop(Endpoint):
    """The end of a card's agent."""

    waits = frozenset({"POST"})

    @document(
        summary="Stop a card's agent",
        description="It waits some seconds for the agent's processes to be gone.",
        status=204,
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.find_newest_attempt(card_in(self, project_id, card_id))
        if newest is not None:
            operations.cancel_agent(actor=self.actor, attempt=newest)
        return results.no_content()


class AgentSessions(Endpoint):
    """The sessions on a card."""

    @document(
        summary="List a card's sessions, newest first",
        query=paging.Part,
        response=list[outputs.Session],
        meta=paging.Paged,
    )
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        asked = self.read_query(paging.Part)
        rows, meta = queries.part_of_attempts(card_in(self, project_id, card_id), **asked)
        return results.ok([outputs.session(row) for row in rows], meta=meta)


class AgentHistory(Endpoint):
    """The sessions on a card, with what came of them."""

    @document(
        summary="List a card's sessions and their outcome",
        query=paging.Part,
        response=list[outputs.SessionSummary],
        meta=paging.Paged,
    )
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        asked = self.read_query(paging.Part)
        rows, meta = queries.part_of_attempts(card_in(self, project_id, card_id), **asked)
        said = queries.item_counts_of(rows)
        shown = [outputs.session_summary(row, message_count=said.get(row.pk, 0)) for row in rows]
        return results.ok(shown, meta=meta)


class AgentMessages(Endpoint):
    """The conversation on a card."""

    @document(
        summary="List a card's messages, oldest first",
        query=inputs.ListMessages,
        response=list[outputs.AgentMessage],
        meta=outputs.More,
    )
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        values = self.read_query(inputs.ListMessages)
        attempts = queries.attempts_of_card(card_in(self, project_id, card_id))
        wanted = values.pop("session_id", None)
        chosen = [row for row in attempts if wanted is None or row.pk == wanted]
        items, meta = queries.messages_of(chosen, **values)
        return results.ok([outputs.agent_message(row) for row in items], meta=meta)


class AgentMessage(Endpoint):
    """A word to the agent of a card."""

    @document(
        summary="Send a card's agent a message",
        description="A card without an attempt gets one.",
        request=inputs.SendContent,
        response=outputs.AgentMessage,
        status=201,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        text = self.read(inputs.SendContent)["content"]
        card = card_in(self, project_id, card_id)
        registry.agents()
        turn = operations.send_card_message(actor=self.actor, card=card, text=text)
        return results.created(outputs.turn_message(turn))


class AgentRetry(Endpoint):
    """The last prompt once more."""

    @document(summary="Send the last prompt of a card again", status=204, problems=(409,))
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.get_newest_attempt(card_in(self, project_id, card_id))
        operations.retry_attempt(actor=self.actor, attempt=newest)
        return results.no_content()


class AgentRelaunch(Endpoint):
    """A fresh session in the same worktree."""

    @document(summary="Begin a card's work anew", status=204, problems=(409,))
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        newest = queries.get_newest_attempt(card_in(self, project_id, card_id))
        operations.relaunch_attempt(actor=self.actor, attempt=newest)
        return results.no_content()


class PlanApproval(Endpoint):
    """A person's word on a plan."""

    @document(
        summary="Approve or send back the plan that waits",
        request=inputs.ApprovePlan,
        response=outputs.AgentState,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        values = self.read(inputs.ApprovePlan)
        newest = queries.get_planning_attempt(card_in(self, project_id, card_id))
        row = operations.approve_plan(actor=self.actor, attempt=newest, **values)
        return results.ok(outputs.agent_state(row))


class ActiveAgents(Endpoint):
    """The agents at work in a project."""

    @document(summary="List a project's active agents", response=list[outputs.ActiveAgent])
    def get(self, request: Request, project_id: UUID) -> Response:
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(outputs.active_agents(queries.active_attempts_of(project)))
