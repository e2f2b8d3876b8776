"""The Django admin: for super admins, through the same door, without secrets."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client

from apps.accounts import operations
from apps.accounts.models import ApiToken, User
from tests import factories
from tests.people import BrowserOf, actor_of

OURS = ("core", "accounts", "orgs", "projects", "boards", "agents")


def test_it_uses_the_same_door(root: User) -> None:
    answer = Client().get("/admin/")

    assert answer.headers["Location"].startswith("/admin/login/")
    door = Client().get(answer.headers["Location"])
    assert door.headers["Location"].startswith("/accounts/login/")


def test_only_super_admins_get_in(browser_of: BrowserOf, root: User, ada: User) -> None:
    administrator = factories.User.create(role="admin")

    assert browser_of(root).get("/admin/").status_code == 200
    for person in (ada, administrator):
        assert browser_of(person).get("/admin/", follow=True).status_code == 403


def test_accounts_and_organizations_are_there() -> None:
    shown = {model._meta.label for model in admin.site._registry}

    assert shown >= {
        "accounts.User",
        "accounts.ApiToken",
        "accounts.Preferences",
        "accounts.ServerSettings",
        "orgs.Organization",
        "orgs.Membership",
        "core.Event",
        "core.Topic",
    }


def test_nothing_secret_is_shown(browser_of: BrowserOf, root: User, ada: User) -> None:
    operations.create_token(actor=actor_of(ada), name="laptop")
    token = ApiToken.objects.get()
    browser = browser_of(root)

    for path in (
        "/admin/accounts/user/",
        f"/admin/accounts/user/{ada.pk}/change/",
        "/admin/accounts/apitoken/",
        f"/admin/accounts/apitoken/{token.pk}/change/",
    ):
        page = browser.get(path)
        assert page.status_code == 200
        assert token.digest.encode() not in page.content
        assert ada.password.encode() not in page.content


@pytest.mark.parametrize("label", OURS)
def test_every_list_opens(browser_of: BrowserOf, root: User, label: str) -> None:
    browser = browser_of(root)

    for model in apps.get_app_config(label).get_models():
        path = f"/admin/{label}/{model._meta.model_name}/"
        assert browser.get(path, {"q": "a"}).status_code == 200, path


def test_people_are_signed_out_everywhere(browser_of: BrowserOf, root: User, ada: User) -> None:
    hers = browser_of(ada)

    browser_of(root).post(
        "/admin/accounts/user/",
        {"action": "sign_out_everywhere", "_selected_action": [str(ada.pk)]},
    )

    assert hers.get("/api/v1/auth/me").status_code == 401


def test_people_are_not_written_here(browser_of: BrowserOf, root: User, ada: User) -> None:
    browser = browser_of(root)

    answers = [
        browser.post(f"/admin/accounts/user/{ada.pk}/change/", {"role": "super_admin"}),
        browser.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}),
        browser.post("/admin/accounts/user/add/", {"email": "x@example.org"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    ada.refresh_from_db()
    assert ada.role == "user"
