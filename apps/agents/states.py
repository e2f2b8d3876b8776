"""The states of an attempt, the moves between them, and how each protocol spells them.

One attempt is one run of one agent on one card; it may take several turns. Every change of state is
a conditional update that looks here; nothing else decides what may follow what.
"""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    """Where an attempt stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class WaitingFor(models.TextChoices):
    """What a waiting attempt needs from a person."""

    PLAN = "plan"
    PERMISSION = "permission"
    QUESTION = "question"
    INPUT = "input"


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.INTERRUPTED})
ACTIVE = frozenset(Status) - FINAL

# From a state to those that may follow it. A final attempt goes on by a follow-up or a retry.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.STOPPED, Status.FAILED}),
    Status.RUNNING: frozenset(
        {
            Status.WAITING,
            Status.PAUSED,
            Status.STOPPING,
            Status.SUCCEEDED,
            Status.FAILED,
            Status.INTERRUPTED,
            Status.QUEUED,
        }
    ),
    Status.WAITING: frozenset(
        {Status.QUEUED, Status.RUNNING, Status.STOPPED, Status.STOPPING, Status.SUCCEEDED}
    ),
    Status.PAUSED: frozenset({Status.QUEUED, Status.STOPPED}),
    Status.STOPPING: frozenset({Status.STOPPED}),
    Status.SUCCEEDED: frozenset({Status.QUEUED}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.STOPPED: frozenset({Status.QUEUED}),
    Status.INTERRUPTED: frozenset({Status.QUEUED}),
}

# KanbanAI's board channels know six words.
BOARD_SPELLING: dict[str, str] = {
    Status.QUEUED: "queued",
    Status.RUNNING: "running",
    Status.WAITING: "running",
    Status.PAUSED: "running",
    Status.STOPPING: "stopping",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.STOPPED: "stopped",
    Status.INTERRUPTED: "failed",
}


def rest_spelling(status: str, waiting_for: str) -> str:
    """This will spell a state as the REST API's agent rows do."""
    if status == Status.WAITING:
        return "waiting_approval" if waiting_for in {"plan", "permission"} else "waiting_input"
    return {
        Status.QUEUED: "queued",
        Status.RUNNING: "running",
        Status.PAUSED: "paused",
        Status.STOPPING: "running",
        Status.SUCCEEDED: "completed",
        Status.FAILED: "failed",
        Status.STOPPED: "cancelled",
        Status.INTERRUPTED: "failed",
    }[Status(status)]


def sources_of(target: Status) -> list[str]:
    """This will list the states from which `target` may follow, for the conditional update."""
    return [str(source) for source, targets in TRANSITIONS.items() if target in targets]


class Reason(models.TextChoices):
    """Why an attempt failed, was interrupted or is paused: a closed list, each with a remedy."""

    AGENT_NOT_INSTALLED = "agent_not_installed"
    AGENT_LOGIN_REQUIRED = "agent_login_required"
    CREDENTIAL_INVALID = "credential_invalid"
    USAGE_LIMIT = "usage_limit"
    BUDGET_EXHAUSTED = "budget_exhausted"
    MODEL_ERROR = "model_error"
    AGENT_CRASHED = "agent_crashed"
    AGENT_PROTOCOL_ERROR = "agent_protocol_error"
    SETUP_FAILED = "setup_failed"
    WORKTREE_FAILED = "worktree_failed"
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    TIMED_OUT = "timed_out"
    STALLED = "stalled"
    HOST_LOST = "host_lost"
    REFUSED = "refused"
    OUTPUT_LIMIT = "output_limit"


# What happened and what to do next, in the words pages and clients show.
REMEDIES: dict[str, tuple[str, str]] = {
    Reason.AGENT_NOT_INSTALLED: (
        "The agent's program was not found on this server.",
        "Install it, or choose another agent in the project's settings.",
    ),
    Reason.AGENT_LOGIN_REQUIRED: (
        "The agent is not signed in.",
        "Sign the agent in on the server, or give it a key, then retry.",
    ),
    Reason.CREDENTIAL_INVALID: (
        "The provider refused the key.",
        "Check the key, then retry.",
    ),
    Reason.USAGE_LIMIT: (
        "The provider's usage limit is reached.",
        "Wait until the limit resets, or use another key.",
    ),
    Reason.BUDGET_EXHAUSTED: (
        "The budget is used up.",
        "Raise the budget, or wait for the next period.",
    ),
    Reason.MODEL_ERROR: (
        "The model answered with an error.",
        "Read the last message, then retry.",
    ),
    Reason.AGENT_CRASHED: (
        "The agent's program ended unexpectedly.",
        "Read the log, then retry: the work done so far is kept.",
    ),
    Reason.AGENT_PROTOCOL_ERROR: (
        "The agent did not speak the protocol.",
        "Check the agent's command and version.",
    ),
    Reason.SETUP_FAILED: (
        "The project's setup script failed.",
        "Mend the script in the project's settings, then retry.",
    ),
    Reason.WORKTREE_FAILED: (
        "The work folder could not be made.",
        "Read the message, mend the repository, then retry.",
    ),
    Reason.SANDBOX_UNAVAILABLE: (
        "No sandbox is available, and this server must not run agents without one.",
        "Install bubblewrap, or ask an administrator to allow unsandboxed runs.",
    ),
    Reason.TIMED_OUT: (
        "The turn took longer than allowed.",
        "Retry, or give the agent a smaller task.",
    ),
    Reason.STALLED: (
        "The agent said nothing for too long.",
        "Retry: the agent resumes where it was.",
    ),
    Reason.HOST_LOST: (
        "The worker that ran the agent went away.",
        "Retry: the agent resumes, and nothing shown is lost.",
    ),
    Reason.REFUSED: (
        "The model refused the task.",
        "Reword the card, then retry.",
    ),
    Reason.OUTPUT_LIMIT: (
        "The agent wrote more output than allowed.",
        "Give it a narrower task, then retry.",
    ),
}
