"""Guards: whether open connections may stay is asked again and again, for a whole process at once.

A person who loses a membership, changes the password or is locked out must stop hearing things
within a second, on every process, even if nobody sends an event for it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol

from apps.core.live import work

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from apps.core.live.sinks import Ending

    # Many claims in, the endings of those that do not hold any more out: a few statements for all.
    Inspect = Callable[[set[Any]], dict[Any, Ending]]


class Ends(Protocol):
    """Something that can be ended from outside: a connection, or a part of one."""

    def end(self, ending: Ending) -> None:
        """This will end it, and tell why."""


class Guarded(Protocol):
    """A connection whose right to be open is a value: equal rights are looked up once."""

    @property
    def sink(self) -> Ends:
        """What ends when the right does."""

    @property
    def claim(self) -> Hashable:
        """What the connection's right rests on."""


class Guards:
    """The open connections of one hub, by the function that inspects their claims."""

    def __init__(self) -> None:
        self._guarded: defaultdict[Inspect, set[Guarded]] = defaultdict(set)

    def add(self, connection: Guarded, inspect: Inspect) -> None:
        """This will have a connection inspected from now on."""
        self._guarded[inspect].add(connection)

    def remove(self, connection: Guarded, inspect: Inspect) -> None:
        """This will forget a connection."""
        self._guarded[inspect].discard(connection)

    def waiting(self) -> int:
        """This will count the messages that wait in the queues of all connections."""
        sinks = {one.sink for guarded in list(self._guarded.values()) for one in tuple(guarded)}
        # A permit within a connection ends like a sink and holds no messages.
        return sum(getattr(sink, "waiting", 0) for sink in sinks)

    async def check(self, _now: float) -> None:
        """This will inspect all claims and end the connections whose claim does not hold."""
        for inspect, guarded in tuple(self._guarded.items()):
            claims = {connection.claim for connection in guarded}
            if not claims:
                continue
            endings = await work.look(inspect, claims)
            if endings:
                for connection in tuple(guarded):
                    ending = endings.get(connection.claim)
                    if ending is not None:
                        connection.sink.end(ending)
