"""The catalogue: which messages each channel has for each kind of the journal.

An app that owns a channel makes a `Channel` and says what its kinds become. The reference is
generated from here, and a test fails for a kind that some channel neither says nor leaves unsaid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from apps.core.live.frames import Message

_channels: dict[str, Channel] = {}


@dataclass(frozen=True, slots=True)
class Shape:
    """One message type: the keys of its payload, and what it says."""

    type: str
    keys: str
    says: str


class Channel:
    """One channel's way to say what happened.

    `topics` are the kinds of topics whose events a client can come back to, such as `board`;
    without a word on them it is the topic the channel is named after.
    """

    def __init__(self, name: str, title: str, *, topics: Iterable[str] = ()) -> None:
        self.name = name
        self.title = title
        self.topics = frozenset(topics) or frozenset({name})
        self.encoders: dict[str, Callable[[str, Any], list[Message]]] = {}
        self.types: dict[str, tuple[str, ...]] = {}
        _channels[name] = self

    def say(
        self,
        kinds: Iterable[str],
        types: Iterable[str],
        encode: Callable[[str, Any], list[Message]],
    ) -> None:
        """This will make messages of `types` from the kinds: `encode(kind, data)`."""
        for kind in kinds:
            self.encoders[kind] = encode
            self.types[kind] = tuple(types)

    def announce(self, kinds: Iterable[str], types: Iterable[str]) -> None:
        """This will note kinds after which others make the messages: a snapshot, an overview."""
        for kind in kinds:
            self.types[kind] = tuple(types)

    def leave_unsaid(self, kinds: Iterable[str]) -> None:
        """This will note kinds that the channel leaves to others."""
        for kind in kinds:
            self.types[kind] = ()

    def messages(self, kind: str, data: Any) -> list[Message]:
        """This will give the messages for an event; none for what the channel leaves unsaid."""
        encode = self.encoders.get(kind)
        return encode(kind, data) if encode is not None else []


def channels() -> list[Channel]:
    """This will list the channels in the order they were made."""
    return list(_channels.values())
