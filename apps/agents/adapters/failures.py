"""Why a turn did not succeed: the closed list, and how an agent's words are sorted into it."""

import re
from typing import Literal, get_args

Failure = Literal[
    "agent_not_installed",
    "agent_login_required",
    "credential_invalid",
    "usage_limit",
    "budget_exhausted",
    "model_error",
    "agent_crashed",
    "agent_protocol_error",
    "setup_failed",
    "worktree_failed",
    "sandbox_unavailable",
    "timed_out",
    "stalled",
    "host_lost",
    "refused",
    "output_limit",
]
FAILURES: frozenset[str] = frozenset(get_args(Failure))

AUTH_REQUIRED = -32000

_LIMIT = re.compile(
    r"usage limit|rate.?limit|quota|too many requests|\b429\b|insufficient.{0,20}(credit|balance)"
    r"|credit balance is too low|hit your limit",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(
    r"\b401\b|\b403\b|invalid.{0,12}(api.?key|key|token|credential)|authentication_error"
    r"|incorrect api key|unauthorized|permission_error",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"please (run )?/?log ?in|not logged in|login required|authentication required|auth_required",
    re.IGNORECASE,
)
# An agent that ends its turn normally although the model failed says so in its last message.
_ERROR_MESSAGE = re.compile(
    r"^\W{0,4}(api error|error:|error \d{3}|http (error )?\d{3}|unexpected status \d{3}"
    r"|stream (error|disconnected)|request failed|internal (server )?error|\{\s*\"(error|type\":"
    r"\s*\"error)\"|(invalid|incorrect) api key|you('ve| have) (hit|reached|exceeded) your"
    r"|please run /login|exceeded retry limit|failed to (connect|send|call|authenticate))",
    re.IGNORECASE,
)
# What an agent says of its tries before it gives up, or before it goes on.
_TRIES = re.compile(r"^(?:\W{0,4}info: [^\n]{0,200}?retrying\.{0,3}\s*)+", re.IGNORECASE)
_NOT_FOUND = re.compile(
    r"^nice: .*No such file|^bwrap: execvp|: (command )?not found$", re.MULTILINE
)
_SANDBOX = re.compile(r"^(bwrap|landlock): ", re.MULTILINE)
_LONGEST_ERROR = 4_000


class AdapterError(Exception):
    """An agent that could not be started or asked; `failure` is from the closed list."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure: Failure = failure
        self.detail = detail


class Cancelled(Exception):
    """The turn was cancelled before the agent could be asked; not an error of anybody."""


def from_error(text: str, *, code: int | None = None) -> Failure:
    """This will be the failure that an agent's error answer means."""
    if _LIMIT.search(text):
        return "usage_limit"
    if code == AUTH_REQUIRED or _LOGIN.search(text):
        return "agent_login_required"
    if _CREDENTIAL.search(text):
        return "credential_invalid"
    return "model_error"


def from_last_message(text: str) -> Failure | None:
    """This will be the failure that a turn's last message reports, None for ordinary prose."""
    text = _TRIES.sub("", text.strip())
    if not text or len(text) > _LONGEST_ERROR or not _ERROR_MESSAGE.search(text):
        return None
    return from_error(text)


def from_stderr(text: str) -> Failure | None:
    """This will be what the last words of a process that died at its start mean, if known."""
    if _NOT_FOUND.search(text):
        return "agent_not_installed"
    if _SANDBOX.search(text):
        return "sandbox_unavailable"
    return None
