"""Each field, query and id of each row with everything that is wrong: clear problems, no change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from apps.agents.conversation_tables import Conversation
from apps.boards import files
from apps.boards import operations as board_operations
from apps.projects.models import Script
from tests import factories
from tests.contract.document import DOCUMENT, operation_of
from tests.contract.rows import ROWS, Row
from tests.contract.standing import everything
from tests.contract.world import WELL, World, client_named, world
from tests.people import actor_of

__all__ = ["client_named", "world"]

ClientNamed = Callable[..., APIClient]
V1 = "/api/v1/"
PROBLEM = "application/problem+json"
SURROGATE = "half \ud800 surrogate"
BAD: list[Any] = [
    None,
    True,
    7,
    -1,
    1.5,
    -(10**40),
    [],
    [[]],
    [None],
    ["a", 7],
    {},
    {"a": {"b": ["c\x00d"]}},
    "",
    " ",
    "a\x00b",
    "a\x1bb",
    SURROGATE,
    "\u202eright to left\u202c",
    "Grüße 😀",
    "'; DROP TABLE boards_card; --",
    "{{7*7}}${7*7}<script>alert(1)</script>",
    "../../etc/passwd",
    "x" * 100_000,
]
# Unknown keys are refused in these, or are what the whole body is made of.
# What is gone already may be taken away.
AGAIN = {125}
NO_STRANGERS = {115, 121, 124}
STRANGERS = {"surprise": [{"a": None}], "__class__": "x", "actor": 7}
BAD_QUERIES = ["", " ", "a\x00b", "-1", "1e999", "NaN", "' OR 1=1 --", "../..", "x" * 10_000, "😀"]
BAD_BYTES = ["%00", "%FF", "%ED%A0%80", "%"]
BAD_IDS = ["1", "%00", "{prefix}_{z}"]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema a reference stands for."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def body_of(row: Row) -> dict[str, Any]:
    """The schema of the JSON a row takes, {} for one that takes none."""
    content = operation_of(row).get("requestBody", {}).get("content", {})
    return resolved(content["application/json"]["schema"]) if "application/json" in content else {}


def queries_of(row: Row) -> list[str]:
    return [one["name"] for one in operation_of(row)["parameters"] if one.get("in") == "query"]


Place = tuple[str | int, ...]


def places(schema: dict[str, Any], at: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every place of a body with what may stand there, within the things of lists too."""
    for name, field in resolved(schema).get("properties", {}).items():
        yield (*at, name), field
        inner = resolved(field)
        if "items" in inner:
            yield (*at, name, 0), inner["items"]
            yield from places(inner["items"], (*at, name, 0))


def with_value(body: Any, place: Place, value: Any) -> Any:
    """A copy of a body with another value at a place; lists get one thing if they have none."""
    if not place:
        return value
    first, *rest = place
    if isinstance(first, int):
        things = body if isinstance(body, list) and body else [{}]
        return [with_value(things[0], tuple(rest), value), *things[1:]]
    kept = body if isinstance(body, dict) else {}
    return {**kept, first: with_value(kept.get(first), tuple(rest), value)}


def is_allowed(schema: dict[str, Any], value: Any) -> bool:
    """Whether the document takes a value; choices are also read in capitals and with spaces."""
    reader = Draft202012Validator(schema | {"components": DOCUMENT["components"]})
    forms = [value, value.strip().lower()] if isinstance(value, str) else [value]
    return any(reader.is_valid(form) for form in forms)


def send(client: APIClient, row: Row, path: str, text: str = "") -> Any:
    """One request; what it changes is taken back only if it was a good one."""
    cache.clear()
    with transaction.atomic():
        answer = client.generic(row.method, path, text, content_type="application/json")
        transaction.set_rollback(answer.status_code < 400)
    return answer


def fields_of(answer: Any) -> set[str]:
    return {error["field"] for error in answer.json().get("errors", [])}


def wrong_with(row: Row, answer: Any) -> str:
    """What is wrong with the answer to any bad request: crashes, and what nobody documented."""
    if answer.status_code >= 500:
        return f"crashes: {answer.content[:300]!r}"
    if str(answer.status_code) not in operation_of(row)["responses"]:
        return f"{answer.status_code} is not documented"
    if answer.status_code >= 400 and answer["Content-Type"] != PROBLEM:
        return "is no problem"
    return ""


