"""How a conversation's turns come and go: let in, claimed, kept alive, recorded, concluded, reaped.

The row decides, as with attempts: every write of a runner names the epoch of its claim.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.agents import conversation_events as events
from apps.agents import conversation_queries as queries
from apps.agents import keys, processes
from apps.agents.conversation_tables import Conversation, ConversationItem
from apps.agents.operations import admission, records, uses
from apps.agents.operations.reaping import RESEND_SECONDS
from apps.agents.operations.transitions import OutOfTurn
from apps.agents.operations.turns import Outcome, Pulse
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.moments import moment
from apps.projects import rules as project_rules

if TYPE_CHECKING:
    from uuid import UUID

LOST = "The worker that ran the agent went away. Send your message again."
# A session whose context is fuller than this goes on in a new one.
FULL_PERCENT = 80
# What an assistant keeps; older words are forgotten.
KEPT_ITEMS = 2_000

_IDLE, _QUEUED, _RUNNING = (
    Conversation.Activity.IDLE,
    Conversation.Activity.QUEUED,
    Conversation.Activity.RUNNING,
)
NO_LEASE: dict[str, Any] = {"lease_owner": "", "lease_expires_at": None, "dispatched_at": None}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a person said, as a turn of the agent: its number, its place, its words, its key."""

    turn: int
    position: int
    text: str
    credential_id: UUID | None


def hold(conversation_id: UUID) -> Conversation:
    """This will lock a conversation's row and read it with what belongs to it."""
    held = (
        Conversation.objects.select_for_update(of=("self",))
        .select_related("project", "card", "person", "profile")
        .filter(pk=conversation_id)
        .first()
    )
    if held is None:
        message = "Conversation not found."
        raise problems.NotFound(message)
    return held


def change(held: Conversation, **values: Any) -> Conversation:
    """This will write columns of a held conversation."""
    for name, value in values.items():
        setattr(held, name, value)
    held.save(update_fields=[*values, "updated_at"])
    return held


def add_item(
    held: Conversation, *, kind: str, source_id: str, role: str, text: str
) -> ConversationItem:
    """This will add a message that does not come from the agent."""
    now = timezone.now()
    change(held, last_seq=held.last_seq + 1, last_position=held.last_position + 1)
    data = {"text": text, "format": "markdown", "timestamp": moment(now)}
    return ConversationItem.objects.create(
        conversation=held,
        turn_number=held.turn,
        position=held.last_position,
        seq=held.last_seq,
        source_id=source_id,
        type=kind,
        role=role,
        data={**data, **({"role": role} if role else {})},
    )


# --- the line ------------------------------------------------------------------------------------


def put_in_line(held: Conversation, *, actor: Actor) -> Conversation:
    """This will have a turn begin, at once where a slot is free; `lock_slots` must be held."""
    change(held, activity=_QUEUED, queued_at=timezone.now(), **NO_LEASE)
    credential_id = _next_credential(held, keys.Ring.read())
    if not admission.lacks_room(held.project_id, held.person_id, credential_id):
        change(held, dispatched_at=timezone.now(), credential_id=credential_id)
    events.conversation_queued(held, actor=actor)
    return held


def _next_credential(row: Conversation, ring: keys.Ring) -> UUID | None:
    chosen = keys.chosen_to_talk(row, ring)
    return chosen.pk if chosen is not None else None


@transaction.atomic
def dispatch_conversation(*, actor: Actor) -> bool:
    """This will let the first conversation in line start; False when none may."""
    admission.lock_slots()
    waiting = Conversation.objects.filter(activity=_QUEUED, dispatched_at__isnull=True)
    ring = keys.Ring.read()
    for row in waiting.order_by("queued_at", "pk"):
        credential_id = _next_credential(row, ring)
        if admission.lacks_room(row.project_id, row.person_id, credential_id):
            continue
        held = hold(row.pk)
        if held.activity == _QUEUED and held.dispatched_at is None:
            change(held, dispatched_at=timezone.now(), credential_id=credential_id)
            events.conversation_queued(held, actor=actor)
        return True
    return False


def dispatch_conversations(*, actor: Actor) -> int:
    """This will let every conversation start that may, and count them."""
    waiting = Conversation.objects.filter(activity=_QUEUED, dispatched_at__isnull=True)
    count = 0
    while waiting.exists() and dispatch_conversation(actor=actor):
        count += 1
    return count


