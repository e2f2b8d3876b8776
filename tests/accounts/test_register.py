"""Who may make an account."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apps.accounts.models import User
from tests import factories
from tests.factories import PASSWORD
from tests.people import ClientOf

NEW = {"email": "New@Example.org", "password": PASSWORD, "displayName": "New"}


def test_an_open_server_takes_everybody(nobody: APIClient, root: User) -> None:
    answer = nobody.post("/api/v1/auth/register", NEW)

    assert answer.status_code == 201
    assert answer.json()["data"]["user"]["role"] == "user"
    assert answer.json()["data"]["user"]["email"] == "new@example.org"


@pytest.mark.django_db
def test_nobody_registers_before_setup(nobody: APIClient) -> None:
    answer = nobody.post("/api/v1/auth/register", NEW)

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert not User.objects.exists()


def test_a_closed_server_takes_nobody(nobody: APIClient, root: User, settings: Settings) -> None:
    settings.KANBANAI_REGISTRATION = "closed"

    answer = nobody.post("/api/v1/auth/register", NEW)
    page = Client().get("/accounts/signup/")

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert b"password1" not in page.content
    assert list(User.objects.all()) == [root]


def test_only_the_invited_come_in_by_invitation(
    nobody: APIClient, root: User, settings: Settings
) -> None:
    settings.KANBANAI_REGISTRATION = "invite"
    project = factories.Project.create(owner=root)
    factories.Invitation.create(project=project, email="new@example.org")

    stranger = nobody.post("/api/v1/auth/register", NEW | {"email": "other@example.org"})
    invited = nobody.post("/api/v1/auth/register", NEW)

    assert stranger.status_code == 403
    assert invited.status_code == 201
    user = User.objects.get(email="new@example.org")
    assert list(project.members.values_list("user", "role")) == [(user.pk, "member")]
    assert not project.invitations.exists()


def test_what_super_admins_set_wins_over_the_environment(
    nobody: APIClient, client_of: ClientOf, root: User
) -> None:
    body = {"enabled": True, "registration": "closed"}

    changed = client_of(root).put("/api/settings/auth", body)

    assert changed.json() == {"data": {"enabled": True, "registration": "closed"}}
    assert nobody.post("/api/v1/auth/register", NEW).status_code == 403


def test_an_address_registers_once_whatever_its_case(nobody: APIClient, ada: User) -> None:
    answer = nobody.post("/api/v1/auth/register", NEW | {"email": "ADA@EXAMPLE.ORG"})

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert User.objects.count() == 1


def test_registering_has_a_limit(nobody: APIClient, root: User) -> None:
    answers = [
        nobody.post("/api/v1/auth/register", NEW | {"email": f"new{n}@example.org"})
        for n in range(21)
    ]

    assert [answer.status_code for answer in answers] == [201] * 20 + [429]
    assert answers[-1].headers["Retry-After"] == "60"


def test_the_page_registers_and_signs_in(root: User) -> None:
    browser = Client()
    form = {"email": "New@example.org", "name": "New", "password1": PASSWORD}

    answer = browser.post("/accounts/signup/", form)

    assert answer.status_code == 302
    user = User.objects.get(email="new@example.org")
    assert (user.display_name, user.role) == ("New", "user")
    assert browser.session["_auth_user_id"] == str(user.pk)


def test_the_page_refuses_who_is_not_invited(root: User, settings: Settings) -> None:
    settings.KANBANAI_REGISTRATION = "invite"
    form = {"email": "new@example.org", "name": "New", "password1": PASSWORD}

    answer = Client().post("/accounts/signup/", form)

    assert b"Ask for an invitation." in answer.content
    assert list(User.objects.all()) == [root]
