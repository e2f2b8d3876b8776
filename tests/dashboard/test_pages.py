from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.boards.models import Card, Column
from tests import factories
from tests.people import BrowserOf

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(columns: dict[str, Column]) -> dict[str, Card]:
    """A question, a failure, and something to review."""
    found = {name: factories.Card.create(column=columns["review"]) for name in ("a", "b", "c")}
    asking = factories.Attempt.create(card=found["a"], waiting=True, waiting_for="permission")
    factories.Approval.create(attempt=asking, kind="permission", title="Run tests")
    factories.Attempt.create(card=found["b"], failed=True)
    factories.Attempt.create(card=found["c"], succeeded=True)
    return found


@pytest.mark.parametrize("name", ["mission_control", "inbox"])
def test_pages_need_a_sign_in(name: str) -> None:

    answer = Client().get(reverse(name))
    assert answer.status_code == 302


def test_mission_control_shows_the_overview(
    ada: User, browser_of: BrowserOf, work: dict[str, Card]
) -> None:
    answer = browser_of(ada).get(reverse("mission_control"), {"timeRangePreset": "last_24h"})
    assert answer.status_code == 200
    assert answer.context["preset"] == "last_24h"
    assert next(entry["key"] for entry in answer.context["presets"]) == "last_24h"
    body = answer.content.decode()
    for card in work.values():
        assert card.key in body


def test_a_script_gets_the_middle_alone(
    ada: User, browser_of: BrowserOf, work: dict[str, Card]
) -> None:
    for name, mark in (("mission_control", 'id="overview"'), ("inbox", 'id="inbox"')):
        answer = browser_of(ada).get(reverse(name), headers={"HX-Request": "true"})
        body = answer.content.decode()
        assert mark in body
        assert "<html" not in body


def test_the_inbox_has_three_groups(
    ada: User, browser_of: BrowserOf, work: dict[str, Card]
) -> None:
    answer = browser_of(ada).get(reverse("inbox"))
    inbox = answer.context["inbox"]
    shown = {group: [(row["kind"], row["cardId"]) for row in rows] for group, rows in inbox.items()}
    assert shown == {
        "needsYou": [("approval", work["a"].public_id)],
        "broken": [("failed", work["b"].public_id)],
        "done": [("review", work["c"].public_id)],
    }
    assert inbox["needsYou"][0]["reason"] == "Asks for permission: Run tests"
    assert inbox["needsYou"][0]["verb"] == {
        "label": "Answer",
        "href": f"/boards/{work['a'].board.public_id}/cards/{work['a'].public_id}?tab=run",
    }
    assert answer.context["total"] == 3


def test_a_stranger_s_inbox_is_empty(
    eve: User, browser_of: BrowserOf, work: dict[str, Card]
) -> None:
    assert browser_of(eve).get(reverse("inbox")).context["total"] == 0


def test_a_wrong_range_is_refused(ada: User, browser_of: BrowserOf) -> None:
    assert browser_of(ada).get(reverse("mission_control"), {"range": "x"}).status_code == 400
