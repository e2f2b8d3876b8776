"""Whatever fits the OpenAPI document is answered as it says, and never by a crash."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from rest_framework.test import APIClient
from schemathesis.core import NotSet

from apps.accounts.models import Notification
from tests import factories
from tests.contract.document import DOCUMENT, wrong_in
from tests.contract.world import World, client_named, world

__all__ = ["client_named", "world"]

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [
    (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in sorted(item)
]
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "3"))
AN_ID = re.compile(r"([a-z]+)_[0-7][0-9a-hjkmnp-tv-z]{25}")
STATES = ("an attachment", "a pre-session", "a plan that waits", "a backup")


@pytest.fixture
def full(world: World) -> Iterator[World]:
    """The world with one thing of every kind that an address can name."""
    root = world.people["root"]
    notification = Notification.objects.create(user=root, event="invitation", title="A", path="/")
    token = factories.ApiToken.create(user=root)
    world.names |= {"ntf": notification.public_id, "tok": token.public_id}
    with world.given("a model provider"):
        for state in STATES:
            with world.given(state):
                pass
        attempt = world.card.attempts.get()
        world.names |= {"sess": attempt.public_id, "appr": attempt.approvals.get().public_id}
        yield world


def by_kind(full: World) -> dict[str, str]:
    """One id of each kind, by its prefix."""
    names = full.names
    found = {match[1]: one for one in names.values() if (match := AN_ID.fullmatch(one))}
    return found | {"user": names["bob"], "col": names["review"], "board": names["board"]}


def real(value: Any, known: dict[str, str]) -> Any:
    """The same with ids of things that exist, wherever an id stands."""
    if isinstance(value, str) and (match := AN_ID.fullmatch(value)):
        return known.get(match[1], value)
    if isinstance(value, dict):
        return {name: real(one, known) for name, one in value.items()}
    return [real(one, known) for one in value] if isinstance(value, list) else value


def part(value: Any) -> Any:
    """A value as a part of a form: a file, or text."""
    if isinstance(value, bytes):
        return SimpleUploadedFile("a.json", value)
    return value if isinstance(value, str) else json.dumps(value)


def send(client: APIClient, case: schemathesis.Case[Any], known: dict[str, str]) -> Any:
    """This will ask what a case asks, of things that exist."""
    path = case.path
    for name, value in real(case.path_parameters or {}, known).items():
        path = path.replace(f"{{{name}}}", quote(str(known.get(name, value)), safe=""))
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in (case.headers or {}).items()
        if name.lower() != "authorization"
    }
    query = urlencode(real(dict(case.query or {}), known), doseq=True)
    if case.media_type == "multipart/form-data":
        form = case.body if isinstance(case.body, dict) else {}
        files = {name: part(one) for name, one in form.items()}
        return client.post(f"{path}?{query}", files, format="multipart", **headers)
    body = "" if isinstance(case.body, NotSet) else json.dumps(real(case.body, known))
    return client.generic(
        case.method, path, body, "application/json", QUERY_STRING=query, **headers
    )


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_documented(
    full: World,
    client_named: Callable[..., APIClient],
    request: pytest.FixtureRequest,
    method: str,
    path: str,
) -> None:
    known = by_kind(full) | {"filename": full.names["backup"], "email": "waiting@example.org"}
    client = client_named("root")
    client.raise_request_exception = False
    operation = DOCUMENT["paths"][path][method.lower()]
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=SCHEMA[path][method].as_strategy())
    def every_case(case: schemathesis.Case[Any]) -> None:
        cache.clear()
        with transaction.atomic():
            answer = send(client, case, known)
            transaction.set_rollback(True)
        statuses[answer.status_code] += 1
        status = str(answer.status_code)
        assert status in operation["responses"], (status, answer.content)
        is_file = answer.streaming or "Content-Disposition" in answer.headers
        if "json" in answer.headers.get("Content-Type", "") and not is_file:
            assert wrong_in(operation, answer.status_code, answer.json()) == []

    every_case()
    # What `--junitxml` shows of it.
    request.node.user_properties.append(("statuses", dict(statuses)))
