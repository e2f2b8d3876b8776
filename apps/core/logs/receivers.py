"""Where lines can be sent, and how a receiver says no."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

HTTP, OTLP, SYSLOG = "http", "otlp", "syslog"
SYSLOG_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}


@dataclass(frozen=True)
class Receiver:
    """Where lines go and from which level on."""

    kind: str
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    level: int = 20


class Failed(Exception):
    """The receiver did not take a batch; the same batch may be sent again after a while."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Refused(Exception):
    """The receiver will not take this batch, however often it is sent."""


def wrong_endpoint(kind: str, endpoint: str) -> str:
    """This will say what is wrong with a receiver's address; nothing where it can be used."""
    try:
        parts = urlsplit(endpoint)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "This is no address."
    schemes: tuple[str, ...] = ("http", "https")
    example = "https://host/path"
    if kind == SYSLOG:
        schemes = tuple(SYSLOG_PORTS)
        example = "udp://host:514, tcp://host:601 or tls://host:6514"
    is_plain = endpoint.isascii() and " " not in endpoint
    too_much = kind == SYSLOG and (parts.path not in {"", "/"} or parts.query)
    if parts.scheme not in schemes or not host or not is_plain or too_much:
        return f"Enter an address such as {example}."
    if "@" in parts.netloc:
        return "Put credentials into a header, not into the address."
    return ""
