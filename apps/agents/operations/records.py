"""What an agent says and does, written in batches: one transaction and one number range for each.

A batch is one row of the journal per kind; items are numbered by the attempt's own sequence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts import queries as account_queries
from apps.accounts.models import ServerSettings
from apps.agents import events, queries
from apps.agents.models import Attempt, AttemptLog, Item, Turn
from apps.agents.operations import streaming, transitions, uses
from apps.boards import locks
from apps.boards import operations as board_operations
from apps.core import ids

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from apps.core.actors import Actor

LIVE_LINE_CHARACTERS = 200


@dataclass(kw_only=True)
class ItemDraft:
    """A conversation item to be written; the same `source_id` again changes the same item."""

    source_id: str
    type: str
    turn: int
    data: dict[str, Any]
    id: UUID = field(default_factory=ids.uuid7)
    # None until it was written once.
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class LogDraft:
    """A log line to be written."""

    level: str
    message: str
    ts: datetime = field(default_factory=timezone.now)


@dataclass(kw_only=True)
class Batch:
    """What came together; `columns` are further values of the attempt, ready for an update."""

    items: dict[str, ItemDraft] = field(default_factory=dict)
    logs: list[LogDraft] = field(default_factory=list)
    todos: list[dict[str, Any]] | None = None
    live_line: str | None = None
    session: dict[str, Any] = field(default_factory=dict)
    session_id: str | None = None
    context_used: int | None = None
    context_size: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    cost_seen: Decimal | None = None
    used: bool = False
    terminals: list[tuple[str, str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.items or self.logs or self.changes_more_than_items)

    @property
    def changes_more_than_items(self) -> bool:
        """True when the attempt itself is another one afterwards."""
        return bool(
            self.todos is not None
            or self.live_line is not None
            or self.session
            or self.session_id is not None
            or self.used
            or self.terminals
        )

    def __len__(self) -> int:
        return len(self.items) + len(self.logs)


@transaction.atomic
def record_batch(*, actor: Actor, attempt_id: UUID, epoch: int, batch: Batch) -> dict[str, int]:
    """This will write what an agent said and did, number it, and tell the journal.

    Gives the places of the new items by their source. OutOfTurn when the claim is lost: then
    nothing is written.
    """
    info: dict[str, Any] = {}
    if batch.changes_more_than_items:
        row = Attempt.objects.filter(pk=attempt_id).only("card_id", "session_info").first()
        if row is None:
            raise transitions.OutOfTurn
        info = row.session_info
        locks.lock_card(row.card_id)
    new = [draft for draft in batch.items.values() if draft.position is None]
    count = len(batch.items) + len(batch.logs)
    if batch.changes_more_than_items or batch.context_used is not None:
        held = Attempt.objects.filter(pk=attempt_id, epoch=epoch).update(
            last_seq=F("last_seq") + count,
            last_position=F("last_position") + len(new),
            **_columns(batch, info),
        )
        if not held:
            raise transitions.OutOfTurn
        if batch.used:
            _count(attempt_id, batch)
        attempt = Attempt.objects.get(pk=attempt_id)
    else:
        # What most batches are: nothing of the attempt itself is shown with them.
        attempt = streaming.take_numbers(attempt_id, epoch, changes=count, new=len(new))
    seq = attempt.last_seq - count
    first = attempt.last_position - len(new)
    places = {draft.source_id: place for place, draft in enumerate(new, start=first)}
    items = _write_items(attempt, batch, places, seq)
    lines = _write_logs(attempt, batch.logs, seq + len(items))
    if batch.live_line is not None:
        board_operations.show_agent(
            actor=actor, card_id=attempt.card_id, live_line=attempt.live_line
        )
    _tell(attempt, batch, items, lines, actor=actor)
    if batch.context_used is not None:
        _watch_context(attempt, actor=actor)
    return places


def _watch_context(attempt: Attempt, *, actor: Actor) -> None:
    """People hear once that a session is nearly full; emptied by its agent, it may fill again."""
    percent = queries.context_percent(attempt)
    server = account_queries.server_settings()
    full = percent is not None and percent >= server.relay_threshold
    if full == attempt.context_told or server.relay_mode == ServerSettings.Relay.OFF:
        return
    Attempt.objects.filter(pk=attempt.pk).update(context_told=full)
    if percent is not None and full:
        events.attempt_context_filled(
            attempt,
            percent=percent,
            threshold=server.relay_threshold,
            mode=server.relay_mode,
            actor=actor,
        )


def _count(attempt_id: UUID, batch: Batch) -> None:
    """What was used counts for the turn as well, and with it for what the turn works with."""
    Turn.objects.filter(attempt_id=attempt_id, status=Turn.Status.RUNNING).update(
        input_tokens=F("input_tokens") + batch.input_tokens,
        output_tokens=F("output_tokens") + batch.output_tokens,
        cost_usd=F("cost_usd") + batch.cost,
    )


def _columns(batch: Batch, before: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if batch.todos is not None:
        values["todos"] = batch.todos
    if batch.live_line is not None:
        values["live_line"] = batch.live_line[:LIVE_LINE_CHARACTERS]
    values |= session_columns(batch, before)
    if values:
        values["updated_at"] = timezone.now()
    return values


def session_columns(batch: Batch, before: dict[str, Any]) -> dict[str, Any]:
    """This will be what a batch says of the agent's session; `before` is what was known of it."""
    values: dict[str, Any] = {}
    if batch.session_id is not None:
        values["session_id"] = batch.session_id
    info = dict(batch.session)
    if batch.cost_seen is not None:
        info["costSeen"] = str(batch.cost_seen)
    if info:
        values["session_info"] = {**before, **info}
    if batch.context_used is not None:
        values["context_used"] = batch.context_used
    if batch.context_size is not None:
        values["context_size"] = batch.context_size
    if batch.used:
        values["input_tokens"] = F("input_tokens") + batch.input_tokens
        values["output_tokens"] = F("output_tokens") + batch.output_tokens
        values["cost_usd"] = F("cost_usd") + batch.cost
    return values