@transaction.atomic
def send_again() -> list[str]:
    """This will name those that were let in and whose runner has not come, and note the time."""
    seconds = max(RESEND_SECONDS, settings.KANBANAI_AGENT_LEASE_SECONDS)
    now = timezone.now()
    late = Conversation.objects.filter(
        activity=_QUEUED, dispatched_at__lt=now - timedelta(seconds=seconds)
    )
    found = list(late)
    late.filter(pk__in=[row.pk for row in found]).update(dispatched_at=now)
    return [row.public_id for row in found]


# --- a runner's claim ----------------------------------------------------------------------------


@transaction.atomic
def claim_conversation(
    *, actor: Actor, conversation_id: UUID, owner: str, lease_seconds: float
) -> tuple[Conversation, Ask] | None:
    """This will take a conversation that was let in, for `owner`; None when there is nothing."""
    held = hold(conversation_id)
    if held.activity != _QUEUED or held.dispatched_at is None:
        return None
    ask = _next(held)
    if ask is None or not held.is_open:
        _rest(held, actor=actor)
        return None
    change(
        held,
        activity=_RUNNING,
        turn=ask.turn,
        epoch=held.epoch + 1,
        lease_owner=owner,
        lease_expires_at=timezone.now() + timedelta(seconds=lease_seconds),
        stop_requested_at=None,
    )
    uses.begin_use(held.pk, held.credential_id)
    events.conversation_status_changed(held, actor=actor)
    return held, ask


def _next(held: Conversation) -> Ask | None:
    said = queries.unanswered(held).first()
    if said is None:
        return None
    return Ask(
        turn=held.turn + 1,
        position=said.position,
        text=str(said.data["text"]),
        credential_id=held.credential_id,
    )


def _rest(held: Conversation, *, actor: Actor, **values: Any) -> None:
    change(held, activity=_IDLE, queued_at=None, stop_requested_at=None, **NO_LEASE, **values)
    events.conversation_status_changed(held, actor=actor)


@transaction.atomic
def renew_conversation(
    *, conversation_id: UUID, epoch: int, owner: str, lease_seconds: float, asked: list[UUID]
) -> Pulse:
    """This will prolong a claim and tell whether to stop: asked to, or without a right to go on."""
    del asked  # nobody is asked anything
    mine = Conversation.objects.filter(pk=conversation_id, epoch=epoch, lease_owner=owner)
    if not mine.update(lease_expires_at=timezone.now() + timedelta(seconds=lease_seconds)):
        return Pulse(held=False)
    row = mine.select_related("project", "card", "person").get()
    stopping = row.stop_requested_at is not None or not row.is_open or not may_go_on(row)
    return Pulse(held=True, stopping=stopping)


def may_go_on(conversation: Conversation) -> bool:
    """True while its person may work in the project, and its card still waits for its prompt."""
    person, card = conversation.person, conversation.card
    if not person.is_active or (card is not None and not card.is_deferred):
        return False
    return project_rules.can_work(Actor(user=person, origin="task"), conversation.project)


@transaction.atomic
def record_conversation(
    *, actor: Actor, conversation_id: UUID, epoch: int, batch: records.Batch
) -> dict[str, int]:
    """This will write what an agent said and did, number it, and tell whoever may hear it.

    Gives the places of the new items by their source. OutOfTurn when the claim is lost.
    """
    held = Conversation.objects.select_for_update(of=("self",)).select_related("person")
    row = held.filter(pk=conversation_id, epoch=epoch).first()
    if row is None:
        raise OutOfTurn
    new = [draft for draft in batch.items.values() if draft.position is None]
    seq, first = row.last_seq, row.last_position + 1
    columns = records.session_columns(batch, row.session_info)
    Conversation.objects.filter(pk=row.pk).update(
        last_seq=F("last_seq") + len(batch.items),
        last_position=F("last_position") + len(new),
        **columns,
    )
    if batch.used:
        uses.add_use(row.pk, batch)
    places = {draft.source_id: place for place, draft in enumerate(new, start=first)}
    now = timezone.now()
    items = [
        ConversationItem(
            id=draft.id,
            conversation=row,
            turn_number=draft.turn,
            position=places.get(draft.source_id, draft.position or 0),
            seq=number,
            source_id=draft.source_id,
            type=draft.type,
            role=str(draft.data.get("role", "")),
            data=draft.data,
            created_at=now,
            updated_at=now,
        )
        for number, draft in enumerate(batch.items.values(), start=seq + 1)
    ]
    ConversationItem.objects.bulk_create([one for one in items if one.source_id in places])
    changed = [one for one in items if one.source_id not in places]
    if changed:
        ConversationItem.objects.bulk_update(changed, ["seq", "data", "updated_at"])
    if items:
        events.conversation_messaged(row, items, actor=actor)
    return places


