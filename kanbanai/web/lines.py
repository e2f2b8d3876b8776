"""Connections that stay: what sockets and event streams have in common, and event streams.

Both leave Twisted's HTTP machinery behind once their request is read. It is much to hold for each
of thousands of silent connections, and what is written would pass through it every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from daphne.utils import parse_x_forwarded_for
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from kanbanai.web.asgi_types import Message
from kanbanai.web.waiting import Flow

if TYPE_CHECKING:
    from kanbanai.web.server import WebServer


@implementer(IPullProducer)
class Line(Protocol):
    """A connection that is written to at once, past the event loop, while its client keeps up."""

    # Set before anything comes, and more than what interfaces say of it: a TCP connection.
    transport: Any

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.flow = Flow()
        # Called when the client takes more again, after `write` said that it does not.
        self.freed: Callable[[], None] | None = None

    def ends(self, headers: list[tuple[bytes, bytes]]) -> tuple[dict[str, Any], str]:
        """This will give both ends of the connection, as ASGI has them, and the scheme."""
        peer, host = self.transport.getPeer(), self.transport.getHost()
        client: Any = [str(peer.host), peer.port]
        scheme: str | None = None
        if self.server.proxy_forwarded_address_header:
            client, scheme = parse_x_forwarded_for(
                dict(headers),
                self.server.proxy_forwarded_address_header,
                self.server.proxy_forwarded_port_header,
                self.server.proxy_forwarded_proto_header,
                client,
            )
        return {"client": client, "server": [str(host.host), host.port]}, scheme or "http"

    def take_over(self) -> None:
        """This will make the transport say when it has nothing left to write."""
        # Small events go out at once instead of waiting for the answer to the last ones.
        self.transport.setTcpNoDelay(True)
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, False)

    def write(self, data: bytes) -> bool:
        """This will send bytes, in order; False when the client has to catch up first."""
        if self.flow.blocked:
            self.transport.write(data)
            return False
        if not self.transport.connected:
            return True
        try:
            sent = self.transport.getHandle().send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # The transport finds out in a moment, when it reads.
            return True
        if sent == len(data):
            return True
        self.flow.pause()
        self.transport.write(data[sent:])
        return False

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """This will be called when the client has taken everything."""
        if self.flow.blocked:
            self.flow.resume()
            if self.freed is not None:
                self.freed()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """This will be called when the connection is lost."""

    def hang_up(self) -> None:
        """This will close the connection when everything is written."""
        # With a producer the transport would wait for more.
        self.transport.unregisterProducer()
        self.transport.loseConnection()


class Stream(Line):
    """The answer to one request for an event stream; it ends with its connection."""

    def __init__(self, server: WebServer) -> None:
        super().__init__(server)
        self.path = ""
        self.inbox: Any = None
        self.status = 0
        self.sent = 0
        self.since = time.monotonic()
        self._over = False

    def begin(self, target: bytes, path: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """This will run the application for a request whose transport is ours now."""
        self.server.protocol_connected(self)
        self.take_over()
        self.path = path.decode("ascii")
        ends, scheme = self.ends(headers)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": self.path,
            "raw_path": path,
            "root_path": "",
            "scheme": scheme,
            "query_string": target.partition(b"?")[2],
            "headers": headers,
            **ends,
            "extensions": {"kanbanai.wire": self},
        }
        self.inbox = self.server.create_application(self, scope)
        self.inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def dataReceived(self, _data: bytes) -> None:  # noqa: N802 - Twisted's name
        """This will pass over what a client says after its request: it hears, no more."""

    def connectionLost(self, _reason: Any = None) -> None:  # noqa: N802 - Twisted's name
        """This will tell the application that the client is gone."""
        self.freed = None
        self.flow.resume()
        if self.inbox is not None:
            self.inbox.put_nowait({"type": "http.disconnect"})
        self.server.protocol_disconnected(self)

    def handle_reply(self, message: Message) -> None:
        """This will write what the application says."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
            lines += [name + b": " + value for name, value in message.get("headers") or []]
            lines += [b"connection: close", b"", b""]
            self.write(b"\r\n".join(lines))
            return
        body = message.get("body", b"")
        if body:
            self.sent += len(body)
            self.write(body)
        if not message.get("more_body", False):
            self._end()

    def _end(self) -> None:
        self._over = True
        self.hang_up()
        self.server.log_action(
            "http",
            "complete",
            {
                "path": self.path,
                "status": self.status,
                "method": "GET",
                "time_taken": time.monotonic() - self.since,
                "size": self.sent,
            },
        )

    def handle_exception(self, _exception: BaseException) -> None:
        """This will end the answer of an application that failed."""
        if not self.status:
            self.handle_reply({"type": "http.response.start", "status": 500})
        if not self._over:
            self._end()

    def check_timeouts(self) -> None:
        """This will be called every two seconds; a stream has its own heartbeat."""

    def __repr__(self) -> str:
        """Without the query string: it may carry a token, and this is written to the log."""
        return f"<Stream {self.path!r}>"
