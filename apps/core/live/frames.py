"""Frames: a message made ready for the wire once, for everybody who hears it on one protocol."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from apps.core.live.cursors import Cursor

# The lengths of a WebSocket payload that need a longer header (RFC 6455, section 5.2).
SHORT, MEDIUM = 126, 1 << 16


@dataclass(frozen=True, slots=True)
class Raw:
    """A payload that is JSON already."""

    json: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel, before it has an envelope.

    `only` names those who want it: "" everybody, "delta" those who apply small changes, "detail"
    those who follow the transcript of `attempt_id`, where `seq` is its place.
    """

    type: str
    payload: Any
    only: str = ""
    attempt_id: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one message as they go over the connection, `head` of them a protocol's own."""

    wire: bytes = field(repr=False)
    head: int = 0
    only: str = ""
    attempt_id: str = ""
    seq: int = 0

    @property
    def text(self) -> bytes:
        """The message without the protocol's own bytes."""
        return self.wire[self.head :]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message comes from: what a client gives to go on after it, and when it happened."""

    topic: str = ""
    cursor: Cursor | None = None
    at: str = ""


NOWHERE = Origin()


class Envelope(Protocol):
    """How a protocol wraps a message."""

    def frame(self, message: Message, origin: Origin = NOWHERE) -> Frame:
        """This will make a message ready for the wire."""


def dumps(value: Any) -> bytes:
    """This will write JSON on one line; what is no Unicode text becomes a question mark."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def payload_of(message: Message) -> bytes:
    """This will give a message's payload as JSON."""
    payload = message.payload
    return payload.json if isinstance(payload, Raw) else dumps(payload)


def written(message: Message) -> Message:
    """This will be the same message with its payload as JSON already."""
    return replace(message, payload=Raw(payload_of(message)))


def websocket_frame(payload: bytes) -> bytes:
    """This will put the header of a whole, unmasked text frame before a payload."""
    size = len(payload)
    if size < SHORT:
        head = bytes((0x81, size))
    elif size < MEDIUM:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    return head + payload


class SocketEnvelope:
    """`{"type", "payload", "version", "at"}`: what WebSocket clients of boards know.

    Where an event has several messages, all but its last also carry a `cursor`, which is to be
    given as `since` in place of the version.
    """

    def frame(self, message: Message, origin: Origin = NOWHERE) -> Frame:
        """This will make the JSON text and its WebSocket frame."""
        shown: dict[str, Any] = {}
        if origin.cursor is not None:
            shown["version"] = origin.cursor.version
            if origin.cursor.part is not None:
                shown["cursor"] = str(origin.cursor)
        if origin.at:
            shown["at"] = origin.at
        head = b'{"type":' + dumps(message.type) + b',"payload":' + payload_of(message)
        text = head + b"," + dumps(shown)[1:] if shown else head + b"}"
        wire = websocket_frame(text)
        return Frame(
            wire=wire,
            head=len(wire) - len(text),
            only=message.only,
            attempt_id=message.attempt_id,
            seq=message.seq,
        )


class EventStreamEnvelope:
    """`event:`, `data:` and, where the message can be resumed after, `id:`."""

    def frame(self, message: Message, origin: Origin = NOWHERE) -> Frame:
        """This will make the lines of one server-sent event."""
        lines = [b"event: " + message.type.encode(), b"data: " + payload_of(message), b"", b""]
        if origin.cursor is not None:
            lines.insert(0, f"id: {origin.topic}:{origin.cursor}".encode())
        wire = b"\n".join(lines)
        return Frame(
            wire=wire,
            only=message.only,
            attempt_id=message.attempt_id,
            seq=message.seq,
        )


@dataclass(frozen=True, slots=True)
class DataEnvelope:
    """`{"type", "data", "version", "at"}`: what clients of several topics at once know.

    Their cursor names every topic: `others` is the part of it that is not of the message's own
    topic. Clients that are equally far share the frame.
    """

    others: str = ""

    def frame(self, message: Message, origin: Origin = NOWHERE) -> Frame:
        """This will make the JSON text and its WebSocket frame."""
        shown: dict[str, Any] = {}
        if origin.cursor is not None:
            mine = f"{origin.topic.rpartition('.')[2]}:{origin.cursor}"
            shown["version"] = f"{self.others},{mine}" if self.others else mine
        if origin.at:
            shown["at"] = origin.at
        head = b'{"type":' + dumps(message.type) + b',"data":' + payload_of(message)
        text = head + b"," + dumps(shown)[1:] if shown else head + b"}"
        wire = websocket_frame(text)
        return Frame(wire=wire, head=len(wire) - len(text), only=message.only)


SOCKET = SocketEnvelope()
EVENT_STREAM = EventStreamEnvelope()
DATA = DataEnvelope()