@transaction.atomic
def conclude_conversation(
    *, actor: Actor, conversation_id: UUID, epoch: int, outcome: Outcome, position: int
) -> Ask | None:
    """This will end a turn: the next message's turn is given, or the claim goes back.

    A stop leaves unanswered what waits. A worker that is shut down hands the message on.
    """
    admission.lock_slots()
    held = hold(conversation_id)
    if held.epoch != epoch:
        raise OutOfTurn
    uses.end_use(held.pk)
    if held.stop_requested_at is not None or not held.is_open or outcome.kind == "stopped":
        _rest(held, actor=actor, handled=held.last_position, auto_retried=False)
        return None
    if outcome.kind == "waiting":
        _hand_on(held, position, actor=actor)
        return None
    full = 100 * held.context_used > FULL_PERCENT * held.context_size > 0
    change(
        held,
        handled=position,
        auto_retried=False,
        **({"session_id": "", "context_used": 0} if full else {}),
    )
    following = None if full else _next(held)
    # Another credential may have no place at the moment: then it is put in line again.
    if following and _next_credential(held, keys.Ring.read()) == held.credential_id:
        change(held, turn=following.turn)
        uses.begin_use(held.pk, held.credential_id)
        events.conversation_status_changed(held, actor=actor)
        return following
    _forget_old(held)
    if queries.unanswered(held).exists():
        put_in_line(held, actor=actor)
    else:
        _rest(held, actor=actor)
    return None


def _forget_old(held: Conversation) -> None:
    held.items.filter(position__lte=held.last_position - KEPT_ITEMS).delete()


def _hand_on(held: Conversation, position: int, *, actor: Actor) -> None:
    """Once by itself, and only where nothing was done yet; else a person has to ask again."""
    done = held.items.filter(turn_number=held.turn, type="tool").exists()
    if not held.auto_retried and not done:
        change(held, auto_retried=True)
        put_in_line(held, actor=actor)
        return
    item = add_item(
        held, kind="error", source_id=f"lost-{held.epoch}-{position}", role="", text=LOST
    )
    events.conversation_messaged(held, [item], actor=actor)
    change(held, handled=position, auto_retried=False)
    if queries.unanswered(held).exists():
        put_in_line(held, actor=actor)
    else:
        _rest(held, actor=actor)


# --- what was lost -------------------------------------------------------------------------------


def lost_conversations() -> list[Conversation]:
    """This will list the conversations whose lease has run out."""
    return list(
        Conversation.objects.filter(lease_owner__gt="", lease_expires_at__lt=timezone.now())
        .select_related("project", "card", "person")
        .order_by("lease_expires_at")
    )


def reap_conversation(*, actor: Actor, conversation: Conversation) -> None:
    """This will end what a lost runner left: its processes here, and its claim."""
    if conversation.lease_owner.partition("/")[0] == socket.gethostname():
        processes.kill_marked(conversation.public_id)
    _reap(actor=actor, conversation=conversation)


@transaction.atomic
def _reap(*, actor: Actor, conversation: Conversation) -> None:
    admission.lock_slots()
    try:
        held = hold(conversation.pk)
    except problems.NotFound:
        return
    expired = held.lease_expires_at is not None and held.lease_expires_at < timezone.now()
    if not held.lease_owner or held.epoch != conversation.epoch or not expired:
        return
    change(held, epoch=held.epoch + 1)
    uses.end_use(held.pk)
    said = queries.unanswered(held).first()
    if said is None or held.stop_requested_at is not None or not held.is_open:
        _rest(held, actor=actor, handled=held.last_position)
    else:
        _hand_on(held, said.position, actor=actor)


def kill_strays() -> int:
    """This will kill this host's marked processes whose conversation nobody runs; their number."""
    found: dict[UUID, str] = {}
    for name in processes.find_marked():
        key = key_of(name)
        if key is not None:
            found[key] = name
    idle = Conversation.objects.filter(pk__in=found, lease_owner="")
    return sum(processes.kill_marked(found[key]) for key in idle.values_list("pk", flat=True))


def key_of(public_id: str) -> UUID | None:
    """This will read a conversation's outside id; None for anything else."""
    for prefix in ("pre", "sess"):
        try:
            return ids.decode(prefix, public_id)
        except problems.NotFound:
            continue
    return None
