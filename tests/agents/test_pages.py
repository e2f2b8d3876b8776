"""The drawer of a card and the fragments of an attempt."""

from __future__ import annotations

import re

from apps.accounts.models import User
from apps.boards.models import Board, Column
from tests import factories
from tests.people import BrowserOf, ClientOf


def test_every_tab_opens_and_a_queued_attempt_says_its_place(
    browser_of: BrowserOf, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    first, second = (factories.Card.create(column=columns["backlog"]) for _ in range(2))
    attempt = factories.Attempt.create(card=first)
    factories.Attempt.create(card=second, succeeded=True)
    browser = browser_of(ada)

    for tab in ("brief", "run", "changes", "history"):
        for card in (first, second):
            path = f"/boards/{board.public_id}/cards/{card.public_id}/drawer?tab={tab}"
            assert browser.get(path).status_code == 200
    page = browser.get(f"/attempts/{attempt.public_id}/run")

    assert page.status_code == 200
    assert b"number 1" in page.content


def test_a_card_opens_where_this_person_left_it(
    browser_of: BrowserOf,
    client_of: ClientOf,
    ada: User,
    bob: User,
    board: Board,
    columns: dict[str, Column],
) -> None:
    card = factories.Card.create(column=columns["backlog"])
    states = f"/api/v1/projects/{board.project.public_id}/panel-states"
    path = f"/boards/{board.public_id}/cards/{card.public_id}"

    client_of(ada).put(states, {card.public_id: {"tab": "history"}})
    client_of(bob).put(states, {card.public_id: ["not", "ours"]})

    assert b'data-tab="history"\n' in browser_of(ada).get(f"{path}/drawer").content
    assert b'data-tab="history"\n' in browser_of(ada).get(path).content
    assert b'data-tab="run"\n' in browser_of(ada).get(f"{path}/drawer?tab=run").content
    assert b'data-tab="brief"\n' in browser_of(bob).get(f"{path}/drawer").content


def test_the_drawer_shows_what_waits_and_what_can_be_done_about_it(
    browser_of: BrowserOf, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = factories.Card.create(
        column=columns["inProgress"],
        is_auto_mode=True,
        awaiting_approval=True,
        summary="**Did** it",
    )
    factories.Attempt.create(
        card=card, succeeded=True, session_id="s", context_used=85, context_size=100
    )
    path = f"/boards/{board.public_id}/cards/{card.public_id}/drawer?tab=brief"

    shown = browser_of(ada).get(path).content.decode()

    assert f'hx-post="/cards/{card.public_id}/approve"' in shown
    assert "context is 85 % full" in shown
    assert "<strong>Did</strong> it" in shown
    assert re.search(r'name="enabled"\s+checked', shown)
    assert not re.search(r'name="skipApproval"\s+checked', shown)


def test_the_drawers_switch_is_the_rest_of_the_products_switch(
    browser_of: BrowserOf, ada: User, eve: User, board: Board, columns: dict[str, Column]
) -> None:
    card = factories.Card.create(column=columns["backlog"])
    path = f"/cards/{card.public_id}/auto-mode"

    assert browser_of(ada).post(path, {"enabled": "on", "skipApproval": "on"}).status_code == 204
    card.refresh_from_db()
    assert (card.is_auto_mode, card.skip_approval, card.skip_plan_columns) == (True, True, False)
    assert browser_of(eve).post(path, {}).status_code == 404
    assert browser_of(ada).get(path).status_code == 405
    refused = browser_of(ada).post(f"/cards/{card.public_id}/approve")
    assert (refused.status_code, refused.content) == (409, b"This card waits for no approval.")
    for asked in ("summary", "relay"):
        assert browser_of(ada).post(f"/cards/{card.public_id}/{asked}").status_code == 409


def test_settings_without_the_name_of_a_section_are_no_crash(
    browser_of: BrowserOf, ada: User, board: Board
) -> None:
    answer = browser_of(ada).post(f"/projects/{board.project.public_id}/settings", {})

    assert answer.status_code == 422
