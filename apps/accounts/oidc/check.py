"""Trying a configuration out without signing anybody in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.accounts.oidc import discovery, keys
from apps.accounts.oidc.refusals import Refused

if TYPE_CHECKING:
    from apps.accounts.models import OidcConfiguration


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: the provider's name for itself, and what is wrong, None for nothing."""

    issuer: str | None
    error: str | None


def run(configuration: OidcConfiguration | None) -> Report:
    """This will ask the provider for what it publishes and for its keys, past every cache."""
    if configuration is None:
        return Report(None, "No identity provider is set up.")
    try:
        provider = discovery.fetch(configuration.issuer_url)
    except Refused as refusal:
        return Report(None, refusal.detail)
    try:
        keys.fetch(provider.jwks_uri)
    except Refused as refusal:
        return Report(provider.issuer, refusal.detail)
    return Report(provider.issuer, None)
