"""The OpenAPI document: complete, valid, and changed only on purpose (`make schema`)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from apps.accounts.models import User
from apps.core import ids

STORED = Path(__file__).with_name("openapi.json")
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as the command makes it; a warning is a failure."""
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, format="openapi-json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def read_yaml(text: bytes) -> Any:
    """With the loader in C, where libyaml is there: the other takes seconds."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def routes(prefix: str) -> set[str]:
    """The REST routes below a prefix, as Django has them."""

    def below(
        patterns: list[URLPattern | URLResolver], before: str
    ) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from below(pattern.url_patterns, route)
            else:
                yield route, pattern

    return {
        route.removeprefix(prefix)
        for route, pattern in below(get_resolver().url_patterns, "")
        if route.startswith(prefix) and hasattr(pattern.callback, "cls")
    }


def test_it_is_the_stored_one(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if "UPDATE_SCHEMA" in os.environ:
        STORED.write_text(text, encoding="utf-8")

    assert text == STORED.read_text(encoding="utf-8"), "run `make schema` and look at the change"


def test_it_speaks_the_newest_dialect(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}


def test_both_mounts_have_the_same_addresses() -> None:
    under_v1 = routes("api/v1/")
    under_api = {route for route in routes("api/") if not route.startswith("v1/")}

    assert under_v1 == under_api
    assert len(under_v1) > 50


def test_every_address_is_in_it(document: dict[str, Any]) -> None:
    shown = {re.sub(r"{\w+}", "{}", path) for path in document["paths"]}
    known = {"/api/v1/" + re.sub(r"<[^>]+>", "{}", route) for route in routes("api/v1/")}

    assert shown == known


def test_no_address_ends_with_a_slash(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if path.endswith("/")] == []


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _method, _path, operation in operations(document)]

    assert len(set(ids)) == len(ids)
    for method, path, operation in operations(document):
        assert method in METHODS
        assert operation["summary"], (method, path)
        assert not operation["summary"].endswith("."), (method, path)
        assert len(operation["tags"]) == 1


def test_every_answer_is_an_envelope_a_file_or_a_problem(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            where = (method, path, status)
            if int(status) >= 400:
                assert list(content) == ["application/problem+json"], where
            elif "application/json" in content:
                schema = content["application/json"]["schema"]
                assert schema["required"][0] == "data", where
            elif status == "204":
                assert content == {}, where


def test_unsafe_methods_with_a_body_may_be_refused(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if "requestBody" in operation:
            assert "400" in operation["responses"], (method, path)
        if operation["security"] != [{}]:
            assert {"401", "403"} <= set(operation["responses"]), (method, path)


@pytest.mark.django_db
def test_everybody_may_read_it(document: dict[str, Any]) -> None:
    answer = Client().get("/api/v1/schema")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert set(json.loads(answer.content)["paths"]) == set(document["paths"])
    assert Client().get("/api/schema").content == answer.content


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("?format=json", "application/yaml", "application/json"),
        ("?format=yaml", "application/json", "application/yaml"),
        ("", "application/yaml", "application/yaml"),
        ("", "application/vnd.oai.openapi", "application/yaml"),
        ("", "application/vnd.oai.openapi+json", "application/json"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
    ],
)
def test_it_is_given_in_the_form_that_is_asked_for(query: str, accept: str, kind: str) -> None:
    answer = Client().get(f"/api/v1/schema{query}", HTTP_ACCEPT=accept)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    read = read_yaml if kind.endswith("yaml") else json.loads
    assert read(answer.content) == json.loads(Client().get("/api/v1/schema").content)
    again = Client().get(
        f"/api/v1/schema{query}", HTTP_ACCEPT=accept, HTTP_IF_NONE_MATCH=answer.headers["ETag"]
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db
def test_it_is_given_in_no_other_form() -> None:
    answers = [
        Client().get("/api/v1/schema?format=xml"),
        Client().get("/api/v1/schema", HTTP_ACCEPT="text/html"),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (400, "VALIDATION_ERROR"),
        (406, "NOT_ACCEPTABLE"),
    ]


def test_every_operation_tells_its_headers(document: dict[str, Any]) -> None:
    wanted = {
        "get": "IfNoneMatch",
        "post": "IdempotencyKey",
        "put": "IfMatch",
        "patch": "IfMatch",
        "delete": "IfMatch",
    }
    for method, path, operation in operations(document):
        found = {one["$ref"].rpartition("/")[2] for one in operation["parameters"] if "$ref" in one}
        redirects = "302" in operation["responses"]
        assert found == {"RequestId"} | (set() if redirects else {wanted[method]}), (method, path)
        assert ("412" in operation["responses"]) == (wanted[method] == "IfMatch")
        assert ("304" in operation["responses"]) == (method == "get" and not redirects)
        for status, answer in operation["responses"].items():
            assert "X-Request-Id" in answer["headers"], (method, path, status)
            if status == "429":
                assert "Retry-After" in answer["headers"]


def test_every_example_is_a_good_one(document: dict[str, Any]) -> None:
    """What a body shows as an example has the shape that is asked for, and says something."""
    refusals = document["components"]["examples"]
    count = 0
    for method, path, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for kind, content in body.get("content", {}).items():
                if kind == "application/json":
                    example = content["example"]
                elif kind == "application/problem+json":
                    (name,) = content["examples"]
                    example = refusals[name]["value"]
                else:
                    continue
                schema = content["schema"] | {"components": document["components"]}
                validator = Draft202012Validator(schema)
                wrong = [error.message for error in validator.iter_errors(example)]
                assert wrong == [], (method, path, example)
                count += 1
        for parameter in operation["parameters"]:
            assert "$ref" in parameter or "example" in parameter, (method, path, parameter)
    assert count > 300


def test_examples_are_of_one_world(document: dict[str, Any]) -> None:
    card = document["paths"]["/api/v1/projects/{projectId}/cards/{cardId}"]["get"]
    shown = card["responses"]["200"]["content"]["application/json"]["example"]["data"]
    (missing,) = card["responses"]["404"]["content"]["application/problem+json"]["examples"]

    assert shown["title"] == "Fit the gears"
    assert ids.decode("card", shown["id"]) == ids.decode("proj", shown["projectId"])
    assert document["components"]["examples"][missing]["value"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_pages_about_it_keep_our_content_policy(root: User, page: str) -> None:
    answer = Client().get(f"/api/v1/{page}")

    text = answer.content.decode()
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200
    assert 'data-schema="/api/v1/schema"' in text
    nonces = set(re.findall(r'nonce="([^"]+)"', text))
    assert len(nonces) == 1
    assert f"'nonce-{nonces.pop()}'" in policy
    assert "unsafe" not in policy
