"""Everything an agent does, on its way to the database: gathered for a moment, written together.

Text that is still being written and the output of running commands are stored once a second;
in between, listeners get passing deltas that nobody stores.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from apps.agents.operations import records
from apps.agents.operations.transitions import OutOfTurn
from apps.agents.runner.hiding import Redactor
from apps.core import ids, publishing

if TYPE_CHECKING:
    from collections.abc import Callable

    from apps.agents.operations.records import ItemDraft
    from apps.agents.runner.lease import Lease
    from apps.agents.runner.store import Store

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.05
MOST_ITEMS = 64
LAZY_SECONDS = 1.0
PATIENCE_ITEMS = 512


class Record(Protocol):
    """How a batch is stored; OutOfTurn when the claim is lost."""

    def __call__(self, *, batch: records.Batch) -> dict[str, int]:
        """This will write it and give the places of its new items by their source."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where passing words go: a topic, the kind of a text delta, and ids that go with each."""

    topic: str
    delta: str
    place: dict[str, str]


class Writer:
    """Gathers and writes; `flush` returns when all that came before is committed.

    `tidy` is what every text passes on its way out: to the database and to listeners.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        *,
        record: Record,
        told: Told,
        tidy: Callable[[Any], Any] | None = None,
    ) -> None:
        self._store = store
        self._lease = lease
        self._record = record
        self._told = told
        self._clean = tidy or clean
        self.redactor = Redactor()
        self._batch = records.Batch()
        self._lazy: dict[str, ItemDraft] = {}
        self._deltas: dict[str, dict[str, Any]] = {}
        self._filled = asyncio.Event()
        self._writing = asyncio.Lock()
        self._last_lazy = 0.0

    @property
    def batch(self) -> records.Batch:
        """What is gathered now; whoever adds to it calls `touch`."""
        return self._batch

    def touch(self) -> None:
        """This will have the batch written soon."""
        self._filled.set()

    def put(self, draft: ItemDraft) -> None:
        """This will have an item written soon, as it is then."""
        self._lazy.pop(draft.source_id, None)
        self._batch.items[draft.source_id] = draft
        self.touch()

    def put_later(self, draft: ItemDraft) -> None:
        """This will have an item written within a second: more of it is about to come."""
        if draft.source_id not in self._batch.items:
            self._lazy[draft.source_id] = draft
        self.touch()

    def log(self, message: str, *, level: str = "info") -> None:
        """This will have a line written to the attempt's log."""
        self._batch.logs.append(records.LogDraft(level=level, message=self.tidy(message)))
        self.touch()

    def delta(self, draft: ItemDraft, text: str) -> None:
        """This will have listeners hear what was added to a text, without storing it."""
        found = self._deltas.setdefault(
            draft.source_id, {"itemId": draft, "type": draft.type, "delta": ""}
        )
        found["delta"] += text
        self.touch()

    def noise(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """This will have listeners hear something that is never stored; `text` adds up."""
        found = self._deltas.setdefault(f"{kind}:{key}", {"kind": kind, **data, "text": ""})
        found["text"] += data.get("text", "")
        self.touch()

    async def ease(self) -> None:
        """This will hold up an agent that is faster than the database."""
        if len(self._batch) > PATIENCE_ITEMS:
            await self.flush()

    async def work(self) -> None:
        """This will write until it is cancelled; a failure ends the work through the lease."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._filled.wait(), LAZY_SECONDS / 2 if self._lazy else None
                    )
                if len(self._batch) < MOST_ITEMS:
                    await asyncio.sleep(GATHER_SECONDS)
                self._filled.clear()
                await self._write()
        except OutOfTurn:
            self._lease.halt("lost")
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("items_not_written", topic=self._told.topic)
            self._lease.halt("lost")

    async def flush(self) -> None:
        """This will write all that came until now."""
        self._batch.items.update(self._lazy)
        self._lazy.clear()
        await self._write()

    async def _write(self) -> None:
        async with self._writing:
            now = asyncio.get_running_loop().time()
            if self._lazy and now - self._last_lazy >= LAZY_SECONDS:
                self._batch.items.update(self._lazy)
                self._lazy.clear()
                self._last_lazy = now
            # Taken in one breath: no delta may come after the item that holds its text already.
            deltas, self._deltas = self._deltas, {}
            batch, self._batch = self._batch, records.Batch()
            drafts = batch.items
            batch.items = {
                name: replace(draft, data=self.tidy(draft.data)) for name, draft in drafts.items()
            }
            self._tidy_rest(batch)
            for name in drafts:
                self.redactor.forget(name)
            await self._send(deltas)
            if not batch:
                return
            places = await self._store.insist(self._lease.seconds, self._record, batch=batch)
            for source_id, place in places.items():
                drafts[source_id].position = place

    def tidy(self, value: Any) -> Any:
        """This will be a value as it may be stored and seen: without keys."""
        return self.redactor.hide(self._clean(value))

    def _tidy_rest(self, batch: records.Batch) -> None:
        batch.todos = self.tidy(batch.todos)
        batch.live_line = self.tidy(batch.live_line)
        batch.session = self.tidy(batch.session)
        batch.terminals = self.tidy(batch.terminals)

    async def _send(self, deltas: dict[str, dict[str, Any]]) -> None:
        for name, delta in deltas.items():
            words = "text" if "kind" in delta else "delta"
            delta[words] = self.redactor.passing(name, delta[words])
            if not delta[words]:
                continue
            kind = delta.pop("kind", self._told.delta)
            item = delta.pop("itemId", None)
            if item is not None:
                delta["itemId"] = ids.encode("msg", item.id)
            try:
                await asyncio.to_thread(
                    publishing.send_ephemeral,
                    topic=self._told.topic,
                    kind=kind,
                    data=self.tidy({**self._told.place, **delta}),
                )
            except Exception as error:  # noqa: BLE001 - noise may be lost, work goes on
                log.info("delta_not_sent", error=str(error))


def clean(value: Any) -> Any:
    """This will be a value without what no database stores: NUL characters and half surrogates."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "\ufffd")
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode("utf-8")
        return value
    if isinstance(value, dict):
        return {clean(key): clean(one) for key, one in value.items()}
    if isinstance(value, list):
        return [clean(one) for one in value]
    return value
