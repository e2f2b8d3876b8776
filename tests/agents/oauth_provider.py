"""The real OpenID provider of the accounts' tests, as a model provider that people log in at."""

from __future__ import annotations

from typing import Any

import httpx

from tests.accounts.provider import SECRET, Provider

CALLBACK = "http://testserver/api/credentials/oauth/callback"


def configured(provider: Provider, **changes: Any) -> dict[str, Any]:
    """The setting that makes it the login of Anthropic."""
    return {
        "anthropic": {
            "oauth": {
                "authorizeUrl": f"{provider.issuer}/auth",
                "tokenUrl": f"{provider.issuer}/token",
                "clientId": "kanban",
                "clientSecret": SECRET,
                "scope": "openid offline_access",
                "parameters": {"prompt": "consent"},
                **changes,
            }
        }
    }


def come_back(provider: Provider, location: str) -> str:
    """Follows the browser through the provider until it is sent back to us."""
    for _step in range(10):
        if location.startswith(CALLBACK):
            return location
        answer = provider.at.get(location)
        assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
        location = str(httpx.URL(location).join(answer.headers["Location"]))
    raise AssertionError(location)
