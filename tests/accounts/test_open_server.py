"""A server without sign-in: when it may be one, who works there, and what foreign pages may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.hashers import make_password
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import authentication, credentials, openness, operations
from apps.accounts.models import Identity, OidcConfiguration, Preferences, ServerSettings, User
from apps.core import problems
from apps.core.actors import Actor
from apps.core.models import Event
from tests import factories
from tests.factories import PASSWORD
from tests.people import BrowserOf, ClientOf, actor_of

URL = "/api/v1/settings/auth"
HOME = "http://127.0.0.1:37100"


@pytest.fixture
def private(settings: LazySettings) -> None:
    """The server listens on its own machine alone."""
    settings.KANBANAI_HOST = "127.0.0.1"
    settings.KANBANAI_PUBLIC_ORIGIN = HOME
    settings.CSRF_TRUSTED_ORIGINS = [HOME]


@pytest.fixture
def open_server(private: None, root: User) -> User:
    """Sign-in is off; gives the implicit person."""
    operations.update_sign_in(actor=actor_of(root), enabled=False)
    return openness.implicit_user()


def put(client: APIClient, **body: Any) -> tuple[int, Any]:
    answer = client.put(URL, body)
    return answer.status_code, answer.json().get("data") or answer.json()["code"]


@pytest.mark.usefixtures("private")
def test_a_super_admin_switches_it_off_and_on(client_of: ClientOf, root: User) -> None:
    client = client_of(root)

    off = put(client, enabled=False)
    status = client.get("/api/v1/settings/auth-status").json()["data"]
    on = put(client, enabled=True, registration="closed")

    assert off == (200, {"enabled": False, "registration": "open"})
    assert status == {"authEnabled": False, "oidcEnabled": False, "hasUsers": True}
    assert on == (200, {"enabled": True, "registration": "closed"})
    assert client.get(URL).json()["data"] == {"enabled": True, "registration": "closed"}
    kinds = Event.objects.filter(kind="server.settings_changed").values_list("data", flat=True)
    assert list(kinds) == [{"settings": "auth"}] * 2


@pytest.mark.usefixtures("private")
def test_nobody_else_does(callers: dict[str, APIClient]) -> None:
    codes = {name: put(client, enabled=False)[0] for name, client in callers.items()}

    assert codes == {"nobody": 401, "ada": 403, "bob": 403, "eve": 403, "root": 200}


@pytest.mark.parametrize(
    "changes",
    [
        {"KANBANAI_HOST": "0.0.0.0"},  # noqa: S104 - nothing is bound
        {"KANBANAI_HOST": "192.0.2.1"},
        {"KANBANAI_HOST": "kanban.example.org"},
        {"KANBANAI_PUBLIC_ORIGIN": "https://kanban.example.org"},
        {"KANBANAI_BEHIND_PROXY": True},
    ],
)
def test_a_server_that_others_reach_keeps_its_sign_in(
    client_of: ClientOf, root: User, private: None, settings: Any, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert put(client_of(root), enabled=False, registration="closed") == (409, "CONFLICT")
    assert not ServerSettings.objects.exists()


def test_what_was_switched_off_is_on_once_others_reach_the_server(
    open_server: User, nobody: APIClient, settings: Any
) -> None:
    inside = nobody.get("/api/v1/auth/me").status_code
    settings.KANBANAI_HOST = "0.0.0.0"  # noqa: S104 - nothing is bound
    status = nobody.get("/api/v1/settings/auth-status").json()["data"]

    assert inside == 200
    assert nobody.get("/api/v1/auth/me").status_code == 401
    assert status["authEnabled"] is True
    assert Client().get("/settings/profile").status_code == 302
    with pytest.raises(problems.Unauthorized):
        authentication.user_of_scope({"headers": []})


def test_whoever_comes_is_the_implicit_person(open_server: User, nobody: APIClient) -> None:
    me = nobody.get("/api/v1/auth/me").json()["data"]
    page = Client().get("/settings/profile")
    live = authentication.user_of_scope({"headers": []})

    assert me == {
        "id": open_server.public_id,
        "email": "local@localhost",
        "displayName": "Local user",
        "role": "super_admin",
    }
    assert b"Local user" in page.content
    assert (live.user, live.kind) == (open_server, "open")
    assert nobody.post("/api/v1/organizations", {"name": "Engines"}).status_code == 201


def test_who_signs_in_is_oneself(open_server: User, client_of: ClientOf, ada: User) -> None:
    assert client_of(ada).get("/api/v1/auth/me").json()["data"]["email"] == "ada@example.org"
    nobody = APIClient()
    nobody.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    assert nobody.get("/api/v1/auth/me").status_code == 401


def test_no_list_shows_the_implicit_person(
    open_server: User, client_of: ClientOf, root: User
) -> None:
    client = client_of(root)

    listed = client.get("/api/v1/admin/users").json()["data"]
    found = client.get("/api/v1/users/search", {"q": "local"}).json()["data"]
    changed = client.patch(f"/api/v1/admin/users/{open_server.public_id}", {"role": "user"})

    assert [user["email"] for user in listed["users"]] == ["root@example.org"]
    assert found == []
    assert changed.status_code == 404


@pytest.mark.parametrize(
    ("headers", "content_type", "status"),
    [
        ({}, "application/json", 201),
        ({"Origin": HOME}, "application/json; charset=utf-8", 201),
        ({"Origin": "https://evil.example.org"}, "application/json", 403),
        ({"Origin": "null"}, "application/json", 403),
        ({"Origin": "http://127.0.0.1:8000"}, "application/json", 403),
        ({}, "text/plain", 415),
        ({}, "application/x-www-form-urlencoded", 415),
        ({}, "multipart/form-data; boundary=x", 415),
    ],
)
def test_foreign_pages_change_nothing(
    open_server: User, headers: dict[str, str], content_type: str, status: int
) -> None:
    answer = Client(headers=headers).post(
        "/api/v1/organizations", '{"name": "Engines"}', content_type=content_type
    )

    assert answer.status_code == status


def test_pages_still_ask_for_the_forms_token(open_server: User) -> None:
    browser = Client(enforce_csrf_checks=True)

    assert browser.post("/settings/profile", {"display_name": "X"}).status_code == 403


# --- on again ------------------------------------------------------------------------------------


def test_switched_on_again_the_work_goes_to_a_super_admin(
    open_server: User, nobody: APIClient, root: User
) -> None:
    project = factories.Project.create(owner=open_server)
    live = authentication.user_of_scope({"headers": []})

    assert put(nobody, enabled=True)[0] == 200

    project.refresh_from_db()
    assert project.owner == root
    assert credentials.ended([live]) == {live}
    assert nobody.get("/api/v1/auth/me").status_code == 401


def test_it_stays_off_while_nobody_could_sign_in(
    open_server: User, nobody: APIClient, root: User
) -> None:
    root.password = make_password(None)
    root.save()

    alone = put(nobody, enabled=True)
    OidcConfiguration.objects.create(
        issuer_url="https://id.example.org", client_id="kanban", client_secret="s"
    )
    unlinked = put(nobody, enabled=True)
    Identity.objects.create(
        user=root,
        issuer="https://id.example.org",
        subject="root",
        last_used_at=root.created_at,
    )

    assert alone == unlinked == (409, "CONFLICT")
    assert put(nobody, enabled=True)[0] == 200


@pytest.mark.django_db
def test_the_first_account_takes_the_local_work_over(private: None, nobody: APIClient) -> None:
    ServerSettings.objects.create(auth_enabled=False)
    local = openness.implicit_user()
    project = factories.Project.create(owner=local)
    actor = Actor(user=local, origin="rest")
    operations.update_preferences(actor=actor, changes={"theme": "light"})
    before = nobody.get("/api/v1/settings/auth-status").json()["data"]

    body = {"email": "root@example.org", "password": PASSWORD}
    answer = nobody.post("/api/v1/auth/setup", body)

    assert before == {"authEnabled": False, "oidcEnabled": False, "hasUsers": False}
    assert answer.status_code == 201
    first = User.objects.get(email="root@example.org")
    project.refresh_from_db()
    assert project.owner == first
    assert Preferences.objects.get().user == first


@pytest.mark.django_db
def test_without_sign_in_pages_need_no_setup(private: None, browser_of: BrowserOf) -> None:
    ServerSettings.objects.create(auth_enabled=False)

    assert Client().get("/settings/profile").status_code == 200
    assert openness.implicit_user() == openness.implicit_user()
    assert User.objects.count() == 1
