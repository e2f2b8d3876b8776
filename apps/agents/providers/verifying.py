"""Whether a provider takes a key: its list of models is asked for, which costs nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from apps.agents.providers import wire
from apps.core import problems
from apps.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from apps.agents.providers.registry import Provider

OK, UNAUTHORIZED, FORBIDDEN, TOO_MANY = 200, 401, 403, 429
BAD_REQUEST = 400
LONGEST_WAIT = 86_400
# One provider answers 400 for a key it does not know, and says so in its words.
INVALID_WORDS = (b"API_KEY_INVALID", b"API key not valid")
WINDOWS = {"5h": "five_hour", "7d": "seven_day"}


class Window(TypedDict):
    """How much of a provider's own usage window is used up."""

    window: str
    usedPercent: float
    resetsAt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a provider is shown, and where. `key` is a secret."""

    key: str
    base_url: str
    is_token: bool

    def __repr__(self) -> str:
        return f"Proof(base_url={self.base_url!r}, is_token={self.is_token})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the provider said of a key."""

    valid: bool
    error: str = ""
    windows: tuple[Window, ...] = ()


def headers_for(provider: Provider, proof: Proof) -> dict[str, str]:
    """This will be the headers of a request with a key or a token."""
    headers = {"Accept": "application/json", **provider.headers}
    if proof.is_token:
        return {**headers, **provider.token_headers, "Authorization": f"Bearer {proof.key}"}
    if not proof.key:
        return headers
    if provider.proof == "bearer":
        return {**headers, "Authorization": f"Bearer {proof.key}"}
    return {**headers, provider.proof: proof.key}


def verify(provider: Provider, proof: Proof) -> Verdict:
    """This will ask the provider for its models.

    Raises:
        Upstream: 502 when it cannot be reached, or answers with something else.
        RateLimited: 429 with `Retry-After` when it wants to be left alone; that says nothing of
            the key.
    """
    try:
        answer = wire.get(proof.base_url + provider.models, headers=headers_for(provider, proof))
    except wire.NoAnswer as error:
        raise problems.Upstream(str(error)) from error
    if answer.status == UNAUTHORIZED or _names_key_invalid(answer):
        return Verdict(valid=False, error=f"{provider.label} does not know this key.")
    if answer.status == FORBIDDEN:
        return Verdict(valid=False, error=f"{provider.label} does not allow this key to be used.")
    if answer.status == TOO_MANY:
        message = f"{provider.label} wants to be asked later. Nothing is known of the key."
        raise problems.RateLimited(message, headers={"Retry-After": _wait(answer.headers)})
    if answer.status != OK:
        message = f"{provider.label} answered {answer.status} instead of its list of models."
        raise problems.Upstream(message)
    if not _lists_models(answer.document()):
        raise problems.Upstream(f"{provider.label} did not answer with a list of models.")
    return Verdict(valid=True, windows=tuple(windows_of_headers(answer.headers)))


def _names_key_invalid(answer: wire.Answer) -> bool:
    return answer.status == BAD_REQUEST and any(words in answer.body for words in INVALID_WORDS)


def _lists_models(found: Any) -> bool:
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    return isinstance(found, list)


def _wait(headers: Mapping[str, str]) -> str:
    said = headers.get("retry-after", "")
    return str(min(int(said), LONGEST_WAIT)) if said.isdecimal() and len(said) < 10 else "60"  # noqa: PLR2004 - digits of any sensible number


def windows_of_headers(headers: Mapping[str, str]) -> list[Window]:
    """This will read the usage windows that come along with a provider's answers."""
    found: list[Window] = []
    for name in WINDOWS:
        used = _number(headers.get(f"anthropic-ratelimit-unified-{name}-utilization"))
        if used is not None:
            resets = headers.get(f"anthropic-ratelimit-unified-{name}-reset")
            found.append(_window(name, used * 100, resets))
    return found


def fetch_windows(provider: Provider, proof: Proof) -> list[Window] | None:
    """This will ask a provider how far its windows are used; None when it does not say."""
    try:
        answer = wire.get(provider.usage_url, headers=headers_for(provider, proof))
    except wire.NoAnswer:
        return None
    said = answer.document()
    if answer.status != OK or not isinstance(said, dict):
        return None
    found: list[Window] = []
    for name, key in WINDOWS.items():
        values = said.get(key)
        if not isinstance(values, dict):
            continue
        used = _number(values.get("utilization"))
        if used is not None:
            found.append(_window(name, used, values.get("resets_at")))
    return found


def _window(name: str, percent: float, resets: object) -> Window:
    return {
        "window": name,
        "usedPercent": round(min(max(percent, 0.0), 100.0), 1),
        "resetsAt": _moment(resets),
    }


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number == number and abs(number) < 1e6 else None  # noqa: PLR0124, PLR2004 - neither nan nor nonsense


def _moment(value: object) -> str | None:
    """Seconds since 1970, or an ISO time."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        seconds = None
    try:
        if seconds is not None:
            return moment(dt.datetime.fromtimestamp(seconds, dt.UTC))
        said = dt.datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment(said if said.tzinfo else said.replace(tzinfo=dt.UTC))
