"""Asking a provider over HTTP: bounded in time and size, and never sent on to another address."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

# For the whole exchange, however slowly the other side speaks.
SECONDS = 10.0
LARGEST_BYTES = 2 * 1024 * 1024


class NoAnswer(Exception):
    """Nobody answered, or not in time, or with too much; the text names no address and no key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Any:
        """This will read the body as JSON; None for anything else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def get(url: str, *, headers: Mapping[str, str], seconds: float = SECONDS) -> Answer:
    """This will fetch an address; NoAnswer when that does not work."""
    return asyncio.run(_ask("GET", url, headers=headers, form=None, seconds=seconds))


def post(
    url: str,
    *,
    form: Mapping[str, str],
    headers: Mapping[str, str],
    seconds: float = SECONDS,
) -> Answer:
    """This will post a form to an address; NoAnswer when that does not work."""
    return asyncio.run(_ask("POST", url, headers=headers, form=form, seconds=seconds))


async def _ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None,
    seconds: float,
) -> Answer:
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(follow_redirects=False, timeout=seconds) as client,
            client.stream(method, url, headers=dict(headers), data=dict(form or {})) as answer,
        ):
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > LARGEST_BYTES:
                    raise NoAnswer("The provider answered with too much.")
            return Answer(answer.status_code, answer.headers, body)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise NoAnswer("The provider did not answer in time.") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise NoAnswer("The provider cannot be reached.") from error
