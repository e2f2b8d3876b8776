"""From how a turn ended in the adapter's words to what the attempt becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from apps.agents.operations.turns import Outcome
from apps.agents.states import REMEDIES, Reason

if TYPE_CHECKING:
    from apps.agents.adapters.base import TurnResult
    from apps.agents.runner.lease import Word

DETAIL_CHARACTERS = 500
SUMMARY_CHARACTERS = 20_000
NO_CHANGES = "The agent changed no files."


def of_result(
    result: TurnResult, *, left_waiting: bool, accepted_plan: str | None, has_changes: bool
) -> Outcome:
    """This will judge a turn that nobody stopped. An exit code alone never decides."""
    stop = result.stop_reason
    if left_waiting:
        return Outcome(kind="waiting", stop_reason=stop)
    if accepted_plan is not None:
        return Outcome(kind="succeeded", summary=accepted_plan, stop_reason=stop)
    if result.succeeded:
        return Outcome(
            kind="succeeded",
            summary=result.last_message[:SUMMARY_CHARACTERS],
            detail="" if has_changes else NO_CHANGES,
            stop_reason=stop,
        )
    reason: str = result.failure or (Reason.REFUSED if stop == "refusal" else Reason.AGENT_CRASHED)
    if reason == Reason.USAGE_LIMIT:
        return Outcome(
            kind="paused",
            reason=reason,
            detail=result.error[:DETAIL_CHARACTERS],
            stop_reason=stop,
        )
    return failed(reason, result.error, stop_reason=stop)


def failed(reason: str, detail: str, *, stop_reason: str = "error") -> Outcome:
    """This will be the outcome of a turn that failed, with a reason from the closed list."""
    words = detail.strip() or REMEDIES[reason][0]
    return Outcome(
        kind="failed", reason=reason, detail=words[:DETAIL_CHARACTERS], stop_reason=stop_reason
    )


def with_key(outcome: Outcome) -> Outcome:
    """This will be the outcome for an agent that was given a key: none of them has to sign in.

    Some say that when they mean that the provider refused the key.
    """
    if outcome.reason != Reason.AGENT_LOGIN_REQUIRED:
        return outcome
    refused = REMEDIES[Reason.CREDENTIAL_INVALID][0]
    detail = f"{refused} {outcome.detail}".strip()[:DETAIL_CHARACTERS]
    return replace(outcome, reason=Reason.CREDENTIAL_INVALID, detail=detail)


def of_halt(word: Word) -> Outcome:
    """This will be the outcome of work that was ended from outside.

    A worker that goes away leaves open what its agent asks: an answer continues the session.
    """
    if word == "shutdown":
        return Outcome(
            kind="waiting",
            reason=Reason.HOST_LOST,
            detail="The worker was shut down; the attempt can be continued.",
            stop_reason="cancelled",
        )
    return Outcome(kind="stopped", stop_reason="cancelled")
