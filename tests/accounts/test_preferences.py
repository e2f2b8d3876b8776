"""How people like the pages, and how they find each other."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import Preferences, User
from apps.core.models import Event
from tests import factories
from tests.people import BrowserOf, ClientOf

URL = "/api/v1/user/settings"
DEFAULTS = {
    "theme": "dark",
    "highContrast": False,
    "sidebarExpanded": True,
    "agentReasoning": True,
    "statusLine": True,
    "hiddenToolTypes": [],
}


def test_the_defaults_need_no_row(client_of: ClientOf, ada: User) -> None:
    assert client_of(ada).get(URL).json() == {"data": DEFAULTS}
    assert not Preferences.objects.exists()


def test_what_is_left_out_stays(client_of: ClientOf, ada: User, bob: User) -> None:
    client = client_of(ada)
    client.put(URL, {"theme": "light", "hiddenToolTypes": ["read", "search"]})

    answer = client.put(URL, {"highContrast": True})

    expected = DEFAULTS | {
        "theme": "light",
        "highContrast": True,
        "hiddenToolTypes": ["read", "search"],
    }
    assert answer.json() == client.get(URL).json() == {"data": expected}
    assert client_of(bob).get(URL).json() == {"data": DEFAULTS}
    event = Event.objects.latest("id")
    assert (event.topic, event.kind) == (f"user.{ada.public_id}", "preferences.updated")
    assert event.data == {"preferences": expected}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"theme": "pink"}, "theme"),
        ({"highContrast": "yes"}, "highContrast"),
        ({"hiddenToolTypes": "read"}, "hiddenToolTypes"),
        ({"hiddenToolTypes": [1]}, "hiddenToolTypes.0"),
        ({"hiddenToolTypes": ["x"] * 101}, "hiddenToolTypes"),
        ({"colour": "red"}, "colour"),
        ({"high_contrast": True}, "high_contrast"),
    ],
)
def test_a_wrong_wish_changes_nothing(
    client_of: ClientOf, ada: User, body: dict[str, object], field: str
) -> None:
    answer = client_of(ada).put(URL, body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Preferences.objects.exists()


def test_pages_follow_them(browser_of: BrowserOf, ada: User) -> None:
    browser = browser_of(ada)

    browser.post("/settings/appearance", {"theme": "light", "highContrast": "on"})
    page = browser.get("/settings/appearance").content.decode()

    assert 'data-theme="light"' in page
    assert 'data-contrast="high"' in page


def test_a_page_refuses_a_theme_that_does_not_exist(browser_of: BrowserOf, ada: User) -> None:
    answer = browser_of(ada).post("/settings/appearance", {"theme": "pink"})

    assert answer.status_code == 400
    assert not Preferences.objects.exists()


def test_a_person_changes_their_name(browser_of: BrowserOf, ada: User) -> None:
    browser = browser_of(ada)

    answer = browser.post("/settings/profile", {"display_name": "Countess <b>"})
    page = browser.get("/settings/profile").content.decode()

    assert answer.status_code == 302
    assert "Countess &lt;b&gt;" in page
    assert "Countess <b>" not in page


def test_pages_ask_who_is_there(ada: User) -> None:
    for path in ("profile", "appearance", "tokens", "password"):
        answer = Client().get(f"/settings/{path}")
        assert answer.headers["Location"] == f"/accounts/login/?next=/settings/{path}"


def test_people_are_found_by_a_part_of_name_or_address(
    client_of: ClientOf, ada: User, bob: User
) -> None:
    factories.User.create(email="ad@example.org", display_name="Closed", is_active=False)
    client = client_of(bob)

    found = client.get("/api/v1/users/search", {"q": "AD"}).json()

    expected = {"id": ada.public_id, "email": "ada@example.org", "displayName": "Ada"}
    assert found == {"data": [expected]}
    assert client.get("/api/v1/users/search").json() == {"data": []}


def test_the_search_does_not_list_everybody(client_of: ClientOf, ada: User) -> None:
    factories.User.create_batch(30)

    found = client_of(ada).get("/api/v1/users/search", {"q": "example.org"}).json()

    assert len(found["data"]) == 20


def test_wildcards_are_plain_characters(client_of: ClientOf, ada: User) -> None:
    assert client_of(ada).get("/api/v1/users/search", {"q": "%"}).json() == {"data": []}
    assert client_of(ada).get("/api/v1/users/search", {"q": "_d_"}).json() == {"data": []}
