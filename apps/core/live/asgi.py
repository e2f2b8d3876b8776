"""The shapes of ASGI, and what is read from a connection's scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str:
    """This will read a request header by its lower-case name; empty when it is missing."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin1")
    return ""


def query(scope: Scope) -> dict[str, str]:
    """This will read the query string; of a repeated name the last value counts."""
    text = bytes(scope.get("query_string", b"")).decode("latin1")
    try:
        pairs = parse_qs(text, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in pairs.items()}
