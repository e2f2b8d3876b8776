"""Changing a password, being made to, and what it ends."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import credentials, operations
from apps.accounts.models import User
from apps.core import problems
from apps.core.models import Event
from tests.factories import PASSWORD
from tests.people import BrowserOf, ClientOf, actor_of

NEW = "quite another horse, battery"
CHANGE = {"currentPassword": PASSWORD, "newPassword": NEW}


def test_a_new_password_ends_tokens_sessions_and_tickets(
    client_of: ClientOf, browser_of: BrowserOf, nobody: APIClient, ada: User
) -> None:
    client, other, browser = client_of(ada), client_of(ada), browser_of(ada)
    ticket = operations.create_ticket(actor=actor_of(ada)).secret
    session = credentials.Credentials(user=ada, kind="session", token_version=1)

    answer = client.post("/api/v1/auth/change-password", CHANGE)

    assert answer.status_code == 200
    assert client.get("/api/v1/auth/me").status_code == 401
    assert other.get("/api/v1/auth/me").status_code == 401
    assert browser.get("/api/v1/auth/me").status_code == 401
    with pytest.raises(problems.Unauthorized):
        credentials.of_ticket(ticket)
    assert credentials.ended([session]) == {session}
    fresh = answer.json()["data"]["token"]
    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {fresh}")
    assert nobody.get("/api/v1/auth/me").status_code == 200


def test_open_connections_are_told(client_of: ClientOf, ada: User) -> None:
    client_of(ada).post("/api/v1/auth/change-password", CHANGE)

    event = Event.objects.get()
    assert (event.topic, event.kind) == (f"user.{ada.public_id}", "credentials.ended")
    assert event.data == {"tokenId": None}


def test_personal_tokens_outlive_the_password(
    client_of: ClientOf, nobody: APIClient, ada: User
) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")

    client_of(ada).post("/api/v1/auth/change-password", CHANGE)

    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {issued.secret}")
    assert nobody.get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"currentPassword": "wrong", "newPassword": NEW}, "currentPassword", "wrong"),
        ({"currentPassword": PASSWORD, "newPassword": PASSWORD}, "newPassword", "same"),
        (
            {"currentPassword": PASSWORD, "newPassword": "short"},
            "newPassword",
            "password_too_short",
        ),
        (
            {"currentPassword": PASSWORD, "newPassword": "ada@example"},
            "newPassword",
            "password_too_similar",
        ),
        ({"currentPassword": PASSWORD}, "newPassword", "required"),
    ],
)
def test_a_wrong_or_weak_password_changes_nothing(
    client_of: ClientOf, ada: User, body: dict[str, str], field: str, code: str
) -> None:
    answer = client_of(ada).post("/api/v1/auth/change-password", body)

    assert answer.status_code == 400
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(field, code)]
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    assert not Event.objects.exists()


@pytest.fixture
def newcomer(ada: User) -> User:
    """Ada with a password that somebody gave her."""
    ada.must_change_password = True
    ada.save()
    return ada


def test_a_given_password_opens_nothing_but_its_change(client_of: ClientOf, newcomer: User) -> None:
    client = client_of(newcomer)

    refused = client.get("/api/v1/organizations")
    me = client.get("/api/v1/auth/me")
    changed = client.post("/api/v1/auth/change-password", CHANGE)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {changed.json()['data']['token']}")

    assert (refused.status_code, refused.json()["code"]) == (403, "PASSWORD_CHANGE_REQUIRED")
    assert me.status_code == 200
    assert client.get("/api/v1/organizations").status_code == 200


def test_pages_lead_to_the_change(browser_of: BrowserOf, newcomer: User) -> None:
    browser = browser_of(newcomer)

    led = browser.get("/settings/profile")
    page = browser.get("/settings/password")
    answer = browser.post(
        "/settings/password",
        {"current_password": PASSWORD, "new_password": NEW, "new_password2": NEW},
    )

    assert led.headers["Location"] == "/settings/password"
    assert page.context["forced"] is True
    assert answer.headers["Location"] == "/settings/profile"
    assert browser.get("/settings/profile").status_code == 200


def test_the_page_says_what_is_wrong(browser_of: BrowserOf, ada: User) -> None:
    answer = browser_of(ada).post(
        "/settings/password",
        {"current_password": "wrong", "new_password": NEW, "new_password2": NEW},
    )

    assert answer.status_code == 200
    assert b"This is not your current password." in answer.content


def test_a_forgotten_password_is_replaced_by_mail(browser_of: BrowserOf, ada: User) -> None:
    elsewhere, browser = browser_of(ada), Client()

    browser.post("/accounts/password/reset/", {"email": "ada@example.org"})
    (letter,) = mail.outbox
    found = re.search(r"http://testserver(/\S+)", str(letter.body))
    assert found
    form = browser.get(found.group(1), follow=True)
    target = form.redirect_chain[-1][0]
    browser.post(target, {"password1": NEW, "password2": NEW})

    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert ada.token_version == 2
    assert elsewhere.get("/api/v1/auth/me").status_code == 401


def test_an_unknown_address_gets_no_mail(ada: User) -> None:
    answer = Client().post("/accounts/password/reset/", {"email": "nobody@example.org"})

    assert answer.status_code == 302
    assert mail.outbox == []