def wrong_with_value(row: Row, answer: Any, place: Place, field: dict[str, Any], value: Any) -> str:
    """What is wrong with the answer to one bad value in a body."""
    if wrong := wrong_with(row, answer):
        return wrong
    allowed = is_allowed(field, value)
    if answer.status_code < 400:
        return "" if allowed else "is taken though the document refuses it"
    if answer.status_code == 400 and value != SURROGATE:
        named = fields_of(answer)
        known = body_of(row)["properties"]
        if not named or not all(one.partition(".")[0] in known for one in named):
            return f"names no field: {answer.content[:300]!r}"
        name = ".".join(map(str, place))
        if not allowed and not any(f"{one}.".startswith(f"{name}.") for one in named):
            return f"names {named}"
    return ""


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if body_of(row)])
def test_wrong_fields_are_named_and_change_nothing(
    world: World, client_named: ClientNamed, row: Row
) -> None:
    with world.given(row.given):
        client = client_named(WELL[row.access])
        client.raise_request_exception = False
        path, good = V1 + world.fill(row.path), world.fill(row.body or {})
        before = everything()
        wrong = []
        for place, field in places(body_of(row)):
            for value in BAD:
                answer = send(client, row, path, json.dumps(with_value(good, place, value)))
                if found := wrong_with_value(row, answer, place, field, value):
                    wrong.append((place, str(value)[:40], found))
        assert wrong == []
        for name in body_of(row).get("required", ()):
            without = {key: value for key, value in good.items() if key != name}
            answer = send(client, row, path, json.dumps(without))
            errors = [(one["field"], one["code"]) for one in answer.json().get("errors", [])]
            assert (answer.status_code, errors) == (400, [(name, "required")])
        for whole in ([], [good], "text", 7, None):
            assert send(client, row, path, json.dumps(whole)).status_code == 400, whole
        assert everything() == before
        if row.number not in NO_STRANGERS:
            taken = send(client, row, path, json.dumps(good | STRANGERS))
            assert taken.status_code == row.status


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if queries_of(row)])
def test_wrong_queries_are_named_and_change_nothing(
    world: World, client_named: ClientNamed, row: Row
) -> None:
    with world.given(row.given):
        client = client_named(WELL[row.access])
        client.raise_request_exception = False
        path = V1 + world.fill(row.path).split("?")[0]
        before = everything()
        wrong = []
        for name in queries_of(row):
            for value in [*map(quote, BAD_QUERIES), *BAD_BYTES, f"a&{name}=b"]:
                answer = send(client, row, f"{path}?{name}={value}")
                found = wrong_with(row, answer)
                if not found and answer.status_code == 400 and name not in fields_of(answer):
                    found = f"names no query: {answer.content[:300]!r}"
                if found:
                    wrong.append((name, value[:40], found))
        assert wrong == []
        assert everything() == before


def foreign_ids(world: World) -> dict[str, str]:
    """Things of each kind in eve's own project, which nobody else sees."""
    eve = world.people["eve"]
    board = factories.BoardWithColumns.create(project=factories.Project.create(owner=eve))
    card = factories.Card.create(column=board.columns.order_by("rank")[0], is_deferred=True)
    script = Script.objects.create(project=board.project, name="Hers", command="true", rank="a0")
    upload = SimpleUploadedFile("hers.txt", b"Hers.", "text/plain")
    with files.taken_in(upload, project_id=board.project_id) as stored:
        attachment = board_operations.add_attachment(actor=actor_of(eve), card=card, stored=stored)
    talk = Conversation.objects.create(
        kind="presession", project=board.project, card=card, person=eve, agent="scripted"
    )
    hers = [
        board.project,
        board,
        card.column,
        card,
        script,
        attachment,
        talk,
        factories.Organization.create(name="Hers", admin=eve),
    ]
    return {one.public_id.partition("_")[0]: one.public_id for one in hers} | {
        "user": eve.public_id
    }


def wrong_ids(known: str, foreign: dict[str, str]) -> Iterator[str]:
    """Ids in the place of a known one: never given, deleted, of another kind, somebody else's."""
    prefix = known.partition("_")[0]
    for bad in BAD_IDS:
        yield bad.replace("{prefix}", prefix).replace("{z}", "z" * 26)
    yield known.upper()
    yield f"{prefix}_01kar2m8v5e9qf3h7n0c4x6wzt"
    yield foreign["card" if prefix != "card" else "board"]
    if prefix in foreign and foreign[prefix] != known:
        yield foreign[prefix]


WITH_IDS = [row for row in ROWS if re.search(r"{(?!folder|root_|readme)", row.path.split("?")[0])]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in WITH_IDS])
def test_wrong_ids_in_addresses_are_not_found(
    world: World, client_named: ClientNamed, row: Row
) -> None:
    with world.given(row.given):
        foreign = foreign_ids(world)
        client = client_named(WELL[row.access])
        client.raise_request_exception = False
        template = row.path.split("?")[0]
        body = "" if row.body is None else json.dumps(world.fill(row.body))
        before = everything()
        wrong = []
        for name in re.findall(r"{(\w+)}", template):
            for bad in wrong_ids(world.names[name], foreign):
                path = V1 + world.fill(template.replace(f"{{{name}}}", bad))
                answer = send(client, row, path, body)
                if row.number in AGAIN and answer.status_code == 204:
                    continue
                if answer.status_code != 404 or answer["Content-Type"] != PROBLEM:
                    wrong.append((name, bad, answer.status_code))
        assert wrong == []
        assert everything() == before


WITH_IDS_INSIDE = [row for row in ROWS if "_[0-7]" in json.dumps(body_of(row))]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in WITH_IDS_INSIDE])
def test_wrong_ids_in_bodies_are_named(world: World, client_named: ClientNamed, row: Row) -> None:
    with world.given(row.given):
        foreign = foreign_ids(world)
        client = client_named(WELL[row.access])
        client.raise_request_exception = False
        path, good = V1 + world.fill(row.path), world.fill(row.body or {})
        before = everything()
        wrong = []
        for place, field in places(body_of(row)):
            prefix = re.match(r"\^(\w+?)_\[0-7", str(resolved(field).get("pattern", "")))
            for bad in wrong_ids(f"{prefix[1]}_", foreign) if prefix else ():
                answer = send(client, row, path, json.dumps(with_value(good, place, bad)))
                name = ".".join(map(str, place))
                # An order is wrong as a whole, whichever of its ids it is.
                known = {name, name.removesuffix(".0")}
                if answer.status_code not in {400, 404} or not known & fields_of(answer):
                    wrong.append((name, bad, answer.status_code, answer.content[:300]))
        assert wrong == []
        assert everything() == before
