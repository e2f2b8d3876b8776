"""The model providers a credential can be of: a few are known, the setting adds and changes some.

`KANBANAI_PROVIDERS` is a JSON object by provider. `baseUrl` moves a provider, `usageUrl` and
`oauth` say how its logins work; a provider that is not known here says with `like` whose way it
speaks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

# How a provider wants to be shown a key; access tokens are always shown as bearers.
Proof = Literal["bearer", "x-api-key", "x-goog-api-key"]

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
KNOWN_FIELDS = frozenset({"label", "like", "baseUrl", "usageUrl", "keyPrefix", "oauth"})
OAUTH_FIELDS = frozenset(
    {"authorizeUrl", "tokenUrl", "clientId", "clientSecret", "clientAuth", "scope", "parameters"}
)


@dataclass(frozen=True, kw_only=True)
class OAuth:
    """Where and as whom people log in at a provider."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    # How this server proves itself at the token address; without a secret it only names itself.
    client_auth: Literal["basic", "post"] = "basic"
    scope: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What is to be known of a provider.

    `family` is the word by which presets of agents know how to hand its key over. `models` is the
    path of its list of models, under its address.
    """

    id: str
    label: str
    family: str
    models: str
    base_url: str = ""
    proof: Proof = "bearer"
    headers: Mapping[str, str] = field(default_factory=dict)
    # Of requests that are made with a token of a login.
    token_headers: Mapping[str, str] = field(default_factory=dict)
    key_prefix: str = ""
    # A server of one's own may want no key.
    keyless: bool = False
    # The address was moved by the setting: agents have to be told.
    moved: bool = False
    usage_url: str = ""
    oauth: OAuth | None = None


ANTHROPIC = Provider(
    id="anthropic",
    label="Anthropic",
    family="anthropic",
    base_url="https://api.anthropic.com",
    models="/v1/models",
    proof="x-api-key",
    headers={"anthropic-version": "2023-06-01"},
    token_headers={"anthropic-beta": "oauth-2025-04-20"},
    key_prefix="sk-ant-",
)
OPENAI = Provider(
    id="openai",
    label="OpenAI",
    family="openai",
    base_url="https://api.openai.com/v1",
    models="/models",
    key_prefix="sk-",
)
COMPATIBLE = Provider(
    id="openai-compatible",
    label="OpenAI-compatible server",
    family="openai",
    models="/models",
    keyless=True,
)
GEMINI = Provider(
    id="gemini",
    label="Google Gemini",
    family="google",
    base_url="https://generativelanguage.googleapis.com",
    models="/v1beta/models",
    proof="x-goog-api-key",
)
MISTRAL = Provider(
    id="mistral",
    label="Mistral",
    family="mistral",
    base_url="https://api.mistral.ai/v1",
    models="/models",
)
BUILT_IN = {one.id: one for one in (ANTHROPIC, OPENAI, COMPATIBLE, GEMINI, MISTRAL)}


def providers() -> dict[str, Provider]:
    """This will give every provider there is, by id."""
    return _providers(json.dumps(settings.KANBANAI_PROVIDERS, sort_keys=True))


def find(provider_id: str) -> Provider | None:
    """This will be the provider of that id, or None."""
    return providers().get(provider_id)


@lru_cache(maxsize=8)
def _providers(configured: str) -> dict[str, Provider]:
    return read(json.loads(configured))


def read(configured: Mapping[str, Any]) -> dict[str, Provider]:
    """This will lay the setting over what is built in; a ValueError with one sentence else."""
    found = dict(BUILT_IN)
    for name, values in configured.items():
        if not ID.fullmatch(name) or not isinstance(values, dict):
            raise ValueError(f"“{name}” is no provider: a short name and an object are needed.")
        _require_known(name, values, KNOWN_FIELDS)
        found[name] = _changed(_base(name, values), values)
    return found


def _base(name: str, values: Mapping[str, Any]) -> Provider:
    if name in BUILT_IN:
        return BUILT_IN[name]
    like = BUILT_IN.get(str(values.get("like", "")))
    if like is None:
        known = ", ".join(BUILT_IN)
        raise ValueError(f"Provider “{name}” must say with `like` which it speaks as: {known}.")
    return replace(like, id=name, label=name, base_url="", key_prefix="")


def _changed(base: Provider, values: Mapping[str, Any]) -> Provider:
    changes: dict[str, Any] = {}
    if values.get("label"):
        changes["label"] = str(values["label"])
    if "keyPrefix" in values:
        changes["key_prefix"] = str(values["keyPrefix"])
    if values.get("baseUrl"):
        changes["base_url"] = _address(base.id, "baseUrl", values["baseUrl"])
        changes["moved"] = True
    if values.get("usageUrl"):
        changes["usage_url"] = _address(base.id, "usageUrl", values["usageUrl"])
    if values.get("oauth"):
        changes["oauth"] = _oauth(base.id, values["oauth"])
    return replace(base, **changes)


def _oauth(name: str, values: Any) -> OAuth:
    if not isinstance(values, dict):
        raise ValueError(f"The login of provider “{name}” must be an object.")  # noqa: TRY004
    _require_known(name, values, OAUTH_FIELDS)
    if not values.get("clientId"):
        raise ValueError(f"The login of provider “{name}” needs a clientId.")
    way = values.get("clientAuth", "basic")
    if way not in {"basic", "post"}:
        raise ValueError(f"The clientAuth of provider “{name}” must be basic or post.")
    parameters = values.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise ValueError(f"The parameters of provider “{name}” must be an object.")  # noqa: TRY004
    return OAuth(
        authorize_url=_address(name, "authorizeUrl", values.get("authorizeUrl")),
        token_url=_address(name, "tokenUrl", values.get("tokenUrl")),
        client_id=str(values["clientId"]),
        client_secret=str(values.get("clientSecret") or ""),
        client_auth=way,
        scope=str(values.get("scope") or ""),
        parameters={str(key): str(value) for key, value in parameters.items()},
    )


def _require_known(name: str, values: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"Provider “{name}” has unknown settings: {', '.join(unknown)}.")


def _address(name: str, key: str, value: object) -> str:
    wrong = address_problem(value)
    if wrong:
        raise ValueError(f"The {key} of provider “{name}” does not work: {wrong}")
    return str(value).rstrip("/")


def address_problem(value: object) -> str:
    """This will say what is wrong with an address that keys are to be sent to, or nothing."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return "It must be an address of plain characters."
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "It is no address."
    if parts.scheme not in {"http", "https"} or not host or " " in value:
        return "It must begin with http:// or https:// and name a host."
    if parts.username is not None or parts.password is not None:
        return "A name or password does not belong in it."
    if parts.query or parts.fragment:
        return "It must end before any ? or #."
    return ""


def key_problem(provider: Provider, key: str) -> str:
    """This will say why a text can be no key of a provider, or nothing."""
    if not key.isascii() or not key.isprintable() or " " in key:
        return "A key has letters, digits and signs only, and no spaces."
    if provider.key_prefix and not key.startswith(provider.key_prefix):
        return f"A key of {provider.label} begins with {provider.key_prefix}."
    return ""
