"""Which agents this installation can start: the presets, and what was found on the host.

The `fast` worker looks every few minutes and leaves the answer in the cache, so that requests
need not start programs. Where nobody has looked yet, whoever asks first does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.core.cache import cache

from apps.accounts.models import User
from apps.agents import keys
from apps.agents.adapters import presets, probing
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice
from apps.core import problems, throttling

if TYPE_CHECKING:
    from apps.agents.adapters.presets import Preset
    from apps.projects.models import ProjectSettings

CACHE_KEY = "agents.found"
CACHE_SECONDS = 900
# Never chosen by themselves: one needs a command, the other runs what people write.
NEVER_DEFAULT = frozenset({"custom", "command"})


class Found(TypedDict):
    """What is known of one agent on this host."""

    id: str
    label: str
    family: str
    available: bool
    state: str
    version: str
    detail: str
    needsCredential: bool


def look(*, fresh: bool = True) -> dict[str, Found]:
    """This will look for every agent now and remember the answer; programs are started for it.

    Without `fresh` what this process has found a moment ago is good enough.
    """
    answers = asyncio.run(probing.probe_all(fresh=fresh))
    found: dict[str, Found] = {
        preset.id: {
            "id": preset.id,
            "label": preset.label,
            "family": preset.family,
            "available": answers[preset.id].found,
            "state": answers[preset.id].state,
            "version": answers[preset.id].version,
            "detail": answers[preset.id].detail,
            "needsCredential": preset.needs_credential,
        }
        for preset in presets.REGISTRY
    }
    try:
        cache.set(CACHE_KEY, found, CACHE_SECONDS)
    except Exception as error:
        if not throttling.is_outage(error):
            raise
    return found


def agents() -> dict[str, Found]:
    """This will tell what was found of each agent, by id; without Redis each process looks."""
    try:
        known: dict[str, Found] | None = cache.get(CACHE_KEY)
    except Exception as error:
        if not throttling.is_outage(error):
            raise
        return look(fresh=False)
    return look() if known is None else known


def find_preset(agent: str) -> Preset | None:
    """This will be an agent's preset, by id in any case; None for an agent nobody knows."""
    return presets.find(agent.strip().lower())


def default_agent(project: ProjectSettings) -> str:
    """This will be the project's agent, else the first that can work here, else the demo."""
    if project.default_agent:
        return project.default_agent
    for known in agents().values():
        if not known["available"] or known["id"] in NEVER_DEFAULT:
            continue
        if not known["needsCredential"] or keys.can_work(known["id"], project.project):
            return known["id"]
    return presets.DEMO.id


def require_available(agent: str) -> None:
    """This will raise Conflict AGENT_UNAVAILABLE unless the agent can be started here."""
    known = agents().get(agent)
    if known is None:
        message = f"There is no agent called “{agent}”."
        raise problems.Conflict(message, code="AGENT_UNAVAILABLE")
    if not known["available"] and agent != presets.CUSTOM.id:
        message = f"{known['label']} cannot be started here: {known['detail'] or 'not found'}"
        raise problems.Conflict(message, code="AGENT_UNAVAILABLE")


def sandbox() -> sandboxes.Sandbox:
    """This will be the sandbox of this host.

    Raises `sandbox.choice.Unavailable` when the one that was asked for does not work here.
    """
    return choice.choose(settings.KANBANAI_SANDBOX)


def has_several_people() -> bool:
    """True when more than one person may use this server."""
    return User.objects.filter(is_active=True, is_implicit=False)[:2].count() > 1


def require_sandbox() -> None:
    """This will raise Conflict SANDBOX_UNAVAILABLE where agents must not run as things are.

    Unconfined agents see what the worker sees: that is one person's own business, not that of
    several.
    """
    try:
        level = sandbox().level
    except choice.Unavailable as error:
        raise problems.Conflict(str(error), code="SANDBOX_UNAVAILABLE") from error
    if not choice.allowed(
        level, multi_user=has_several_people(), override=settings.KANBANAI_ALLOW_UNSANDBOXED
    ):
        message = (
            "No sandbox is available, and this server must not run agents without one: install"
            " bubblewrap, or allow it with KANBANAI_ALLOW_UNSANDBOXED."
        )
        raise problems.Conflict(message, code="SANDBOX_UNAVAILABLE")
