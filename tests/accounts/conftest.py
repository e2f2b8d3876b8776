"""The identity provider, for those tests that sign in there."""

from __future__ import annotations

from tests.accounts.provider import configuration, provider, running_provider

__all__ = ["configuration", "provider", "running_provider"]
