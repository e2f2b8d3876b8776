"""The table of states, and that the conditional update obeys it alone."""

from __future__ import annotations

import pytest

from apps.agents.models import Attempt
from apps.agents.operations import transitions
from apps.agents.states import (
    ACTIVE,
    BOARD_SPELLING,
    FINAL,
    REMEDIES,
    TRANSITIONS,
    Reason,
    Status,
    WaitingFor,
    rest_spelling,
)
from apps.boards.models import Card, Column
from apps.core.actors import Actor
from apps.core.models import Event
from tests import factories

SYSTEM = Actor.system("tests")
PAIRS = [(source, target) for source in Status for target in Status]


def test_every_state_can_be_stopped_and_every_end_can_go_on() -> None:
    for status in ACTIVE:
        reached, before = {status}, 0
        while len(reached) != before:
            before = len(reached)
            reached |= {target for source in reached for target in TRANSITIONS[source]}
        assert Status.STOPPED in reached
    for status in FINAL:
        assert TRANSITIONS[status] == {Status.QUEUED}


def test_every_state_and_reason_has_its_words() -> None:
    assert set(BOARD_SPELLING) == set(Status)
    assert {rest_spelling(status, "") for status in Status} == {
        "queued",
        "running",
        "waiting_input",
        "paused",
        "completed",
        "failed",
        "cancelled",
    }
    assert {rest_spelling(Status.WAITING, word) for word in WaitingFor} == {
        "waiting_approval",
        "waiting_input",
    }
    assert set(REMEDIES) == set(Reason)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_only_what_the_table_allows_happens(
    columns: dict[str, Column], source: Status, target: Status
) -> None:
    card: Card = factories.Card.create(column=columns["inProgress"])
    attempt: Attempt = factories.Attempt.create(card=card, status=source)
    moved = True

    try:
        transitions.transition(actor=SYSTEM, attempt=attempt, to=target)
    except transitions.OutOfTurn:
        moved = False

    attempt.refresh_from_db()
    assert moved == (target in TRANSITIONS[source])
    assert attempt.status == (target if moved else source)
    if not moved:
        assert not Event.objects.exists()
    card.refresh_from_db()
    if moved:
        assert card.has_active_agent == (target in ACTIVE)


def test_who_lost_the_claim_moves_nothing(columns: dict[str, Column]) -> None:
    card: Card = factories.Card.create(column=columns["inProgress"])
    attempt: Attempt = factories.Attempt.create(card=card, running=True, epoch=3)

    with pytest.raises(transitions.OutOfTurn):
        transitions.transition(actor=SYSTEM, attempt=attempt, to=Status.SUCCEEDED, epoch=2)

    attempt.refresh_from_db()
    assert attempt.status == Status.RUNNING
