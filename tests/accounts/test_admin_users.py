"""What server admins do with people."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from rest_framework.test import APIClient

from apps.accounts import operations
from apps.accounts.models import AuthProvider, Role, User
from apps.core import problems
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf, actor_of

URL = "/api/v1/admin/users"


def one(user: User, rest: str = "") -> str:
    return f"{URL}/{user.public_id}{rest}"


@pytest.fixture
def admin(db: None) -> User:
    """She administers the server, but does not run it."""
    return factories.User.create(email="admin@example.org", role=Role.ADMIN)


def test_people_are_listed_a_page_at_a_time(client_of: ClientOf, root: User, ada: User) -> None:
    factories.User.create_batch(3)
    client = client_of(root)

    everybody = client.get(URL).json()["data"]
    page = client.get(URL, {"offset": 1, "limit": 2}).json()["data"]
    found = client.get(URL, {"search": "ADA@"}).json()["data"]

    assert everybody["total"] == page["total"] == 5
    assert page["users"] == everybody["users"][1:3]
    assert found == {
        "users": [
            {
                "id": ada.public_id,
                "email": "ada@example.org",
                "name": "Ada",
                "role": "user",
                "authProvider": "local",
                "avatarUrl": None,
                "isSuperAdmin": False,
                "createdAt": ada.created_at.isoformat().replace("+00:00", "Z"),
            }
        ],
        "total": 1,
    }


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"offset": "-1"}]
)
def test_a_page_out_of_range_is_refused(
    client_of: ClientOf, root: User, query: dict[str, str]
) -> None:
    assert client_of(root).get(URL, query).status_code == 400


def test_a_made_account_signs_in_with_the_shown_password(
    client_of: ClientOf, nobody: APIClient, admin: User
) -> None:
    body = {"email": "New@example.org", "name": "New", "role": "user"}

    answer = client_of(admin).post(URL, body)

    data = answer.json()["data"]
    assert answer.status_code == 201
    assert data["user"]["email"] == "new@example.org"
    login = {"email": "new@example.org", "password": data["generatedPassword"]}
    assert nobody.post("/api/v1/auth/login", login).status_code == 200
    assert User.objects.get(email="new@example.org").must_change_password
    assert data["generatedPassword"] not in str(Event.objects.get().data)


def test_a_made_account_finds_what_waited_for_it(client_of: ClientOf, root: User) -> None:
    invitation = factories.Invitation.create(email="new@example.org", role="admin")
    body = {"email": "new@example.org", "name": "New", "role": "user"}

    client_of(root).post(URL, body)

    members = invitation.project.members
    assert list(members.values_list("user__email", "role")) == [("new@example.org", "admin")]


def test_names_and_roles_change(client_of: ClientOf, root: User, ada: User) -> None:
    answer = client_of(root).patch(one(ada), {"role": "admin"})
    renamed = client_of(root).patch(one(ada), {"name": "Countess"})

    assert answer.json()["data"]["role"] == "admin"
    assert (renamed.json()["data"]["name"], renamed.json()["data"]["role"]) == (
        "Countess",
        "admin",
    )
    kinds = list(Event.objects.values_list("topic", "kind"))
    assert kinds == [("server", "user.updated")] * 2


def test_an_admin_has_no_power_over_super_admins(
    client_of: ClientOf, admin: User, root: User, ada: User
) -> None:
    client = client_of(admin)
    new = {"email": "x@example.org", "name": "X", "role": "super_admin"}

    answers = [
        client.post(URL, new),
        client.patch(one(root), {"name": "Fool"}),
        client.patch(one(ada), {"role": "super_admin"}),
        client.patch(one(admin), {"role": "super_admin"}),
        client.post(one(root, "/reset-password")),
        client.delete(one(root)),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6
    assert User.objects.count() == 3
    assert not Event.objects.exists()


def test_the_last_super_admin_stays_one(client_of: ClientOf, root: User) -> None:
    factories.User.create(role=Role.SUPER_ADMIN, is_active=False)

    answer = client_of(root).patch(one(root), {"role": "user"})

    assert (answer.status_code, answer.json()["code"]) == (409, "LAST_SUPER_ADMIN")


@pytest.mark.django_db(transaction=True)
def test_two_super_admins_cannot_demote_each_other() -> None:
    pair = factories.User.create_batch(2, role=Role.SUPER_ADMIN)
    together = threading.Barrier(2)
    refusals: list[str] = []

    def demote(who: User, whom: User) -> None:
        try:
            together.wait(10)
            operations.update_user(actor=actor_of(who), user=whom, role="user")
        except problems.Problem as problem:
            refusals.append(problem.code)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=demote, args=[who, whom]) for who, whom in (pair, pair[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert refusals == ["LAST_SUPER_ADMIN"]
    assert User.objects.filter(role=Role.SUPER_ADMIN).count() == 1


def test_nobody_deletes_themselves(client_of: ClientOf, root: User) -> None:
    factories.User.create(role=Role.SUPER_ADMIN)

    answer = client_of(root).delete(one(root))

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


def test_what_a_deleted_person_owned_goes_to_a_super_admin(
    client_of: ClientOf, root: User, admin: User, ada: User, project: Project
) -> None:
    hers = client_of(ada)

    count = client_of(admin).get(one(ada, "/check-delete"))
    answer = client_of(admin).delete(one(ada))

    assert count.json() == {"data": {"ownedProjectsCount": 1}}
    assert answer.status_code == 204
    project.refresh_from_db()
    assert project.owner == root
    assert hers.get("/api/v1/auth/me").status_code == 401


def test_a_reset_password_works_once_and_ends_the_rest(
    client_of: ClientOf, nobody: APIClient, root: User, ada: User
) -> None:
    hers = client_of(ada)

    answer = client_of(root).post(one(ada, "/reset-password"))

    password = answer.json()["data"]["generatedPassword"]
    login = {"email": "ada@example.org", "password": password}
    assert hers.get("/api/v1/auth/me").status_code == 401
    assert nobody.post("/api/v1/auth/login", login).status_code == 200
    ada.refresh_from_db()
    assert ada.must_change_password


def test_people_of_an_identity_provider_have_no_password_here(
    client_of: ClientOf, root: User, ada: User
) -> None:
    ada.auth_provider = AuthProvider.OIDC
    ada.save()

    answer = client_of(root).post(one(ada, "/reset-password"))

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


def test_sign_in_cannot_be_switched_off(client_of: ClientOf, root: User) -> None:
    client = client_of(root)

    answer = client.put("/api/v1/settings/auth", {"enabled": False})

    assert answer.status_code == 409
    shown = client.get("/api/v1/settings/auth").json()
    assert shown == {"data": {"enabled": True, "registration": "open"}}


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", URL, (401, 403, 403, 403, 200)),
        ("post", URL, (401, 403, 403, 403, 400)),
        ("patch", f"{URL}/{{bob}}", (401, 403, 403, 403, 200)),
        ("post", f"{URL}/{{bob}}/reset-password", (401, 403, 403, 403, 200)),
        ("get", f"{URL}/{{bob}}/check-delete", (401, 403, 403, 403, 200)),
        ("delete", f"{URL}/{{bob}}", (401, 403, 403, 403, 204)),
        ("delete", f"{URL}/user_00000000000000000000000000", (401, 403, 403, 403, 404)),
        ("get", "/api/v1/settings/auth", (401, 403, 403, 403, 200)),
        ("put", "/api/v1/settings/auth", (401, 403, 403, 403, 400)),
        ("get", "/api/v1/user/settings", (401, 200, 200, 200, 200)),
        ("get", "/api/v1/user/tokens", (401, 200, 200, 200, 200)),
        ("get", "/api/v1/users/search", (401, 200, 200, 200, 200)),
        ("get", "/api/v1/auth/me", (401, 200, 200, 200, 200)),
        ("post", "/api/v1/auth/logout", (401, 204, 204, 204, 204)),
        ("post", "/api/v1/realtime/tickets", (401, 201, 201, 201, 201)),
        ("get", "/api/v1/settings/auth-status", (200, 200, 200, 200, 200)),
    ],
)
def test_everybody_gets_their_answer(
    callers: dict[str, APIClient], bob: User, method: str, path: str, statuses: tuple[int, ...]
) -> None:
    address = path.format(bob=bob.public_id)

    found = tuple(
        getattr(callers[name], method)(address).status_code
        for name in ("nobody", "eve", "bob", "ada", "root")
    )

    assert found == statuses
