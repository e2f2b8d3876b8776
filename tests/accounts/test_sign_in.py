"""Signing in, over REST and on the page, and what the token is worth."""

from __future__ import annotations

import datetime as dt

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts import credentials
from apps.accounts.models import User
from tests.factories import PASSWORD
from tests.people import BrowserOf, ClientOf


def login(
    client: APIClient, email: str, password: str, address: str = "127.0.0.1"
) -> tuple[int, dict[str, object]]:
    answer = client.post(
        "/api/v1/auth/login", {"email": email, "password": password}, REMOTE_ADDR=address
    )
    return answer.status_code, answer.json()


def test_the_right_password_gives_a_token(nobody: APIClient, ada: User) -> None:
    status, body = login(nobody, " ADA@example.org ", PASSWORD)

    assert status == 200
    data = body["data"]
    assert isinstance(data, dict)
    assert data["user"] == {
        "id": ada.public_id,
        "email": "ada@example.org",
        "displayName": "Ada",
        "role": "user",
    }
    claims = jwt.decode(data["token"], options={"verify_signature": False})
    assert (claims["sub"], claims["tv"]) == (ada.public_id, 1)
    assert claims["exp"] - claims["iat"] == 24 * 3600
    ada.refresh_from_db()
    assert ada.last_login is not None


def test_every_failure_has_the_same_words(nobody: APIClient, ada: User, bob: User) -> None:
    bob.is_active = False
    bob.save()

    answers = [
        login(nobody, "ada@example.org", "not her password"),
        login(nobody, "nobody@example.org", PASSWORD),
        login(nobody, "bob@example.org", PASSWORD),
        login(nobody, "not an address", PASSWORD),
    ]

    assert [status for status, _body in answers] == [401, 401, 401, 401]
    assert {body["detail"] for _status, body in answers} == {"The e-mail or the password is wrong."}


def test_an_account_is_not_guessed_at_for_long(nobody: APIClient, ada: User) -> None:
    statuses = [login(nobody, "ada@example.org", f"guess {n}")[0] for n in range(6)]
    answer = nobody.post("/api/v1/auth/login", {"email": "ADA@example.org", "password": PASSWORD})

    assert statuses == [401, 401, 401, 401, 401, 429]
    assert answer.status_code == 429
    assert answer.json()["code"] == "RATE_LIMITED"
    assert answer.headers["Retry-After"] == "300"


def test_one_address_does_not_try_many_accounts(nobody: APIClient, ada: User) -> None:
    statuses = [login(nobody, f"person{n}@example.org", "guess")[0] for n in range(12)]

    assert statuses == [401] * 10 + [429, 429]
    elsewhere = login(nobody, "ada@example.org", PASSWORD, address="192.0.2.7")
    assert elsewhere[0] == 200


def test_signing_in_does_not_use_up_the_attempts(nobody: APIClient, ada: User) -> None:
    statuses = [login(nobody, "ada@example.org", PASSWORD)[0] for _ in range(12)]

    assert statuses == [200] * 12


def test_a_token_ends_after_a_day(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)

    with time_machine.travel(timezone.now() + dt.timedelta(hours=23, minutes=59)):
        assert client.get("/api/v1/auth/me").status_code == 200
    with time_machine.travel(timezone.now() + dt.timedelta(hours=24, seconds=1)):
        assert client.get("/api/v1/auth/me").status_code == 401


def forged(ada: User, **changes: object) -> str:
    now = timezone.now()
    claims = {
        "sub": ada.public_id,
        "iat": now,
        "exp": now + dt.timedelta(hours=1),
        "tv": 1,
        **changes,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, credentials._key(settings.SECRET_KEY), algorithm="HS256")


@pytest.mark.parametrize(
    "changes",
    [
        {"tv": 2},
        {"tv": "1"},
        {"tv": True},
        {"tv": None},
        {"exp": None},
        {"sub": None},
        {"sub": "user_1"},
        {"sub": "org_01h455vb4pex5vsknk084sn02q"},
    ],
)
def test_a_token_with_other_claims_is_refused(
    nobody: APIClient, ada: User, changes: dict[str, object]
) -> None:
    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {forged(ada, **changes)}")

    assert nobody.get("/api/v1/auth/me").status_code == 401


def test_a_token_signed_otherwise_is_refused(nobody: APIClient, ada: User) -> None:
    claims = jwt.decode(forged(ada), options={"verify_signature": False})
    for token in (
        jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256"),
        jwt.encode(claims, "another key, " * 6, algorithm="HS512"),
        jwt.encode(claims, "", algorithm="none"),
        "",
        "x",
        "a.b.c",
    ):
        nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        answer = nobody.get("/api/v1/auth/me")
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_token_of_a_former_secret_key_is_believed(nobody: APIClient, ada: User) -> None:
    token = credentials.issue_jwt(ada)
    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    former, settings.SECRET_KEY = settings.SECRET_KEY, "another key, " * 6
    settings.SECRET_KEY_FALLBACKS = [former]
    try:
        answer = nobody.get("/api/v1/auth/me")
    finally:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = former, []

    assert answer.status_code == 200


def test_a_closed_account_ends_its_tokens(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)
    ada.is_active = False
    ada.save()

    assert client.get("/api/v1/auth/me").status_code == 401


def test_a_cookie_reads_without_and_writes_with_the_csrf_token(ada: User) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(ada)
    reading = browser.get("/api/v1/auth/me")

    refused = browser.post("/api/v1/organizations", {"name": "Engines"})
    browser.get("/settings/profile")
    token = browser.cookies["kanbanai_csrf"].value
    allowed = browser.post("/api/v1/organizations", {"name": "Engines"}, HTTP_X_CSRFTOKEN=token)

    assert reading.status_code == 200
    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "FORBIDDEN"
    assert allowed.status_code == 201


def test_bad_credentials_do_not_matter_where_none_are_needed(nobody: APIClient, ada: User) -> None:
    nobody.credentials(HTTP_AUTHORIZATION="Bearer nonsense")

    assert nobody.get("/api/v1/settings/auth-status").status_code == 200
    assert login(nobody, "ada@example.org", PASSWORD)[0] == 200


def test_the_page_signs_in_and_out(ada: User) -> None:
    browser = Client()
    form = {"login": "ada@example.org", "password": PASSWORD}

    entered = browser.post("/accounts/login/", form)
    inside = browser.get("/settings/profile").status_code
    browser.post("/accounts/logout/")
    outside = browser.get("/settings/profile")

    assert (entered.status_code, entered.headers["Location"]) == (302, "/")
    assert inside == 200
    assert outside.headers["Location"] == "/accounts/login/?next=/settings/profile"


def test_page_and_api_count_failures_together(nobody: APIClient, ada: User) -> None:
    for number in range(5):
        login(nobody, "ada@example.org", f"guess {number}")

    answer = Client().post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})

    assert answer.status_code == 200
    assert b"Too many failed login attempts" in answer.content


def test_the_session_can_be_ended_over_rest(ada: User, browser_of: BrowserOf) -> None:
    browser = browser_of(ada)

    assert browser.post("/api/v1/auth/logout").status_code == 204
    assert browser.get("/api/v1/auth/me").status_code == 401
