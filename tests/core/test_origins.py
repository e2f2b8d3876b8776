"""Clients of other origins: who may call, what they may send, what they may read of the answer."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from tests.people import ClientOf

THERE = "https://client.example"


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [THERE]


def listed(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",")}


@pytest.mark.parametrize("path", ["/api/v1/organizations", "/api/organizations", "/v1/instances"])
def test_a_browser_is_told_what_it_may_send(nobody: APIClient, path: str) -> None:
    answer = nobody.options(
        path,
        HTTP_ORIGIN=THERE,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="PATCH",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization,if-match",
    )

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == THERE
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert {"get", "post", "put", "patch", "delete"} <= listed(
        answer.headers["Access-Control-Allow-Methods"]
    )
    assert {
        "authorization",
        "content-type",
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-request-id",
        "x-organization-id",
        "last-event-id",
    } <= listed(answer.headers["Access-Control-Allow-Headers"])


def test_a_client_elsewhere_may_read_the_headers_it_needs(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).get("/api/v1/auth/me", HTTP_ORIGIN=THERE)

    assert answer.headers["Access-Control-Allow-Origin"] == THERE
    assert {"etag", "x-request-id", "retry-after", "idempotent-replayed", "location"} <= listed(
        answer.headers["Access-Control-Expose-Headers"]
    )
    assert "origin" in listed(answer.headers["Vary"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("get", "/api/v1/auth/me", "", 401),
        ("get", "/api/v1/no", "", 404),
        ("get", "/v1/no", "", 404),
        ("delete", "/api/v1/auth/me", "", 401),
        ("post", "/api/v1/auth/login", "{", 400),
        ("post", "/api/v1/auth/login", "x" * 5_000_000, 413),
    ],
)
def test_a_client_elsewhere_may_read_refusals(
    nobody: APIClient, root: User, method: str, path: str, body: str, status: int
) -> None:
    answer = nobody.generic(
        method.upper(), path, body, content_type="application/json", HTTP_ORIGIN=THERE
    )

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == THERE
    assert "X-Request-Id" in answer.headers


def test_other_origins_and_pages_get_nothing(client_of: ClientOf, ada: User, root: User) -> None:
    strange = client_of(ada).get("/api/v1/auth/me", HTTP_ORIGIN="https://evil.example")
    page = client_of(ada).get("/accounts/login/", HTTP_ORIGIN=THERE)

    assert "Access-Control-Allow-Origin" not in strange.headers
    assert "Access-Control-Allow-Origin" not in page.headers
