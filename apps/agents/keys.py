"""Which credential an agent works with, and what is known of each; secrets are not read here.

A card's own choice comes first, then the project's, then the organization's; where nobody chose,
the only credential that fits the agent is taken. A choice that does not fit the agent (the key of
another provider) is passed over.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.utils import timezone

from apps.agents.adapters import presets
from apps.agents.login_tables import CredentialLogin
from apps.agents.models import Credential, Turn
from apps.agents.providers import registry
from apps.agents.usage_tables import CredentialUse
from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from apps.agents.adapters.presets import Preset
    from apps.agents.conversation_tables import Conversation
    from apps.agents.models import AgentProfile, Attempt
    from apps.agents.outputs.credentials import Used
    from apps.boards.models import Card
    from apps.projects.models import Project

USABLE = frozenset({Credential.Status.UNVERIFIED, Credential.Status.VALID})
WINDOWS = {"5h": dt.timedelta(hours=5), "7d": dt.timedelta(days=7)}
_SECRETS = ("secret", "refresh_token")


def is_usable(credential: Credential) -> bool:
    """True for what an agent can be given: a key that nobody refused, or a login that is done."""
    if credential.status not in USABLE:
        return False
    provider = registry.find(credential.provider)
    return provider is not None and (bool(credential.hint) or provider.keyless)


def fits(credential: Credential, preset: Preset) -> bool:
    """True for an agent that knows what to do with a key of this provider."""
    provider = registry.find(credential.provider)
    return provider is not None and provider.family in preset.providers


def brings_own(profile: AgentProfile | None) -> bool:
    """True for a profile that names its own key: no other is handed over then."""
    return profile is not None and bool(profile.config.get("apiKey"))


def _has_variables(profile: AgentProfile | None, preset: Preset) -> bool:
    found = profile.config.get("env") if profile is not None else None
    names = {one.api_key for one in preset.providers.values()}
    return isinstance(found, dict) and bool(names & set(found))


@dataclass(frozen=True)
class Ring:
    """All credentials as they are now, read once for many questions."""

    by_id: Mapping[UUID, Credential]

    @classmethod
    def read(cls) -> Self:
        """This will read them, without what they hold."""
        return cls({row.pk: row for row in Credential.objects.defer(*_SECRETS)})

    def chosen(
        self, card: Card, agent: str, *, profile: AgentProfile | None = None
    ) -> Credential | None:
        """This will be the credential for an agent on a card (read with project and organization).

        It may be one that is not usable: somebody chose it, and nobody else's is taken instead.
        """
        preset = presets.find(agent)
        if preset is None or brings_own(profile):
            return None
        return self._first((card.credential_id, *_levels(card.project)), preset)

    def chosen_for_project(self, project: Project, preset: Preset) -> Credential | None:
        """This will be the credential for an agent on a card that has none of its own."""
        return self._first(_levels(project), preset)

    def _first(self, levels: Iterable[UUID | None], preset: Preset) -> Credential | None:
        for key in levels:
            found = self.by_id.get(key) if key is not None else None
            if found is not None and fits(found, preset):
                return found
        return self.only_one(preset)

    def only_one(self, preset: Preset) -> Credential | None:
        """This will be the only usable credential that fits; scripts are given none unasked."""
        if preset.family == "command":
            return None
        fitting = [one for one in self.by_id.values() if fits(one, preset) and is_usable(one)]
        return fitting[0] if len(fitting) == 1 else None


def _levels(project: Project) -> tuple[UUID | None, UUID | None]:
    organization = project.organization
    default = organization.default_credential_id if organization is not None else None
    return project.credential_id, default


def can_work(agent: str, project: Project) -> bool:
    """True for an agent that has a usable key on a card of the project."""
    preset = presets.find(agent)
    found = Ring.read().chosen_for_project(project, preset) if preset is not None else None
    return found is not None and is_usable(found)


def chosen_for(attempt: Attempt, ring: Ring) -> Credential | None:
    """This will be the credential for an attempt's next turn."""
    profile = attempt.profile if attempt.profile_id is not None else None
    return ring.chosen(attempt.card, attempt.agent, profile=profile)


def chosen_to_talk(conversation: Conversation, ring: Ring) -> Credential | None:
    """This will be the credential for the next answer in a conversation."""
    rows = type(conversation).objects.select_related(
        "project__organization", "card__project__organization", "profile"
    )
    row = rows.get(pk=conversation.pk)
    preset = presets.find(row.agent)
    if preset is None or brings_own(row.profile):
        return None
    if row.card is not None:
        return ring.chosen(row.card, row.agent, profile=row.profile)
    return ring.chosen_for_project(row.project, preset)


