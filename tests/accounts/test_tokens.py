"""Personal API tokens."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts import credentials, operations
from apps.accounts.models import ApiToken, User
from apps.core import problems
from apps.core.models import Event
from tests import factories
from tests.people import BrowserOf, ClientOf, actor_of

TOKENS = "/api/v1/user/tokens"


def with_token(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_token_is_shown_once_and_kept_as_a_digest(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)

    answer = client.post(TOKENS, {"name": "laptop", "expiresInDays": 30})

    data = answer.json()["data"]
    secret = data.pop("secret")
    row = ApiToken.objects.get()
    assert answer.status_code == 201
    assert secret.startswith("kbn_")
    assert len(secret) == 47
    assert row.digest == credentials.digest(secret)
    assert data["prefix"] == secret[:8]
    assert (data["name"], data["scope"]) == ("laptop", "write")
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days in {29, 30}
    assert client.get(TOKENS).json() == {"data": [data]}
    assert secret not in str(Event.objects.get().data)


def test_a_token_signs_in(ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")

    answer = with_token(issued.secret).get("/api/auth/me")

    assert answer.json()["data"]["id"] == ada.public_id


def test_a_reading_token_writes_nothing(ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop", scope="read")
    client = with_token(issued.secret)

    assert client.get("/api/v1/organizations").status_code == 200
    for method in (client.post, client.put, client.patch, client.delete):
        answer = method("/api/v1/organizations", {"name": "Engines"}, format="json")
        assert answer.status_code == 403


def test_a_token_makes_no_tokens(ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")

    answer = with_token(issued.secret).post(TOKENS, {"name": "more"}, format="json")

    assert answer.status_code == 403
    assert ApiToken.objects.count() == 1


def test_a_revoked_token_is_worth_nothing_at_once(client_of: ClientOf, ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")
    client = with_token(issued.secret)
    assert client.get("/api/v1/auth/me").status_code == 200
    proof = credentials.of_token(issued.secret)
    assert credentials.ended([proof]) == set()

    answer = client_of(ada).delete(f"{TOKENS}/{issued.token.public_id}")

    assert answer.status_code == 204
    assert answer.content == b""
    assert client.get("/api/v1/auth/me").status_code == 401
    assert credentials.ended([proof]) == {proof}
    assert client_of(ada).get(TOKENS).json() == {"data": []}
    told = Event.objects.latest("id")
    assert (told.kind, told.data) == (
        "credentials.ended",
        {"tokenId": issued.token.public_id},
    )


def test_revoking_twice_finds_nothing(client_of: ClientOf, ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")
    client = client_of(ada)
    path = f"{TOKENS}/{issued.token.public_id}"

    assert [client.delete(path).status_code for _ in range(2)] == [204, 404]


def test_nobody_sees_or_revokes_the_tokens_of_others(
    client_of: ClientOf, ada: User, eve: User, root: User
) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")

    for person in (eve, root):
        client = client_of(person)
        assert client.get(TOKENS).json() == {"data": []}
        assert client.delete(f"{TOKENS}/{issued.token.public_id}").status_code == 404
    with pytest.raises(problems.NotFound):
        operations.revoke_token(actor=actor_of(eve), token=issued.token)
    assert credentials.of_token(issued.secret).user == ada


def test_a_token_ends_on_its_day(ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop", expires_in_days=1)
    client = with_token(issued.secret)

    with time_machine.travel(timezone.now() + dt.timedelta(hours=23)):
        assert client.get("/api/v1/auth/me").status_code == 200
    with time_machine.travel(timezone.now() + dt.timedelta(hours=25)):
        assert client.get("/api/v1/auth/me").status_code == 401


def test_uses_are_noted_once_a_minute(ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")
    client = with_token(issued.secret)
    start = timezone.now().replace(microsecond=0)
    noted = []

    for seconds in (0, 59, 60, 61):
        with time_machine.travel(start + dt.timedelta(seconds=seconds), tick=False):
            client.get("/api/v1/auth/me")
        issued.token.refresh_from_db()
        used = issued.token.last_used_at
        assert used is not None
        noted.append((used - start).seconds)

    assert noted == [0, 0, 60, 60]


def test_a_closed_account_ends_its_tokens(ada: User) -> None:
    issued = operations.create_token(actor=actor_of(ada), name="laptop")
    ada.is_active = False
    ada.save()

    assert with_token(issued.secret).get("/api/v1/auth/me").status_code == 401


def test_there_is_an_end_to_tokens(client_of: ClientOf, ada: User) -> None:
    factories.ApiToken.create_batch(100, user=ada)

    answer = client_of(ada).post(TOKENS, {"name": "one more"})

    assert answer.status_code == 409
    assert ApiToken.objects.count() == 100


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a", "scope": "admin"}, "scope"),
        ({"name": "a", "expiresInDays": 0}, "expiresInDays"),
        ({"name": "a", "expiresInDays": "7"}, "expiresInDays"),
        ({"name": "a", "expiresInDays": 10**9}, "expiresInDays"),
    ],
)
def test_a_wrong_wish_makes_nothing(
    client_of: ClientOf, ada: User, body: dict[str, object], field: str
) -> None:
    answer = client_of(ada).post(TOKENS, body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not ApiToken.objects.exists()


def test_the_page_makes_shows_and_revokes_them(browser_of: BrowserOf, ada: User) -> None:
    browser = browser_of(ada)

    made = browser.post("/settings/tokens", {"name": "laptop", "scope": "read", "expires": "30"})
    token = ApiToken.objects.get()
    shown = browser.get("/settings/tokens")
    revoked = browser.post("/settings/tokens", {"revoke": token.public_id})

    secret = made.context["secret"]
    assert credentials.digest(secret) == token.digest
    assert secret.encode() in made.content
    assert secret.encode() not in shown.content
    assert revoked.status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None
