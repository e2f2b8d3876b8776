"""An event on its way to listeners: decoded once, and made ready once for each protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from apps.core.live.cursors import Cursor
from apps.core.live.frames import Origin, written
from apps.core.live.sinks import MAX_BYTES, MAX_MESSAGES

if TYPE_CHECKING:
    from apps.core.live.catalogue import Channel
    from apps.core.live.frames import Envelope, Frame, Message
    from apps.core.live.journal import Entry

# So much of a message takes one of the places in a client's queue, which is bounded in both.
PLACE_BYTES = MAX_BYTES // MAX_MESSAGES


class Event:
    """A committed event, or (with version 0) a passing one that the journal does not know."""

    __slots__ = (
        "_data",
        "_frames",
        "_messages",
        "_payloads",
        "at",
        "body",
        "kind",
        "topic",
        "version",
    )

    def __init__(self, topic: str, version: int, kind: str, body: str | None, at: str) -> None:
        self.topic = topic
        self.version = version
        self.kind = kind
        self.at = at.replace("+00:00", "Z")
        # None: too large for the channel layer; whoever delivers reads the journal instead.
        self.body = body
        self._data: Any = None
        self._messages: dict[Channel, list[Message]] = {}
        self._payloads: dict[Channel, list[Message]] = {}
        self._frames: dict[tuple[Channel, Envelope], list[Frame]] = {}

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """This will be the event of a journal row."""
        event = cls(entry.topic, entry.version, entry.kind, None, entry.at)
        event._data = entry.data
        return event

    @classmethod
    def ephemeral(cls, topic: str, kind: str, body: str) -> Self:
        """This will be a passing event: no version, no replay."""
        return cls(topic, 0, kind, body, "")

    @property
    def data(self) -> Any:
        """What happened, as the journal has it."""
        if self._data is None and self.body is not None:
            self._data = json.loads(self.body)
        return self._data

    def messages(self, channel: Channel) -> list[Message]:
        """This will give the messages of a channel for this event, made on first use."""
        found = self._messages.get(channel)
        if found is None:
            found = self._messages[channel] = channel.messages(self.kind, self.data)
        return found

    def frames(self, channel: Channel, envelope: Envelope) -> list[Frame]:
        """This will give the same messages, ready for the wire; the same for everybody."""
        found = self._frames.get((channel, envelope))
        if found is None:
            found = self._frames[channel, envelope] = self._wrap(channel, envelope)
        return found

    @property
    def places(self) -> int:
        """How many places of a client's queue it has taken at most; what is large takes several."""
        return max((_places(frames) for frames in self._frames.values()), default=1)

    def _wrap(self, channel: Channel, envelope: Envelope) -> list[Frame]:
        messages = self._written(channel)
        last = len(messages) - 1
        return [
            envelope.frame(
                message,
                Origin(self.topic, self._cursor(channel, None if part == last else part), self.at),
            )
            for part, message in enumerate(messages)
        ]

    def _written(self, channel: Channel) -> list[Message]:
        """The messages with their payloads as JSON: written once, whatever goes around them."""
        found = self._payloads.get(channel)
        if found is None:
            found = self._payloads[channel] = [written(one) for one in self.messages(channel)]
        return found

    def _cursor(self, channel: Channel, part: int | None) -> Cursor | None:
        # Only some topics of a channel are replayed; a cursor of another leads nowhere.
        known = self.version and self.topic.partition(".")[0] in channel.topics
        return Cursor(self.version, part) if known else None


def _places(frames: list[Frame]) -> int:
    return max(1, len(frames), sum(len(frame.wire) for frame in frames) // PLACE_BYTES)
