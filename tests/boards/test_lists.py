"""Cards in lists look as they do alone, though they are read in another way."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import pytest

from apps.accounts.models import User
from apps.boards import outputs, queries
from apps.boards.models import Board, Card, Column
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf, actor_of

Columns = dict[str, Column]


@pytest.fixture
def cards(ada: User, bob: User, columns: Columns) -> list[Card]:
    """One card with everything that a card can show, and some with nothing."""
    bare = [factories.Card.create(column=column) for column in columns.values()]
    full = factories.Card.create(
        column=columns["review"],
        title="“Quoted” \u2028 & <b>",
        prompt="Two\nlines",
        ticket_type="fix",
        priority="high",
        labels=["a, b", "ü"],
        is_enhanced=True,
        disable_auto_close_on_pr_merge=True,
        is_auto_mode=True,
        is_deferred=True,
        awaiting_approval=True,
        credential_id=uuid.uuid4(),
        has_active_agent=True,
        agent_status="running",
        live_line="Reads files",
        branch_name="kanban/abc-5",
        insertions=12,
        deletions=3,
    )
    # Without a fraction a moment is written in a shorter form.
    whole_second = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)
    Card.objects.filter(pk=full.pk).update(created_at=whole_second)
    for other in (bare[3], bare[0]):
        factories.CardDependency.create(card=full, depends_on=other)
    factories.CardDependency.create(card=bare[0], depends_on=bare[3])
    full.assignees.add(bob)
    full.assignees.add(ada)
    return [*bare, full]


def alone(ada: User, cards: list[Card]) -> dict[str, str]:
    """Each card as it is shown by itself, in its very bytes."""
    rows = [queries.get_card(actor=actor_of(ada), card_id=card.pk) for card in cards]
    return {row.public_id: json.dumps(outputs.card(row)) for row in rows}


def in_bytes(shown: list[outputs.Card]) -> dict[str, str]:
    """Cards of a list in the same form."""
    return {card["id"]: json.dumps(card) for card in shown}


def test_a_whole_board_shows_each_card_as_it_is_alone(
    ada: User, board: Board, cards: list[Card]
) -> None:
    state = outputs.board_state(board)
    assert in_bytes(list(state["cards"].values())) == alone(ada, cards)


@pytest.mark.parametrize("asked", ["", "?limit=500", "?search=a"])
def test_lists_show_each_card_as_it_is_alone(
    ada: User, project: Project, cards: list[Card], client_of: ClientOf, asked: str
) -> None:
    answer = client_of(ada).get(f"/api/v1/projects/{project.public_id}/cards{asked}")
    assert in_bytes(answer.json()["data"]) == alone(ada, cards)


def test_a_card_that_a_filter_finds_keeps_its_place(
    ada: User, project: Project, columns: Columns, client_of: ClientOf
) -> None:
    made = [factories.Card.create(column=columns["review"]) for _ in range(5)]
    address = f"/api/v1/projects/{project.public_id}/cards?search={made[3].key}"
    assert [card["position"] for card in client_of(ada).get(address).json()["data"]] == [3]


def test_some_cards_come_in_the_order_asked_for(ada: User, board: Board, cards: list[Card]) -> None:
    elsewhere = factories.Card.create()
    wanted = [cards[4].pk, elsewhere.pk, cards[1].pk, cards[4].pk, uuid.uuid4()]
    shown = outputs.cards_by_id(board, wanted)
    assert [card["id"] for card in shown] == [cards[4].public_id, cards[1].public_id]
    assert in_bytes(shown).items() <= alone(ada, cards).items()
    assert outputs.cards_by_id(board, []) == []
