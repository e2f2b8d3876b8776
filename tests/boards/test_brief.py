"""People and dependencies of a card, as the drawer changes them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.boards import inputs, operations
from apps.boards.models import Board, Card, Column
from tests import factories
from tests.people import BrowserOf, actor_of
from tests.threads import at_once


@pytest.fixture
def card(columns: dict[str, Column]) -> Card:
    return factories.Card.create(column=columns["backlog"])


@pytest.fixture
def browser(browser_of: BrowserOf, ada: User) -> Client:
    return browser_of(ada)


def said(answer: Any) -> str:
    assert answer.status_code == 204
    return str(json.loads(answer["HX-Trigger"])["toast"]["text"])


def waits_for(card: Card) -> set[str]:
    return {row.depends_on.public_id for row in card.dependencies.all()}


def test_the_ticked_people_are_on_the_card(
    browser: Client, card: Card, ada: User, bob: User
) -> None:
    path = f"/cards/{card.public_id}/assignees"
    both = {"person": [ada.public_id, bob.public_id]}

    assert browser.post(path, both).status_code == 204
    assert set(card.assignees.all()) == {ada, bob}

    assert browser.post(path).status_code == 204
    assert card.assignees.count() == 0


@pytest.mark.parametrize("given", ["", "nonsense", "user_00000000000000000000000000", "eve"])
def test_nobody_else_can_be_put_on_it(browser: Client, card: Card, eve: User, given: str) -> None:
    person = eve.public_id if given == "eve" else given
    assert said(browser.post(f"/cards/{card.public_id}/assignees", {"person": person}))
    assert card.assignees.count() == 0


def test_a_card_waits_for_another_named_by_its_key(
    browser: Client, card: Card, columns: dict[str, Column]
) -> None:
    first, second = (factories.Card.create(column=columns["backlog"]) for _ in range(2))
    path = f"/cards/{card.public_id}/dependencies"

    browser.post(path, {"add": first.key.lower()})
    browser.post(path, {"add": f" {second.key} with its title"})
    browser.post(path, {"add": second.key})
    assert waits_for(card) == {first.public_id, second.public_id}

    browser.post(path, {"remove": first.public_id})
    browser.post(path, {"remove": "nonsense"})
    assert waits_for(card) == {second.public_id}


@pytest.mark.django_db(transaction=True)
def test_two_added_at_the_same_moment_both_stay(
    browser_of: BrowserOf, ada: User, card: Card, columns: dict[str, Column]
) -> None:
    others = factories.Card.create_batch(6, column=columns["backlog"])
    path = f"/cards/{card.public_id}/dependencies"
    gone, *added = others
    operations.add_dependency(actor=actor_of(ada), card=card, other_id=gone.pk)
    asked = [{"remove": gone.public_id}, *({"add": other.key} for other in added)]
    posts = [partial(browser_of(ada).post, path, one) for one in asked]

    answers = at_once(*posts)

    assert [(answer.status_code, answer.headers.get("HX-Trigger")) for answer in answers] == [
        (204, None)
    ] * len(asked)
    assert waits_for(card) == {other.public_id for other in added}


def test_a_card_waits_for_no_more_than_a_client_can_name(
    monkeypatch: pytest.MonkeyPatch, browser: Client, card: Card, columns: dict[str, Column]
) -> None:
    monkeypatch.setattr(inputs, "MAX_SET", 1)
    first, second = factories.Card.create_batch(2, column=columns["backlog"])
    path = f"/cards/{card.public_id}/dependencies"
    browser.post(path, {"add": first.key})

    assert said(browser.post(path, {"add": second.key}))
    assert waits_for(card) == {first.public_id}


def test_a_key_that_names_no_card_or_closes_a_circle_is_refused(
    browser: Client, card: Card, board: Board, columns: dict[str, Column]
) -> None:
    other = factories.Card.create(column=columns["backlog"])
    elsewhere = factories.BoardWithColumns.create(project=board.project).columns.first()
    far = factories.Card.create(column=elsewhere)
    path = f"/cards/{card.public_id}/dependencies"
    for key in ("", "  ", "NO-1", card.key, far.key, "\x00", "箱", "x" * 5000):
        refused = browser.post(path, {"add": key})
        assert said(refused) == "Name another card of this board by its key."
    browser.post(path, {"add": other.key})

    refused = browser.post(f"/cards/{other.public_id}/dependencies", {"add": card.key})

    assert said(refused) == "These cards would wait for each other."
    assert waits_for(other) == set()


def test_cards_that_a_text_could_mean_are_offered(
    browser: Client, card: Card, columns: dict[str, Column]
) -> None:
    wood = factories.Card.create(column=columns["backlog"], title="Cut <wood>")
    factories.Card.create(column=columns["backlog"], title="Draw water")

    shown = browser.get(f"/cards/{card.public_id}/others?add=wood").content.decode()

    assert shown.strip() == f'<option value="{wood.key}">Cut &lt;wood&gt;</option>'
    assert browser.get(f"/cards/{card.public_id}/others?add=%00wood%ff").status_code == 200
    assert browser.get(f"/cards/{card.public_id}/others").content.decode().count("<option") == 2


def test_a_stranger_finds_no_card(browser_of: BrowserOf, eve: User, card: Card) -> None:
    for method, name in (("post", "assignees"), ("post", "dependencies"), ("get", "others")):
        answer = getattr(browser_of(eve), method)(f"/cards/{card.public_id}/{name}")
        assert answer.status_code == 404
