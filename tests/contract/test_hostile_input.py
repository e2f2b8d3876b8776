"""Whatever comes in, the answer is a problem of the client's, never a crash."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken, User
from apps.boards.models import Column
from apps.core.models import Event
from apps.orgs.models import Membership, Organization
from tests import factories
from tests.people import ClientOf

# Method, address, a good body: each of its values is replaced by each of the bad ones.
TARGETS: list[tuple[str, str, dict[str, Any]]] = [
    ("post", "/api/v1/auth/setup", {"email": "a@example.org", "password": "x", "displayName": "A"}),
    ("post", "/api/v1/auth/login", {"email": "a@example.org", "password": "x"}),
    (
        "post",
        "/api/v1/auth/register",
        {"email": "a@example.org", "password": "x", "displayName": "A"},
    ),
    ("post", "/api/v1/auth/change-password", {"currentPassword": "x", "newPassword": "y"}),
    ("post", "/api/v1/user/tokens", {"name": "a", "scope": "read", "expiresInDays": 1}),
    ("put", "/api/v1/user/settings", {"theme": "dark", "hiddenToolTypes": ["a"]}),
    ("post", "/api/v1/admin/users", {"email": "a@example.org", "name": "A", "role": "user"}),
    ("post", "/api/v1/organizations", {"name": "A"}),
]
BAD: list[Any] = [
    None,
    7,
    -(10**40),
    1.5,
    True,
    [],
    [[]],
    {},
    {"a": {"b": []}},
    "a\x00b",
    "a\x1bb",
    "half \ud800 surrogate",
    "x" * 100_000,
]
# What looks bad elsewhere is a good wish here.
FINE: list[tuple[str, Any]] = [
    ("expiresInDays", None),
    ("expiresInDays", 7),
    ("hiddenToolTypes", []),
]
BODIES: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"7",
    b"NaN",
    b"\xff\xfe",
    b'{"name": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xef\xbb\xbf{}",
]


def rows() -> tuple[int, ...]:
    kinds = (User, ApiToken, Organization, Membership, Event)
    return tuple(kind.objects.count() for kind in kinds)


@pytest.fixture
def caller(request: pytest.FixtureRequest, client_of: ClientOf, root: User) -> APIClient:
    """Somebody with every right, so that nothing but the input can be the reason."""
    client = client_of(root)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(("method", "path", "good"), TARGETS)
def test_wrong_values_are_refused(
    caller: APIClient, method: str, path: str, good: dict[str, Any]
) -> None:
    before = rows()

    for name, bad in itertools.product(good, BAD):
        if (name, bad) in FINE:
            continue
        body = json.dumps(good | {name: bad})
        answer = getattr(caller, method)(path, body, content_type="application/json")
        assert answer.status_code in {400, 409, 429}, (name, bad, answer.content)

    assert rows() == before


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize(("method", "path"), [target[:2] for target in TARGETS])
def test_broken_bodies_are_refused(caller: APIClient, method: str, path: str, body: bytes) -> None:
    before = rows()

    answer = getattr(caller, method)(path, body, content_type="application/json")

    if path.endswith("user/settings") and body == b"":
        # No wish at all is a good wish here.
        assert answer.status_code == 200
        return
    assert answer.status_code == 400, answer.content[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert rows() == before


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/organizations/org_",
        "/api/v1/organizations/org_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "/api/v1/organizations/ORG_01h455vb4pex5vsknk084sn02q",
        "/api/v1/organizations/user_01h455vb4pex5vsknk084sn02q",
        "/api/v1/organizations/1",
        "/api/v1/organizations/%00",
        "/api/v1/organizations/..%2f..%2fetc",
        "/api/v1/organizations/" + "a" * 5000,
    ],
)
def test_ids_of_no_kind_are_not_found(caller: APIClient, path: str) -> None:
    answer = caller.get(path)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ED%A0%80", "q=" + "x" * 10_000, "q[]=1", "q=%FF", "q=a&q=b"]
)
def test_strange_queries_do_not_crash(caller: APIClient, query: str) -> None:
    answer = caller.get(f"/api/v1/users/search?{query}")

    assert answer.status_code in {200, 400}


@pytest.mark.parametrize("bad", [{"a": "b\x00c"}, {"a\x00": 1}, {"a": [["\x00"]]}])
def test_answers_that_no_database_takes_are_refused(
    client_of: ClientOf, ada: User, columns: dict[str, Column], bad: dict[str, Any]
) -> None:
    card = factories.Card.create(column=columns["backlog"])
    attempt = factories.Attempt.create(card=card, waiting=True, waiting_for="input")
    asked = factories.Approval.create(attempt=attempt, kind="input")
    path = f"/api/v1/attempts/{attempt.public_id}/approvals/{asked.public_id}"
    client = client_of(ada)
    client.raise_request_exception = False

    answer = client.post(path, {"decision": "allow_once", "answer": bad})

    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == ["answer"]
    asked.refresh_from_db()
    assert asked.decision == ""
