"""What about agents cannot work, or should not be left as it is, said at the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from apps.agents.adapters import failures
from apps.agents.providers import registry
from apps.agents.states import REMEDIES, Reason


@checks.register()
def limits_fit_together(**_: Any) -> list[checks.CheckMessage]:
    """This will warn of limits that no agent can ever reach, and of a lease nobody can keep."""
    found: list[checks.CheckMessage] = [
        checks.Warning(
            f"{name} is above KANBANAI_AGENT_SLOTS and limits nothing.", id="agents.W001"
        )
        for name in (
            "KANBANAI_AGENT_SLOTS_PER_PROJECT",
            "KANBANAI_AGENT_SLOTS_PER_PERSON",
            "KANBANAI_AGENT_SLOTS_PER_CREDENTIAL",
        )
        if getattr(settings, name) > settings.KANBANAI_AGENT_SLOTS
    ]
    if settings.KANBANAI_AGENT_IDLE_SECONDS > settings.KANBANAI_AGENT_TURN_SECONDS:
        found.append(
            checks.Warning(
                "KANBANAI_AGENT_IDLE_SECONDS is above KANBANAI_AGENT_TURN_SECONDS: a silent agent"
                " is only noticed when its turn is over.",
                id="agents.W002",
            )
        )
    return found


@checks.register()
def reasons_are_one_list(**_: Any) -> list[checks.CheckMessage]:
    """This will be an error when adapters know a failure that attempts cannot store or explain."""
    known = {str(reason) for reason in Reason}
    if failures.FAILURES == known == {str(reason) for reason in REMEDIES}:
        return []
    return [checks.Error("Failures of adapters and reasons of attempts differ.", id="agents.E001")]


@checks.register()
def providers_can_be_read(**_: Any) -> list[checks.CheckMessage]:
    """This will be an error for a setting of providers that says nothing sensible."""
    try:
        registry.providers()
    except ValueError as error:
        return [checks.Error(f"KANBANAI_PROVIDERS: {error}", id="agents.E002")]
    return []


@checks.register(checks.Tags.security, deploy=True)
def agents_are_confined(**_: Any) -> list[checks.CheckMessage]:
    """This will warn where agents may see all that the worker sees."""
    if settings.KANBANAI_SANDBOX != "none" and not settings.KANBANAI_ALLOW_UNSANDBOXED:
        return []
    return [
        checks.Warning(
            "Agents may run without a sandbox, and read what the worker can read.",
            id="agents.W003",
        )
    ]
