"""What surrounds every answer: request ids, and problems instead of HTML."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings
from django.core.signals import request_finished
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.core import replacing
from tests.people import BrowserOf, ClientOf

PROBLEM = "application/problem+json"


def test_every_answer_names_its_request(nobody: APIClient, root: User) -> None:
    first = nobody.get("/api/v1/settings/auth-status").headers["X-Request-Id"]
    second = nobody.get("/no/such/page").headers["X-Request-Id"]

    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert re.fullmatch(r"[0-9a-f]{32}", second)
    assert first != second


def test_a_plain_request_id_is_kept(nobody: APIClient, root: User) -> None:
    answer = nobody.get("/api/v1/settings/auth-status", HTTP_X_REQUEST_ID="ci-42/retry.1")

    assert answer.headers["X-Request-Id"] == "ci-42/retry.1"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\x1b[31m", "ä"])
def test_a_strange_request_id_is_replaced(nobody: APIClient, root: User, given: str) -> None:
    answer = nobody.get("/api/v1/settings/auth-status", HTTP_X_REQUEST_ID=given)

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/api/v1/no", "/api/no", "/api/", "/v1/no", "/api/v1/auth/me/"])
def test_an_unknown_address_is_a_problem(nobody: APIClient, root: User, path: str) -> None:
    answer = nobody.get(path)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == PROBLEM
    assert json.loads(answer.content) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Not found.",
        "code": "NOT_FOUND",
        "instance": path,
    }


def test_a_replaced_answer_ends_its_request_once(client: Client, root: User) -> None:
    ended: list[object] = []

    def note(sender: object, **_named: object) -> None:
        ended.append(sender)

    request_finished.connect(note)
    try:
        first = client.get("/api/nowhere")
        second = client.get("/api/nowhere/else")
    finally:
        request_finished.disconnect(note)

    assert (first.status_code, second.status_code) == (404, 404)
    assert len(ended) == 2
    # The connection is still the one that this test began with.
    assert User.objects.get() == root


@pytest.mark.django_db(transaction=True)
def test_what_an_answer_held_open_is_closed_with_the_one_in_its_place() -> None:
    whole, instead = HttpResponse("whole"), HttpResponse("instead")
    closed: list[str] = []
    whole._resource_closers += [lambda: closed.append("file")]  # type: ignore[attr-defined]

    given = replacing.replace(whole, instead)
    assert (given, closed) == (instead, [])
    instead.close()
    whole.close()

    assert closed == ["file"]


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    client_of: ClientOf, ada: User
) -> None:
    answer = client_of(ada).patch("/api/v1/auth/me", {})

    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("method", ["BREW", "TRACE", "REQUEST", "_ANSWER", "SHOWN"])
def test_a_method_nobody_knows_is_a_problem(client_of: ClientOf, ada: User, method: str) -> None:
    answer = client_of(ada).generic(method, "/api/v1/auth/me")

    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/api/v1/schema", "/api/v1/docs", "/api/v1/redoc", "/api/schema"])
def test_the_description_of_the_api_is_only_read(client_of: ClientOf, ada: User, path: str) -> None:
    answer = client_of(ada).post(path, {})

    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_an_address_tells_its_methods(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).options("/api/v1/organizations")

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_a_client_that_takes_no_json_is_told_so(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).get("/api/v1/auth/me", HTTP_ACCEPT="text/html")

    assert (answer.status_code, answer.json()["code"]) == (406, "NOT_ACCEPTABLE")
    assert answer.headers["Content-Type"] == PROBLEM


def test_a_forged_form_is_a_problem(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    answer = browser.post(
        "/api/v1/organizations", {"name": "Mills"}, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert answer.headers["Content-Type"] == PROBLEM


def test_too_many_calls_are_a_problem(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)
    answers = [client.get("/api/v1/users/search?q=a") for _ in range(121)]

    assert [answer.status_code for answer in answers[:120]] == [200] * 120
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_a_wrong_field_is_named_by_its_path(client_of: ClientOf, ada: User) -> None:
    body = {"name": "Mine", "columns": [{"columnType": "backlog"}, {"name": "B", "columnType": 1}]}
    answer = client_of(ada).post("/api/v1/board-templates", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    fields = [(error["field"], error["code"]) for error in answer.json()["errors"]]
    assert fields == [("columns.0.name", "required"), ("columns.1.columnType", "invalid_choice")]


def test_another_content_type_is_a_problem(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).post("/api/v1/organizations", "a=b", content_type="text/plain")

    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_foreign_host_is_a_problem(nobody: APIClient, root: User) -> None:
    answer = nobody.get("/api/v1/settings/auth-status", HTTP_HOST="evil.example")

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == PROBLEM


def test_a_crash_is_a_problem_without_its_cause(
    client_of: ClientOf, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_arguments: object, **_named: object) -> None:
        message = "the secret of the house"
        raise RuntimeError(message)

    monkeypatch.setattr("apps.accounts.queries.preferences_of", crash)
    answer = client_of(ada).get("/api/v1/user/settings")

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in answer.content


def test_a_crash_outside_the_views_is_a_problem_too(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_arguments: object, **_named: object) -> None:
        message = "the secret of the house"
        raise RuntimeError(message)

    monkeypatch.setattr("apps.core.api_pages.document", crash)
    answer = Client(raise_request_exception=False).get("/api/v1/schema")

    assert answer.status_code == 500
    assert json.loads(answer.content)["code"] == "INTERNAL_ERROR"
    assert answer.headers["Content-Type"] == PROBLEM


def test_ten_megabytes_of_json_are_refused_unread(client_of: ClientOf, ada: User) -> None:
    body = json.dumps({"name": "x" * 10_000_000})

    answer = client_of(ada).post("/api/v1/organizations", body, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_a_body_at_the_limit_is_read(client_of: ClientOf, ada: User) -> None:
    start = '{"name": "Engines"'
    body = start + " " * (settings.KANBANAI_MAX_JSON_BYTES - len(start) - 1) + "}"

    client = client_of(ada)
    answers = [
        client.post("/api/v1/organizations", text, content_type="application/json")
        for text in (body, body + " ")
    ]

    assert [answer.status_code for answer in answers] == [201, 413]


def test_pages_stay_pages(browser_of: BrowserOf, ada: User) -> None:
    answer = browser_of(ada).get("/no/such/page")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_refusal_on_a_page_is_an_error_page(browser_of: BrowserOf, ada: User) -> None:
    answer = browser_of(ada).post("/settings/tokens", {"revoke": "tok_unknown"})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_refusal_of_a_fragment_is_a_toast(browser_of: BrowserOf, ada: User) -> None:
    answer = browser_of(ada).post(
        "/settings/tokens", {"revoke": "tok_unknown"}, HTTP_HX_REQUEST="true"
    )

    assert answer.status_code == 404
    assert json.loads(answer.headers["HX-Trigger"]) == {
        "toast": {"text": "Not found.", "variant": "bad"}
    }
    assert answer.headers["HX-Reswap"] == "none"
