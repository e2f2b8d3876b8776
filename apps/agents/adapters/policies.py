"""Answers to permission requests that need no person: the policy of a profile, as one function.

The agent stays in its asking mode; what it may do is decided here, alike for every agent.
"""

from typing import Literal

from apps.agents.adapters import events
from apps.agents.adapters.base import Decision

Policy = Literal["ask", "accept_edits", "accept_all", "reject"]


def remembered_key(request: events.Request) -> str:
    """This will be under what an "always" is remembered: the command's program, or the kind."""
    words = request.command.split()
    return f"{request.tool_kind}:{words[0]}" if words else request.tool_kind


def decide(
    request: events.Request,
    *,
    policy: Policy,
    planning: bool,
    confined: bool,
    remembered: frozenset[str] = frozenset(),
) -> Decision | None:
    """This will be the decision on a request, or None when a person has to be asked.

    `planning` refuses whatever changes something. A path outside the worktree is always asked
    about. `confined` says that the agent runs in a sandbox: without one, nothing but edits is
    accepted unseen. Plans and questions always go to a person, except under `reject`.
    """
    if policy == "reject" or (
        planning and request.kind == "permission" and request.tool_kind in events.MUTATING
    ):
        return Decision.reject(request)
    if request.kind != "permission" or request.outside:
        return None
    is_edit = request.tool_kind == "edit"
    accepted = (
        remembered_key(request) in remembered
        or (policy in {"accept_edits", "accept_all"} and is_edit)
        or (policy == "accept_all" and confined)
    )
    return Decision.allow(request) if accepted else None


def decide_reading(request: events.Request, *, tools: str) -> Decision:
    """This will be the decision for an agent that may read and nothing else; nobody is asked.

    `tools` is the name of the tool server we offer: its calls are checked where they are done.
    """
    if request.kind == "question":
        return Decision(outcome="declined")
    names = (f"mcp__{tools}__", f"{tools}_", f"{tools}/", f"{tools}:")
    ours = request.tool_kind not in events.MUTATING and request.title.startswith(names)
    reads = request.tool_kind in {"read", "search", "fetch", "think"} and not request.outside
    if request.kind == "permission" and (ours or reads):
        return Decision.allow(request)
    return Decision.reject(request)
