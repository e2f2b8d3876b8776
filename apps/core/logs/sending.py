"""Ways to another system: HTTP with JSON, OTLP over HTTP, and syslog over UDP, TCP and TLS."""

from __future__ import annotations

import json
import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import httpx

from apps.core.logs import otlp, syslog
from apps.core.logs.receivers import OTLP, SYSLOG, SYSLOG_PORTS, Failed, Receiver, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.core.logs.entries import Entry

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
MOST_ANSWER_BYTES = 64 * 1024
OTLP_PATH = "/v1/logs"
# What the OTLP specification lets be sent again; a plain HTTP receiver may also fail for a moment.
OTLP_AGAIN = frozenset({429, 502, 503, 504})


class Sender(Protocol):
    """A connection to a receiver."""

    def send(self, entries: Sequence[Entry]) -> str:
        """This will send a batch and say how it went; Failed or Refused."""

    def close(self) -> None:
        """This will let go of the connection."""


def open_sender(receiver: Receiver) -> Sender:
    """This will give the way to a receiver; nothing is opened yet."""
    if receiver.kind == SYSLOG:
        return SyslogSender(receiver)
    return HttpSender(receiver)


class HttpSender:
    """One POST for each batch."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.is_otlp = receiver.kind == OTLP
        self.url = receiver.endpoint
        if self.is_otlp and urlsplit(self.url).path in {"", "/"}:
            self.url = urlsplit(self.url)._replace(path=OTLP_PATH).geturl()
        self._client = httpx.Client(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS), follow_redirects=False
        )

    def send(self, entries: Sequence[Entry]) -> str:
        """This will post a batch as one JSON document."""
        document = otlp.request(entries) if self.is_otlp else [entry.shown() for entry in entries]
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {**self.receiver.headers, "Content-Type": "application/json"}
        try:
            with self._client.stream("POST", self.url, content=body, headers=headers) as response:
                answer = _beginning(response)
        except httpx.TimeoutException as error:
            message = "The receiver did not answer in time."
            raise Failed(message) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            message = f"The receiver cannot be reached: {_reason(error)}."
            raise Failed(message) from error
        self._judge(response)
        rejected = otlp.rejected(answer) if self.is_otlp else 0
        if rejected:
            message = f"The receiver rejected {rejected} of {len(entries)} records."
            raise Refused(message)
        return f"The receiver answered {response.status_code}."

    def _judge(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        said = f"The receiver answered {status}{_phrase(status)}."
        if status in OTLP_AGAIN or (
            not self.is_otlp and (status == HTTPStatus.REQUEST_TIMEOUT or status >= 500)  # noqa: PLR2004
        ):
            raise Failed(said, wait=_wait(response.headers.get("Retry-After", "")))
        raise Refused(said)

    def close(self) -> None:
        """This will close what is open."""
        self._client.close()


def _beginning(response: httpx.Response) -> bytes:
    answer = b""
    for part in response.iter_bytes():
        answer += part
        if len(answer) >= MOST_ANSWER_BYTES:
            break
    return answer[:MOST_ANSWER_BYTES]


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _wait(text: str) -> float:
    return float(min(int(text), 300)) if text.isascii() and text.isdigit() else 0.0


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


class SyslogSender:
    """RFC 5424 messages: a datagram each over UDP, counted octets over TCP and TLS (RFC 6587)."""

    def __init__(self, receiver: Receiver) -> None:
        parts = urlsplit(receiver.endpoint)
        self.scheme = parts.scheme
        self.host = parts.hostname or ""
        self.port = parts.port or SYSLOG_PORTS[parts.scheme]
        self._socket: socket.socket | None = None

    def send(self, entries: Sequence[Entry]) -> str:
        """This will write a batch; over UDP nobody says whether it arrived."""
        try:
            if self.scheme == "udp":
                connection = self._opened()
                for entry in entries:
                    connection.send(syslog.message(entry)[: syslog.MOST_DATAGRAM_BYTES])
                return "Sent; UDP does not say whether it arrived."
            data = b"".join(syslog.counted(syslog.message(entry)) for entry in entries)
            self._write(data)
        except TimeoutError as error:
            self.close()
            message = "The receiver did not take it in time."
            raise Failed(message) from error
        except (OSError, ValueError) as error:
            self.close()
            message = f"The receiver cannot be reached: {_reason(error)}."
            raise Failed(message) from error
        return "The receiver took it."

    def _write(self, data: bytes) -> None:
        is_used = self._socket is not None
        connection = self._opened()
        if is_used and _has_ended(connection):
            # It was closed while nothing was said; what is written into it would be lost.
            self.close()
            connection = self._opened()
        connection.sendall(data)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._open()
        return self._socket

    def _open(self) -> socket.socket:
        if self.scheme == "udp":
            family, kind, proto, _name, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_DGRAM
            )[0]
            datagrams = socket.socket(family, kind, proto)
            datagrams.settimeout(CONNECT_SECONDS)
            datagrams.connect(address)
            return datagrams
        plain = socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS)
        plain.settimeout(ANSWER_SECONDS)
        if self.scheme == "tcp":
            return plain
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def close(self) -> None:
        """This will close what is open."""
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()


def _has_ended(connection: socket.socket) -> bool:
    """True when the other side has closed; a syslog receiver never says anything else."""
    timeout = connection.gettimeout()
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(timeout)