def require_key(card: Card, agent: str, *, profile: AgentProfile | None = None) -> None:
    """This will raise Conflict where an agent has no key it could work with.

    CREDENTIAL_INVALID: the chosen one does not work. CREDENTIAL_REQUIRED: there is none.
    """
    preset = presets.find(agent)
    if preset is None or not preset.providers or brings_own(profile):
        return
    found = Ring.read().chosen(card, agent, profile=profile)
    if found is not None and not is_usable(found):
        message = f"The credential “{found.name}” cannot be used: {why_not(found)}"
        raise problems.Conflict(message, code="CREDENTIAL_INVALID")
    if found is None:
        require_own(agent, profile)


def require_own(agent: str, profile: AgentProfile | None) -> None:
    """This will raise Conflict for an agent that is given no credential and cannot go without."""
    preset = presets.find(agent)
    if preset is None or not preset.needs_credential or brings_own(profile):
        return
    if not _has_variables(profile, preset):
        message = f"{preset.label} needs a credential: choose one for the card or the project."
        raise problems.Conflict(message, code="CREDENTIAL_REQUIRED")


def why_not(credential: Credential) -> str:
    """This will say in a sentence why a credential cannot be used."""
    match credential.status:
        case Credential.Status.PENDING:
            return "its login is not completed."
        case Credential.Status.FAILED | Credential.Status.EXPIRED:
            return "its login did not work."
        case Credential.Status.INVALID:
            return credential.error or "the provider refused it."
        case _ if registry.find(credential.provider) is None:
            return "its provider is not configured any more."
    return "no key is stored."


def credentials() -> list[Credential]:
    """This will list all credentials, oldest first."""
    return list(Credential.objects.defer(*_SECRETS).order_by("created_at", "pk"))


def get_credential(credential_id: UUID) -> Credential:
    """This will find a credential; everybody may know that it exists."""
    found = Credential.objects.defer(*_SECRETS).filter(pk=credential_id).first()
    if found is None:
        message = "Credential not found."
        raise problems.NotFound(message)
    return found


def newest_login(credential: Credential) -> CredentialLogin:
    """This will find the last login that was begun for a credential; 409 for a key."""
    found = credential.logins.defer("verifier").order_by("-pk").first()
    if found is None:
        message = "This credential is a key: nobody logs in for it."
        raise problems.Conflict(message)
    return found


def used_by(credential: Credential) -> tuple[Used, dict[str, Used]]:
    """This will add up what was used with a credential: in all, and in each window.

    Turns of attempts, answers in conversations, and asides; a session is an attempt or a
    conversation, counted once.
    """
    now = timezone.now()
    turns = Turn.objects.filter(credential_id=credential.pk, started_at__isnull=False)
    uses = CredentialUse.objects.filter(credential_id=credential.pk)
    of_turns: dict[str, Any] = {}
    of_uses: dict[str, Any] = {}
    for name, window in (("all", None), *WINDOWS.items()):
        inside = Q() if window is None else Q(ended_at__isnull=True) | Q(ended_at__gte=now - window)
        # An attempt that was asked aside may have had a turn within the window as well.
        counted = Exists(turns.filter(inside, attempt_id=OuterRef("subject")))
        uses = uses.alias(**{f"counted_{name}": counted})
        apart = inside & Q(**{f"counted_{name}": False})
        of_turns |= _sums(name, inside) | {
            f"x{name}_sessions": Count("attempt", distinct=True, filter=inside)
        }
        of_uses |= _sums(name, inside) | {
            f"x{name}_sessions": Count("subject", distinct=True, filter=apart)
        }
    found = [turns.aggregate(**of_turns), uses.aggregate(**of_uses)]
    shown = {name: _used(found, name) for name in ("all", *WINDOWS)}
    return shown.pop("all"), shown


def _sums(name: str, inside: Q) -> dict[str, Any]:
    return {
        f"x{name}_input": Sum("input_tokens", filter=inside, default=0),
        f"x{name}_output": Sum("output_tokens", filter=inside, default=0),
        f"x{name}_cost": Sum("cost_usd", filter=inside, default=0),
    }


def _used(found: Iterable[Mapping[str, Any]], name: str) -> Used:
    rows = list(found)
    return {
        "sessions": sum(row[f"x{name}_sessions"] for row in rows),
        "inputTokens": sum(row[f"x{name}_input"] for row in rows),
        "outputTokens": sum(row[f"x{name}_output"] for row in rows),
        "costUsd": float(sum(row[f"x{name}_cost"] for row in rows)),
    }
