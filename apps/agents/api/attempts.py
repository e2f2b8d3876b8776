"""REST: attempts, what is said in them, and what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents import inputs, operations, outputs, queries, registry
from apps.boards import queries as board_queries
from apps.core import ids, paging, results
from apps.core.rest import Endpoint
from apps.core.schema import document

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.agents.models import Attempt


class Taken(TypedDict):
    """That a message was taken, and the turn it became."""

    ok: bool
    messageId: str


class Logs(TypedDict):
    """The newest lines of an attempt's log, oldest first."""

    logs: list[outputs.Log]


def attempt_in(endpoint: Endpoint, attempt_id: UUID) -> Attempt:
    """This will find the attempt in the address."""
    return queries.get_attempt(actor=endpoint.actor, attempt_id=attempt_id)


class Agents(Endpoint):
    """The agents this installation knows, and which it can start."""

    @document(summary="List the agents", response=list[registry.Found])
    def get(self, request: Request) -> Response:
        return results.ok(list(registry.agents().values()))


class CardAttempts(Endpoint):
    """The attempts on one card."""

    @document(
        summary="List a card's attempts, newest first",
        query=paging.Part,
        response=list[outputs.Attempt],
        meta=paging.Paged,
    )
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        asked = self.read_query(paging.Part)
        card = board_queries.get_card(actor=self.actor, card_id=card_id, project_id=project_id)
        rows, meta = queries.part_of_attempts(card, **asked)
        return results.ok([outputs.attempt(row) for row in rows], meta=meta)

    @document(
        summary="Put an agent to work on a card",
        description="It starts at once where a slot is free, else it waits in line.",
        request=inputs.StartAttempt,
        response=outputs.Attempt,
        status=201,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        values = self.read(inputs.StartAttempt)
        card = board_queries.get_card(actor=self.actor, card_id=card_id, project_id=project_id)
        registry.agents()
        attempt = operations.start_attempt(actor=self.actor, card=card, **values)
        return results.created(outputs.attempt(attempt))


class CardAttempt(Endpoint):
    """The newest attempt on a card."""

    @document(summary="Read a card's newest attempt", response=outputs.AttemptDetail)
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        card = board_queries.get_card(actor=self.actor, card_id=card_id, project_id=project_id)
        row = queries.find_newest_attempt(card)
        return results.ok(detail(row) if row else None)


def detail(row: Attempt, *, since_seq: int = 0) -> outputs.AttemptDetail:
    """This will show an attempt with its place in the queue."""
    position = operations.queue_position(row)
    return outputs.attempt_detail(row, queue_position=position, since_seq=since_seq)


class OneAttempt(Endpoint):
    """One attempt."""

    @document(
        summary="Read an attempt and its transcript",
        query=inputs.ReadAttempt,
        response=outputs.AttemptDetail,
    )
    def get(self, request: Request, attempt_id: UUID) -> Response:
        values = self.read_query(inputs.ReadAttempt)
        return results.ok(detail(attempt_in(self, attempt_id), **values))

    @document(summary="Stop an attempt", request=inputs.ChangeAttempt, response=outputs.Attempt)
    def patch(self, request: Request, attempt_id: UUID) -> Response:
        """This will stop it, at whatever stage it is; again changes nothing."""
        self.read(inputs.ChangeAttempt)
        row = operations.stop_attempt(actor=self.actor, attempt=attempt_in(self, attempt_id))
        return results.ok(outputs.attempt(row))


class AttemptLogs(Endpoint):
    """The log of an attempt."""

    @document(
        summary="Read an attempt's log",
        query=inputs.ListLogs,
        response=Logs,
        meta=paging.Paged,
    )
    def get(self, request: Request, attempt_id: UUID) -> Response:
        asked = self.read_query(inputs.ListLogs)
        lines, meta = queries.part_of_logs(attempt_in(self, attempt_id), **asked)
        return results.ok({"logs": [outputs.log(line) for line in lines]}, meta=meta)


class AttemptMessages(Endpoint):
    """What people say to the agent of an attempt."""

    @document(
        summary="Send the agent a message",
        description="The next turn while it works, a follow-up in the same session afterwards,"
        " words to a plan that waits.",
        request=inputs.SendPrompt,
        response=Taken,
        status=201,
        problems=(409,),
    )
    def post(self, request: Request, attempt_id: UUID) -> Response:
        text = self.read(inputs.SendPrompt)["prompt"]
        turn = operations.send_message(
            actor=self.actor, attempt=attempt_in(self, attempt_id), text=text
        )
        return results.created({"ok": True, "messageId": turn.public_id})


class AttemptRetry(Endpoint):
    """The last prompt once more."""

    @document(summary="Send the last prompt again", response=outputs.Attempt, problems=(409,))
    def post(self, request: Request, attempt_id: UUID) -> Response:
        row = operations.retry_attempt(actor=self.actor, attempt=attempt_in(self, attempt_id))
        return results.ok(outputs.attempt(row))


class AttemptRelaunch(Endpoint):
    """A fresh session in the same worktree."""

    @document(summary="Begin anew in the same worktree", response=outputs.Attempt, problems=(409,))
    def post(self, request: Request, attempt_id: UUID) -> Response:
        row = operations.relaunch_attempt(actor=self.actor, attempt=attempt_in(self, attempt_id))
        return results.ok(outputs.attempt(row))


class AttemptRelay(Endpoint):
    """A fresh session that gets a hand-off."""

    @document(
        summary="Go on in a fresh session that gets a hand-off",
        response=outputs.Attempt,
        problems=(409,),
    )
    def post(self, request: Request, attempt_id: UUID) -> Response:
        row = operations.relay_attempt(actor=self.actor, attempt=attempt_in(self, attempt_id))
        return results.ok(outputs.attempt(row))


class OneApproval(Endpoint):
    """A question of the agent."""

    @document(
        summary="Answer what the agent asks",
        request=inputs.AnswerApproval,
        response=outputs.Approval,
        problems=(409,),
    )
    def post(self, request: Request, attempt_id: UUID, approval_id: UUID) -> Response:
        values = self.read(inputs.AnswerApproval)
        approval = queries.get_approval(
            actor=self.actor, attempt_id=attempt_id, approval_id=approval_id
        )
        answered = operations.answer_approval(actor=self.actor, approval=approval, **values)
        card_id = ids.encode("card", answered.attempt.card_id)
        return results.ok(outputs.approval(answered, card_id=card_id))
