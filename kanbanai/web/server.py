"""Daphne, completed: sockets of our own, back-pressure, limits, a log without tokens.

Three ASGI extensions are offered:

* `websocket.http.response`, as the ASGI specification has it: an HTTP answer instead of a socket.
* `kanbanai.whole`, to requests: a function that sends an answer of one part with one call, and
  gives False where that cannot be.
* `kanbanai.wire`, to sockets and event streams: an object whose `write(data)` sends bytes at once
  (whole frames, or parts of an answer that has begun), without a coroutine for each client. It
  gives False when the client has to catch up; then its `freed` is called when it has.

`await send(...)` waits while a client does not read, where plain Daphne would keep everything that
is sent to it in memory.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from typing import Any

import structlog
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from twisted.internet import defer, reactor
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from kanbanai.web.asgi_types import Message
from kanbanai.web.bridge import Bridge
from kanbanai.web.lines import Stream
from kanbanai.web.waiting import Flow, Inbox
from kanbanai.web.websocket import Socket

access_log = structlog.get_logger("kanbanai.access")

# Requests that are being answered when the process is told to stop have this long to finish.
GRACE_SECONDS = 3.0


@implementer(IPushProducer)
class Request(WebRequest):
    """An HTTP request with a limit for its body, whose answer waits for a slow client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flow = Flow()
        self.received_bytes = 0

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """This will refuse a body that says it is too large before it is read."""
        super().gotLength(length)
        if length is not None and length > self.server.max_body_bytes:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """This will refuse a body that turns out too large."""
        self.received_bytes += len(data)
        if self.received_bytes > self.server.max_body_bytes:
            self._refuse_body()
        else:
            super().handleContentChunk(data)

    def _refuse_body(self) -> None:
        if self.channel is None:
            return
        body = b"The request is larger than this server takes."
        head = (
            "HTTP/1.1 413 Content Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.channel.transport.write(head.encode() + body)
        self.channel.loseConnection()

    def process(self) -> Any:
        """This will watch how fast the client reads before the application starts to answer."""
        path = self.uri.partition(b"?")[0]
        if self.method == b"GET" and path.decode("latin1") in self.server.streams:
            return self._hand_over(path)
        upgrade = self.requestHeaders.getRawHeaders(b"Upgrade", [b""])[0].lower()
        if upgrade != b"websocket":
            self.registerProducer(self, True)
        return super().process()

    def _hand_over(self, path: bytes) -> None:
        """Gives the connection to an event stream: nothing of this request is needed for it."""
        stream = Stream(self.server)
        headers = [
            (name.lower(), value)
            for name, values in self.requestHeaders.getAllRawHeaders()
            if b"_" not in name
            for value in values
        ]
        transport: Any = self.channel.transport
        self.transport = None
        transport.protocol = stream
        stream.makeConnection(transport)
        self.server.protocol_disconnected(self)
        self.channel._networkProducer.resumeProducing()  # noqa: SLF001 - Daphne does the same
        stream.begin(self.uri, path, headers)

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """This will be called when too much is waiting for the client."""
        self.flow.pause()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """This will be called when the client has caught up."""
        self.flow.resume()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """This will be called when the connection is lost."""
        self.flow.resume()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - Twisted's name
        """This will let a waiting sender go."""
        self.flow.resume()
        super().connectionLost(reason)

    def finish(self) -> None:
        """This will end the answer."""
        if self.producer is self:
            self.unregisterProducer()
        super().finish()

    def send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """This will send a whole answer at once; False, and nothing sent, for unusual ones.

        Usual is what says its length and does not end the connection, to a client that has taken
        all that was sent before. It goes to the kernel with one call, as what sockets hear does.
        """
        channel = self.channel
        if self.finished or channel is None or not channel.persistent:
            return False
        transport = channel.transport
        length = [value for name, value in headers if name == b"content-length"]
        if length != [b"%d" % len(body)] or transport.dataBuffer or transport._tempDataBuffer:  # noqa: SLF001 - nobody else knows
            return False
        self.setResponseCode(status)
        lines = [b"%s %d %s" % (self.clientproto, status, self.code_message)]
        lines += [b"%s: %s" % header for header in headers]
        data = b"\r\n".join([*lines, b"", body])
        self.startedWriting, self.sentLength = 1, len(body)
        try:
            sent = transport.getHandle().send(data)
        except OSError:
            # The transport waits for room, or finds out in a moment that nobody is there.
            sent = 0
        if sent < len(data):
            transport.write(data[sent:])
        self.finish()
        self.server.log_action(
            "http",
            "complete",
            {
                "path": self.uri.decode("latin1"),
                "status": status,
                "method": self.method.decode("latin1"),
                "time_taken": self.duration(),
                "size": len(body),
            },
        )
        return True

    def __repr__(self) -> str:
        """Without the query string: it may carry a token, and this is written to the log."""
        path = self.path.decode("ascii", "replace") if isinstance(self.path, bytes) else self.path
        return f"<Request {self.method!r} {path!r}>"


class SocketFactory:
    """Makes our sockets where Daphne would make its own."""

    def __init__(self, server: WebServer) -> None:
        self._server = server

    def buildProtocol(self, _address: Any) -> Socket:  # noqa: N802 - Twisted's name
        """This will make the protocol of one socket."""
        return Socket(self._server)


class RequestFactory(HTTPFactory):
    """Makes our requests where Daphne would make its own."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """This will make the protocol of one connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol

    def log(self, _request: Any) -> None:
        """This will leave out Twisted's own line of each request, which nobody reads."""


class WebServer(Server):
    """One web process on a listening socket that it was handed or opened itself."""

    def __init__(
        self,
        application: Any,
        *,
        bridge: Bridge,
        listener: socket.socket,
        behind_proxy: bool,
        streams: Collection[str] = (),
    ) -> None:
        super().__init__(
            application,
            # Daphne insists on an endpoint; the listening socket is adopted instead.
            endpoints=["adopted"],
            action_logger=write_access_line,
            request_buffer_size=256 * 1024,
            # A board stays open for weeks; clients that are gone are found by the pings.
            websocket_timeout=-1,
            proxy_forwarded_address_header="X-Forwarded-For" if behind_proxy else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if behind_proxy else None,
            ready_callable=self._listen,
            server_name="",
            verbosity=0,
        )
        self.endpoints: list[str] = []
        self.bridge = bridge
        self.streams = streams
        self.max_body_bytes = bridge.max_body_bytes
        self._listener = listener
        self._port: Any = None

    def _listen(self) -> None:
        self.http_factory = RequestFactory(self)
        self.ws_factory = SocketFactory(self)
        self._port = reactor.adoptStreamPort(
            self._listener.fileno(), self._listener.family, self.http_factory
        )
        # Twisted has a copy. With a second one the kernel would go on to deal connections to us
        # after we have stopped to take them.
        self._listener.close()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Inbox | None:
        """This will run the application for a connection and give the way to tell it things."""
        details = self.connections.get(protocol)
        if details is None:
            return None
        inbox, flow = Inbox(), protocol.flow
        scope["asgi"] = {"version": "3.0"}
        if isinstance(protocol, Request):
            scope["extensions"] = {"kanbanai.whole": protocol.send_whole}

        async def send(message: Message) -> None:
            if "disconnected" in details:
                return
            self.check_headers_type(message)
            protocol.handle_reply(message)
            if flow.blocked and "disconnected" not in details:
                await flow.wait()

        details["application_instance"] = asyncio.ensure_future(
            self.application(scope=scope, receive=inbox.get, send=send)
        )
        return inbox

    def kill_all_applications(self) -> Any:
        """This will end sockets and streams at once, and requests when they are answered."""
        self._port.stopListening()
        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and not details["application_instance"].done()
        ]
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._finish(tasks)))

    async def _finish(self, tasks: list[asyncio.Task[Any]]) -> None:
        answering = [task for task in tasks if task in self.bridge.busy]
        for task in tasks:
            if task not in self.bridge.busy:
                task.cancel()
        if answering:
            await asyncio.wait(answering, timeout=GRACE_SECONDS)
        for task in answering:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def write_access_line(protocol: str, action: str, details: dict[str, Any]) -> None:
    """This will log one request or one change of a socket, never with its query string."""
    path = details["path"].partition("?")[0]
    if protocol == "http":
        access_log.info(
            "request",
            method=details["method"],
            path=path,
            status=details["status"],
            ms=round(details["time_taken"] * 1000, 1),
            bytes=details["size"],
        )
    elif action != "connecting":
        access_log.info(f"socket_{action}", path=path)


def open_listener(host: str, port: int, *, beside: bool = False) -> socket.socket:
    """This will listen on an address; OSError when it is taken or not ours.

    `beside` other processes of ours that listen there the same way, each gets a share of the
    connections.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if beside:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def adopted_listener(descriptor: int) -> socket.socket:
    """This will take over a listening socket that our parent opened."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener
