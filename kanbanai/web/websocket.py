"""One WebSocket of the web process: upgrade, frames, pings, end; small, and quick to write to.

The frames are read by `websockets`, which knows no transport. What is written to many is made ready
once by the product, and goes to the kernel with one call, past the event loop, as long as the
client takes it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import structlog
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol as Wire
from websockets.protocol import Side, State
from websockets.utils import accept_key

from kanbanai.web.asgi_types import Message
from kanbanai.web.lines import Line

if TYPE_CHECKING:
    from kanbanai.web.server import WebServer

log = structlog.get_logger("kanbanai.web")

VERSION = b"13"
KEY_BYTES = 16
# A control frame holds 125 bytes, two of them the code.
REASON_BYTES = 123
LARGEST_MESSAGE = 1024 * 1024
# What a client may send before it knows that it was let in.
MOST_EARLY = 64 * 1024
# What may wait for the application before the client has to.
MOST_UNREAD = 64
MOST_UNREAD_BYTES = LARGEST_MESSAGE
# Frames of one client: who sends more, of whatever kind, is read slower.
FRAMES_A_SECOND = 500.0
MOST_FRAMES_AT_ONCE = 1000.0
OPEN_SECONDS = 20.0
PING_SECONDS = 20.0
ANSWER_SECONDS = 30.0
CLOSE_SECONDS = 5.0
PING = b"\x89\x00"


class Refused(Exception):
    """The request is no upgrade that we can follow."""

    def __init__(self, status: HTTPStatus, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.headers = headers


class Socket(Line):
    """One connection, from its upgrade to its end."""

    def __init__(self, server: WebServer) -> None:
        super().__init__(server)
        self.wire: Wire | None = None
        self.path = ""
        self.since = self.heard_at = self._listened_at = time.monotonic()
        self.pinged_at = 0.0
        self.inbox: Any = None
        self._accept = b""
        self._early = b""
        self._parts: list[bytes] = []
        self._is_text = True
        self._unread = self._unread_bytes = 0
        self._ahead = 0.0
        self._rest: asyncio.TimerHandle | None = None
        self._is_deaf = False
        self._denial: dict[str, Any] | None = None
        self._over = False

    # --- the upgrade -----------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """This will take what came: first the whole request, then frames."""
        if self._over and self.wire is None:
            return
        self.heard_at = time.monotonic()
        if self.wire is not None:
            self._hear(data)
        elif self.inbox is None:
            self._begin(data)
        elif len(self._early) + len(data) <= MOST_EARLY:
            self._early += data
        else:
            self._deny(HTTPStatus.BAD_REQUEST, [], b"")

    def _begin(self, data: bytes) -> None:
        head, _, self._early = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        method, target, _ = first.split(b" ", 2)
        headers = []
        for line in lines:
            name, _, value = line.partition(b": ")
            if b"_" not in name:
                headers.append((name.lower(), value))
        self.server.protocol_connected(self)
        path, _, query = target.partition(b"?")
        self.path = path.decode("ascii")
        try:
            self._accept = _key_for(method, dict(headers))
        except Refused as refusal:
            self._deny(refusal.status, list(refusal.headers), b"")
            return
        self.inbox = self.server.create_application(self, self._scope(path, query, headers))
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.inbox.emptied = self._was_emptied

    def _scope(
        self, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]
    ) -> dict[str, Any]:
        offered = dict(headers).get(b"sec-websocket-protocol", b"").decode("latin1")
        return {
            "type": "websocket",
            "path": unquote(self.path),
            "raw_path": path,
            "root_path": "",
            "headers": headers,
            "query_string": query,
            **self.ends(headers)[0],
            "subprotocols": [one.strip() for one in offered.split(",") if one.strip()],
            "extensions": {"websocket.http.response": {}, "kanbanai.wire": self},
        }

    def _open(self, message: Message) -> None:
        if self.wire is not None or self._over:
            return
        lines = [
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + self._accept,
        ]
        if message.get("subprotocol"):
            lines.append(b"Sec-WebSocket-Protocol: " + message["subprotocol"].encode())
        lines += [name + b": " + value for name, value in message.get("headers") or []]
        self.wire = Wire(Side.SERVER, max_size=LARGEST_MESSAGE, logger=_QUIET)
        self._accept = b""
        # Equal: a client that has not said anything since its request is still to be asked.
        self.since = self.pinged_at = self.heard_at = time.monotonic()
        self.take_over()
        self.write(b"\r\n".join([*lines, b"", b""]))
        self._log("connected")
        early, self._early = self._early, b""
        if early:
            self._hear(early)

    def _deny(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._over = True
        if not any(name == b"content-length" for name, _value in headers):
            headers = [*headers, (b"content-length", str(len(body)).encode())]
        lines = [f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"connection: close", b"", body]
        self.transport.unregisterProducer()
        self.transport.write(b"\r\n".join(lines))
        self.transport.loseConnection()
        self._log("rejected", status=int(status))

    # --- reading ---------------------------------------------------------------------------------

    def _hear(self, data: bytes) -> None:
        wire = self.wire
        if wire is None:
            return
        wire.receive_data(data)
        frames = [event for event in wire.events_received() if isinstance(event, Frame)]
        for frame in frames:
            # What comes after the end was said is for nobody.
            if not self._over:
                self._take(frame)
        self._answer()
        self._listen_no_faster(len(frames))

    def _listen_no_faster(self, frames: int) -> None:
        """Lets a client wait that says more than is done, or does not take what it asked for."""
        elapsed = self.heard_at - self._listened_at
        self._listened_at = self.heard_at
        self._ahead = max(0.0, self._ahead - elapsed * FRAMES_A_SECOND) + frames
        if self._ahead > MOST_FRAMES_AT_ONCE and self._rest is None:
            seconds = (self._ahead - MOST_FRAMES_AT_ONCE) / FRAMES_A_SECOND
            self._rest = asyncio.get_running_loop().call_later(seconds, self._has_rested)
        if not self._is_deaf and self._has_to_wait():
            self._is_deaf = True
            self.transport.pauseProducing()

    def _has_to_wait(self) -> bool:
        is_behind = self._unread >= MOST_UNREAD or self._unread_bytes >= MOST_UNREAD_BYTES
        return self.flow.blocked or self._rest is not None or (is_behind and not self._over)

    def _has_rested(self) -> None:
        self._rest = None
        self._listen_again()

    def _listen_again(self) -> None:
        if self._is_deaf and not self._has_to_wait():
            self._is_deaf = False
            # Its answer to our ping may be among what was not read yet.
            self.heard_at = time.monotonic()
            self.transport.resumeProducing()

    def _was_emptied(self) -> None:
        self._unread = self._unread_bytes = 0
        self._listen_again()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """This will be called when the client has taken everything."""
        super().resumeProducing()
        self._listen_again()

    def _give(self, key: str, content: bytes | str) -> None:
        self._unread += 1
        self._unread_bytes += len(content)
        self.inbox.put_nowait({"type": "websocket.receive", key: content})

    def _take(self, frame: Frame) -> None:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        if frame.data:
            self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        content = b"".join(self._parts)
        self._parts.clear()
        if not self._is_text:
            self._give("bytes", content)
            return
        try:
            text = content.decode()
        except UnicodeDecodeError:
            if self.wire is not None:
                self.wire.fail(CloseCode.INVALID_DATA, "not UTF-8")
            return
        self._give("text", text)

    def _answer(self) -> None:
        """This will send what the protocol itself has to say: pongs and the end."""
        if self.wire is None:
            return
        for data in self.wire.data_to_send():
            if data:
                self.write(data)
            else:
                self.hang_up()
        if self.wire.state is State.CLOSING and not self._over:
            self._over = True
            self.since = time.monotonic()
            self._listen_again()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002, N802 - Twisted's name
        """This will tell the application that the client is gone, and why."""
        code = CloseCode.ABNORMAL_CLOSURE
        if self.wire is not None:
            self.wire.receive_eof()
            code = CloseCode(self.wire.close_code or code) if _known(self.wire) else code
            self.inbox.put_nowait({"type": "websocket.disconnect", "code": int(code)})
            self._log("disconnected")
        elif self.inbox is not None:
            self.inbox.put_nowait({"type": "websocket.disconnect", "code": int(code)})
        self._over = True
        self.freed = None
        if self.inbox is not None:
            self.inbox.emptied = None
        if self._rest is not None:
            self._rest.cancel()
        self.flow.resume()
        self.server.protocol_disconnected(self)

    # --- writing ---------------------------------------------------------------------------------

    def handle_reply(self, message: Message) -> None:
        """This will do what the application says."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._open(message)
        elif kind == "websocket.send" and self.wire is not None:
            self._send(message)
        elif kind == "websocket.close":
            self._close(message)
        elif kind == "websocket.http.response.start":
            self._denial = {**message, "body": b""}
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._denial["body"] += message.get("body", b"")
            if not message.get("more_body", False):
                denial, self._denial = self._denial, None
                self._deny(denial["status"], list(denial["headers"]), denial["body"])

    def _send(self, message: Message) -> None:
        if self.wire is None or self.wire.state is not State.OPEN:
            return
        if message.get("text") is not None:
            self.wire.send_text(message["text"].encode())
        else:
            self.wire.send_binary(message.get("bytes") or b"")
        self._answer()

    def _close(self, message: Message) -> None:
        if self.wire is None:
            if not self._over:
                self._deny(HTTPStatus.FORBIDDEN, [], b"")
        elif self.wire.state is State.OPEN:
            reason = (message.get("reason") or "").encode()[:REASON_BYTES].decode("utf-8", "ignore")
            self.wire.send_close(message.get("code") or CloseCode.NORMAL_CLOSURE, reason)
            self._answer()

    def handle_exception(self, _exception: BaseException) -> None:
        """This will end the connection of an application that failed."""
        if self.wire is None and not self._over:
            self._deny(HTTPStatus.INTERNAL_SERVER_ERROR, [], b"")
        else:
            self._close({"code": CloseCode.INTERNAL_ERROR})

    # --- time ------------------------------------------------------------------------------------

    def check_timeouts(self) -> None:
        """This will be called every two seconds: ping, and end what does not answer."""
        now = time.monotonic()
        if self.wire is None:
            if not self._over and now - self.since > OPEN_SECONDS:
                self._deny(HTTPStatus.SERVICE_UNAVAILABLE, [], b"")
        elif self._over:
            if now - self.since > CLOSE_SECONDS:
                self.transport.abortConnection()
        elif self.heard_at < self.pinged_at:
            # A client that has to wait for us cannot be heard.
            is_ours = self._is_deaf and not self.flow.blocked
            if now - self.pinged_at > ANSWER_SECONDS and not is_ours:
                self.transport.abortConnection()
        elif now - self.pinged_at >= PING_SECONDS:
            self.pinged_at = now
            self.write(PING)

    def _log(self, action: str, **details: Any) -> None:
        self.server.log_action("websocket", action, {"path": self.path, **details})

    def __repr__(self) -> str:
        """Without the query string: it may carry a token, and this is written to the log."""
        return f"<Socket {self.path!r}>"


class _Quiet:
    """What the protocol would log of each frame is nobody's business."""

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - logging's name
        """Never."""
        return False

    def debug(self, *_args: Any, **_more: Any) -> None:
        """This will do nothing."""

    info = warning = error = exception = debug


_QUIET: Any = _Quiet()


def _known(wire: Wire) -> bool:
    return wire.close_code in CloseCode._value2member_map_


def _key_for(method: bytes, headers: dict[bytes, bytes]) -> bytes:
    """The answer to a client's key; Refused when its request is no upgrade of version 13."""
    tokens = headers.get(b"connection", b"").lower().replace(b" ", b"").split(b",")
    if method != b"GET" or b"upgrade" not in tokens:
        raise Refused(HTTPStatus.BAD_REQUEST)
    if headers.get(b"sec-websocket-version") != VERSION:
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, (b"sec-websocket-version", VERSION))
    key = headers.get(b"sec-websocket-key", b"").strip()
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != KEY_BYTES:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return accept_key(key.decode("ascii")).encode("ascii")