def _write_items(attempt: Attempt, batch: Batch, places: dict[str, int], seq: int) -> list[Item]:
    now = timezone.now()
    rows = [
        Item(
            id=draft.id,
            attempt_id=attempt.pk,
            turn_number=draft.turn,
            position=places.get(draft.source_id, draft.position or 0),
            seq=number,
            source_id=draft.source_id,
            type=draft.type,
            data=draft.data,
            created_at=now,
            updated_at=now,
        )
        for number, draft in enumerate(batch.items.values(), start=seq + 1)
    ]
    if places:
        streaming.insert_items([row for row in rows if row.source_id in places])
    changed = [row for row in rows if row.source_id not in places]
    if changed:
        Item.objects.bulk_update(changed, ["seq", "data", "updated_at"])
    return rows


def _write_logs(attempt: Attempt, logs: list[LogDraft], seq: int) -> list[AttemptLog]:
    return AttemptLog.objects.bulk_create(
        AttemptLog(attempt=attempt, seq=number, level=line.level, message=line.message, ts=line.ts)
        for number, line in enumerate(logs, start=seq + 1)
    )


def _tell(
    attempt: Attempt,
    batch: Batch,
    items: list[Item],
    lines: list[AttemptLog],
    *,
    actor: Actor,
) -> None:
    if batch.session_id is not None or batch.session:
        events.attempt_session_recorded(attempt, actor=actor)
    if items:
        events.attempt_conversed(attempt, items, actor=actor)
    if lines:
        events.attempt_logged(attempt, lines, actor=actor)
    if batch.todos is not None:
        events.attempt_todos_updated(attempt, actor=actor)
    if batch.used or batch.context_used is not None:
        events.attempt_usage_updated(attempt, actor=actor)
    for state, terminal_id, words in batch.terminals:
        if state == "opened":
            events.terminal_opened(attempt, terminal_id=terminal_id, command=words, actor=actor)
        else:
            events.terminal_closed(attempt, terminal_id=terminal_id, reason=words, actor=actor)


@transaction.atomic
def record_spent(
    *,
    attempt_id: UUID,
    credential_id: UUID | None,
    started_at: datetime,
    tokens: tuple[int, int],
    cost: Decimal | None,
    cost_seen: Decimal | None,
) -> None:
    """This will add what a question outside its turns has cost an attempt, and its credential."""
    if credential_id is not None:
        uses.note_use(attempt_id, credential_id, tokens=tokens, cost=cost, started_at=started_at)
    row = Attempt.objects.select_for_update().filter(pk=attempt_id).first()
    if row is None:
        return
    if cost_seen is not None:
        row.session_info = {**row.session_info, "costSeen": str(cost_seen)}
    row.input_tokens += tokens[0]
    row.output_tokens += tokens[1]
    row.cost_usd += cost or Decimal(0)
    row.save(
        update_fields=["session_info", "input_tokens", "output_tokens", "cost_usd", "updated_at"]
    )


@transaction.atomic
def record_log(
    *, actor: Actor, attempt: Attempt, message: str, level: str = AttemptLog.Level.INFO
) -> None:
    """This will add one line to an attempt's log, whoever runs it."""
    Attempt.objects.filter(pk=attempt.pk).update(last_seq=F("last_seq") + 1)
    fresh = transitions.read(attempt.pk)
    line = AttemptLog.objects.create(
        attempt=fresh, seq=fresh.last_seq, level=level, message=message, ts=timezone.now()
    )
    events.attempt_logged(fresh, [line], actor=actor)


@transaction.atomic
def record_worktree(
    *,
    actor: Actor,
    attempt_id: UUID,
    epoch: int,
    path: str,
    branch: str,
    base_sha: str,
    base_branch: str,
) -> Attempt:
    """This will note the worktree that was made for an attempt."""
    attempt = transitions.read(attempt_id)
    locks.lock_card(attempt.card_id)
    held = Attempt.objects.filter(pk=attempt_id, epoch=epoch).update(
        worktree_path=path,
        branch=branch,
        base_sha=base_sha,
        base_branch=base_branch,
        prepared_at=None,
        updated_at=timezone.now(),
    )
    if not held:
        raise transitions.OutOfTurn
    made = transitions.read(attempt_id)
    transitions.show(made, actor=actor)
    events.attempt_status_changed(made, actor=actor)
    return made


@transaction.atomic
def record_prepared(*, attempt_id: UUID, epoch: int) -> None:
    """This will note that files were copied and the setup script has run."""
    if not Attempt.objects.filter(pk=attempt_id, epoch=epoch).update(prepared_at=timezone.now()):
        raise transitions.OutOfTurn


@transaction.atomic
def record_changes(
    *, actor: Actor, attempt_id: UUID, files_changed: int, insertions: int, deletions: int
) -> None:
    """This will note how much an attempt's branch changes, and tell it when that is news."""
    attempt = Attempt.objects.filter(pk=attempt_id).first()
    if attempt is None:
        return
    locks.lock_card(attempt.card_id)
    now = (files_changed, insertions, deletions)
    if (attempt.files_changed, attempt.insertions, attempt.deletions) != now:
        Attempt.objects.filter(pk=attempt_id).update(
            files_changed=files_changed,
            insertions=insertions,
            deletions=deletions,
            updated_at=timezone.now(),
        )
    fresh = transitions.read(attempt_id)
    transitions.show(fresh, actor=actor)
    events.git_status_changed(fresh, actor=actor)
