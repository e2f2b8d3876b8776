"""The first account."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import operations
from apps.accounts.models import User
from apps.core import problems
from apps.core.actors import Actor
from apps.core.models import Event
from tests.factories import PASSWORD

VISITOR = Actor(user=None, origin="rest", name="visitor")
FIRST = {"email": "Root@Example.org", "password": PASSWORD, "displayName": "Root"}


@pytest.mark.django_db
def test_the_first_account_runs_the_server(nobody: APIClient) -> None:
    answer = nobody.post("/api/v1/auth/setup", FIRST)

    user = User.objects.get()
    assert answer.status_code == 201
    assert answer.json()["data"]["user"] == {
        "id": user.public_id,
        "email": "root@example.org",
        "displayName": "Root",
        "role": "super_admin",
    }
    token = answer.json()["data"]["token"]
    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert nobody.get("/api/auth/me").json() == {"data": answer.json()["data"]["user"]}


@pytest.mark.django_db
def test_without_a_name_the_address_gives_one(nobody: APIClient) -> None:
    body = {"email": "root@example.org", "password": PASSWORD}

    answer = nobody.post("/api/v1/auth/setup", body)

    assert answer.json()["data"]["user"]["displayName"] == "root"


def test_a_second_setup_is_refused(nobody: APIClient, eve: User) -> None:
    answer = nobody.post("/api/v1/auth/setup", FIRST)

    assert answer.status_code == 409
    assert answer.json()["code"] == "SETUP_DONE"
    assert list(User.objects.all()) == [eve]


@pytest.mark.django_db
def test_a_weak_password_makes_nobody(nobody: APIClient) -> None:
    answer = nobody.post("/api/v1/auth/setup", FIRST | {"password": "password"})

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "field": "password",
            "code": "password_too_common",
            "detail": "This password is too common.",
        }
    ]
    assert not User.objects.exists()


@pytest.mark.django_db
def test_the_journal_tells_of_it(nobody: APIClient) -> None:
    nobody.post("/api/v1/auth/setup", FIRST)

    event = Event.objects.get()
    assert (event.topic, event.version, event.kind) == ("server", 1, "user.created")
    assert event.data["user"]["role"] == "super_admin"
    assert event.actor == {"userId": User.objects.get().public_id, "name": "Root", "origin": "rest"}


@pytest.mark.django_db(transaction=True)
def test_of_many_simultaneous_setups_one_succeeds() -> None:
    together = threading.Barrier(8)
    outcomes: list[str] = []

    def set_up(number: int) -> None:
        try:
            together.wait(10)
            operations.set_up(actor=VISITOR, email=f"root{number}@example.org", password=PASSWORD)
            outcomes.append("done")
        except problems.Conflict as problem:
            outcomes.append(problem.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=set_up, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["SETUP_DONE"] * 7 + ["done"]
    assert [user.role for user in User.objects.all()] == ["super_admin"]


@pytest.mark.django_db
def test_until_then_the_status_says_so(nobody: APIClient) -> None:
    before = nobody.get("/api/settings/auth-status").json()
    nobody.post("/api/v1/auth/setup", FIRST)
    after = nobody.get("/api/settings/auth-status").json()

    assert before == {"data": {"authEnabled": True, "oidcEnabled": False, "hasUsers": False}}
    assert after == {"data": {"authEnabled": True, "oidcEnabled": False, "hasUsers": True}}


@pytest.mark.django_db
def test_until_then_the_api_answers_nobody(nobody: APIClient) -> None:
    answer = nobody.get("/api/v1/organizations")

    assert answer.status_code == 401
    assert answer.json()["code"] == "UNAUTHORIZED"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/settings/profile", "/admin/", "/no"])
def test_until_then_every_page_leads_to_setup(path: str) -> None:
    answer = Client().get(path)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/setup")


@pytest.mark.django_db
def test_the_page_makes_the_account_and_signs_it_in() -> None:
    browser = Client()
    assert browser.get("/setup").status_code == 200

    answer = browser.post(
        "/setup",
        {
            "email": "root@example.org",
            "name": "Root",
            "password": PASSWORD,
            "password2": PASSWORD,
        },
    )

    assert (answer.status_code, answer.headers["Location"]) == (302, "/projects")
    assert User.objects.get().is_super_admin
    assert browser.get("/settings/profile").status_code == 200


@pytest.mark.django_db
def test_the_page_says_what_is_wrong() -> None:
    answer = Client().post(
        "/setup",
        {"email": "root@example.org", "password": "password", "password2": "passwort"},
    )

    assert answer.status_code == 200
    assert b"The two passwords are not the same." in answer.content
    assert not User.objects.exists()


def test_afterwards_the_page_leads_to_signing_in(eve: User) -> None:
    answer = Client().get("/setup")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/")


@pytest.mark.django_db
@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
def test_the_api_answers_before_anybody_is_here(nobody: APIClient, prefix: str) -> None:
    answer = nobody.get(f"{prefix}/health")

    assert (answer.status_code, answer.json()) == (200, {"data": {"status": "ok"}})
