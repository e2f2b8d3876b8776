"""Where an agent's events and questions arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.agents.adapters import events, policies
from apps.agents.adapters.base import Decision
from apps.agents.models import Approval
from apps.agents.operations import approvals
from apps.agents.runner.listening import Listener

if TYPE_CHECKING:
    from apps.agents.models import Attempt
    from apps.agents.runner.lease import Lease
    from apps.agents.runner.store import Store
    from apps.agents.runner.writer import Writer
    from apps.core.actors import Actor


class Sink(Listener):
    """Stores what the agent does, and finds people to decide what it asks."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        writer: Writer,
        attempt: Attempt,
        *,
        actor: Actor,
        policy: policies.Policy,
        planning: bool,
        confined: bool,
    ) -> None:
        super().__init__(lease, writer)
        self._store = store
        self._attempt = attempt
        self._actor = actor
        self._policy = policy
        self._planning = planning
        self._confined = confined
        self._remembered = set(attempt.remembered_permissions)
        # Set when nobody answered in time: the process ends, the question stays.
        self.left_waiting = False
        self.accepted_plan: str | None = None

    async def ask(self, request: events.Request) -> Decision:
        """This will decide by policy, else by a person; nobody in time ends the turn."""
        decided = policies.decide(
            request,
            policy=self._policy,
            planning=self._planning,
            confined=self._confined,
            remembered=frozenset(self._remembered),
        )
        if decided is not None:
            return decided
        await self._writer.flush()
        remember = policies.remembered_key(request)
        approval = await self._store.run(
            approvals.request_approval,
            actor=self._actor,
            attempt=self._attempt,
            epoch=self._attempt.epoch,
            kind=request.kind,
            title=self._writer.tidy(request.title or request.command or request.kind),
            turn_number=request.turn,
            request=self._writer.tidy(_shown(request, remember)),
        )
        try:
            answered = await self._lease.answer(
                approval.pk, timeout=settings.KANBANAI_PERMISSION_WAIT_SECONDS
            )
        except TimeoutError:
            self.left_waiting = True
            return Decision(outcome="cancelled", end_turn=True)
        await self._store.run(
            approvals.resume_work,
            actor=self._actor,
            attempt=self._attempt,
            epoch=self._attempt.epoch,
        )
        return self._decision(request, answered, remember)

    def _decision(self, request: events.Request, answered: Approval, remember: str) -> Decision:
        if answered.status == Approval.Status.WITHDRAWN:
            return Decision(outcome="cancelled")
        refused = answered.decision == Approval.Decision.DENY
        if request.kind == "question":
            return _answer(answered, refused=refused)
        if refused:
            return Decision.reject(request)
        if request.kind == "plan" and self._planning:
            # The plan is what was wanted: the work on it is the next step's.
            self.accepted_plan = request.text
            return Decision(outcome="cancelled", end_turn=True)
        if answered.decision == Approval.Decision.ALLOW_ALWAYS:
            self._remembered.add(remember)
        return Decision.allow(request)


def _answer(answered: Approval, *, refused: bool) -> Decision:
    if refused:
        return Decision(outcome="declined")
    answer = answered.request.get("answer")
    if not isinstance(answer, dict):
        schema = answered.request.get("schema") or {}
        names = list(schema.get("properties") or {}) if isinstance(schema, dict) else []
        words = answer if isinstance(answer, str) else answered.feedback
        answer = {names[0]: words} if names and words else {}
    return Decision(outcome="answered", answer=answer)


def _shown(request: events.Request, remember: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "text": request.text,
        "toolKind": request.tool_kind,
        "command": request.command,
        "paths": list(request.paths),
        "outside": request.outside,
        "toolItem": request.tool_id,
        "options": [
            {"id": one.id, "label": one.label, "kind": one.kind} for one in request.options
        ],
    }
    if request.kind == "permission" and not request.outside:
        shown["remember"] = remember
    if request.schema is not None:
        shown["schema"] = dict(request.schema)
    if request.url:
        shown["url"] = request.url
    return shown
