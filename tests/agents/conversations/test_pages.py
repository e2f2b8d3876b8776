"""The assistant's page, and the dialog in which a prompt is sharpened."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.agents.conversation_tables import Conversation
from apps.boards.models import Board, Card, Column
from apps.projects.models import Project
from tests.agents.conversations.conftest import answer_now
from tests.people import BrowserOf

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_talks_to_the_assistant_on_its_page(
    ada: User, browser_of: BrowserOf, talkative: Project, columns: dict[str, Column]
) -> None:
    browser = browser_of(ada)
    page = browser.get(reverse("assistant", args=[talkative.pk]))
    assert page.status_code == 200
    assert "every 1s" not in page.content.decode()

    said = browser.post(
        reverse("assistant_talk", args=[talkative.pk]),
        {"content": "Create a card called <b>Oil</b>"},
    ).content.decode()

    assert "Create a card called" in said
    assert 'hx-trigger="every 1s"' in said
    assert 'hx-swap-oob="true"' in said
    answer_now()
    shown = browser.get(reverse("assistant_talk", args=[talkative.pk])).content.decode()
    assert Card.objects.get().title == "<b>Oil</b>"
    assert "<b>Oil</b>" not in shown
    assert "every 1s" not in shown


def test_what_cannot_be_said_stays_in_the_form(
    ada: User, browser_of: BrowserOf, talkative: Project, settings: object
) -> None:
    settings.KANBANAI_SANDBOX = "none"  # type: ignore[attr-defined]
    url = reverse("assistant_talk", args=[talkative.pk])

    answer = browser_of(ada).post(url, {"content": "Hello you"})

    assert answer.status_code == 200
    assert "No sandbox is available" in answer.content.decode()
    assert "Hello you</textarea>" in answer.content.decode()


def test_a_stop_is_a_button(ada: User, browser_of: BrowserOf, talkative: Project) -> None:
    browser = browser_of(ada)
    browser.post(reverse("assistant_talk", args=[talkative.pk]), {"content": "@say Hello"})

    answer = browser.post(reverse("assistant_stop", args=[talkative.pk]))

    assert "every 1s" not in answer.content.decode()
    assert Conversation.objects.get().activity == "idle"


def test_a_new_card_is_sharpened_before_it_is_worked_on(
    ada: User,
    browser_of: BrowserOf,
    talkative: Project,
    board: Board,
    columns: dict[str, Column],
) -> None:
    browser = browser_of(ada)

    dialog = browser.post(
        reverse("card_new", args=[board.pk]),
        {
            "title": "Explain the engine",
            "description": "Extend the README.",
            "columnId": columns["inProgress"].public_id,
            "sharpen": "1",
        },
    )

    card = Card.objects.get()
    row = Conversation.objects.get()
    assert (card.is_deferred, row.card, row.status) == (True, card, "active")
    assert f"Sharpen {card.key} Explain the engine" in dialog.content.decode()
    talk = reverse("presession_talk", args=[card.pk, row.pk])
    assert talk in dialog.content.decode()
    browser.post(talk, {"content": "Say how to start it."})
    answer_now()
    shown = browser.get(talk).content.decode()
    assert re.search(r'<textarea[^>]*name="prompt"[^>]*>', shown)

    ended = browser.post(
        reverse("presession_end", args=[card.pk, row.pk]),
        {"accept": "1", "prompt": "The prompt as ada likes it."},
    )

    assert ended.status_code == 204
    assert json.loads(ended.headers["HX-Trigger"])["closeDialog"] is True
    card.refresh_from_db()
    assert (card.prompt, card.is_deferred) == ("The prompt as ada likes it.", True)


def test_the_drawer_of_a_deferred_card_offers_it(
    ada: User, browser_of: BrowserOf, deferred: Card, board: Board
) -> None:
    browser = browser_of(ada)
    drawer = browser.get(reverse("card_drawer", args=[board.pk, deferred.pk]) + "?tab=brief")
    url = reverse("presession", args=[deferred.pk])
    assert url in drawer.content.decode()

    first = browser.post(url)
    second = browser.post(url)

    assert first.status_code == second.status_code == 200
    row = Conversation.objects.get()
    left = browser.post(reverse("presession_end", args=[deferred.pk, row.pk]))
    assert left.status_code == 204
    row.refresh_from_db()
    assert row.status == "cancelled"


def test_a_card_that_is_not_deferred_is_refused_in_the_dialog(
    ada: User, browser_of: BrowserOf, deferred: Card
) -> None:
    Card.objects.update(is_deferred=False)
    answer = browser_of(ada).post(reverse("presession", args=[deferred.pk]))
    assert "Only a deferred card" in answer.content.decode()
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    ("who", "status"), [("ada", 200), ("bob", 200), ("eve", 404), ("root", 200)]
)
def test_the_pages_are_for_people_of_the_project(
    request: pytest.FixtureRequest,
    browser_of: BrowserOf,
    talkative: Project,
    deferred: Card,
    who: str,
    status: int,
) -> None:
    browser = browser_of(request.getfixturevalue(who))
    assert browser.get(reverse("assistant", args=[talkative.pk])).status_code == status
    assert browser.get(reverse("assistant_talk", args=[talkative.pk])).status_code == status
    assert browser.post(reverse("assistant_stop", args=[talkative.pk])).status_code == status
    assert browser.post(reverse("presession", args=[deferred.pk])).status_code == status
