"""The table of the REST API holds: each address, for everybody, with exactly what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.urls import resolve
from rest_framework.test import APIClient

from tests.contract.document import DOCUMENT, operation_of, wrong_in
from tests.contract.rows import ANY, FILE, REDIRECT, ROWS, Access, Row
from tests.contract.standing import everything
from tests.contract.world import REFUSED, WELL, World, client_named, world

__all__ = ["client_named", "world"]

MOUNTS = ("/api/v1/", "/api/")
ClientNamed = Callable[..., APIClient]
EVERY_ROW = [pytest.param(row, id=row.name) for row in ROWS]
REFUSING_ROWS = [pytest.param(row, id=row.name) for row in ROWS if REFUSED[row.access]]


def check(found: Any, shape: Any, where: str = "data") -> None:
    """This will fail unless what was found has exactly the shape."""
    if shape is ANY:
        return
    if isinstance(shape, list):
        assert isinstance(found, list), where
        assert found, f"{where} is empty, so nothing was shown of it"
        for number, one in enumerate(found):
            check(one, shape[0], f"{where}.{number}")
        return
    assert isinstance(found, dict), where
    assert set(found) == set(shape), where
    for key, inner in shape.items():
        check(found[key], inner, f"{where}.{key}")


def test_the_table_is_whole() -> None:
    assert [row.number for row in ROWS] == list(range(1, 140))
    assert len({(row.method, row.path) for row in ROWS}) == 139
    methods = [row.method for row in ROWS]
    counts = {method: methods.count(method) for method in sorted(set(methods))}
    assert counts == {"DELETE": 14, "GET": 54, "PATCH": 15, "POST": 43, "PUT": 13}


def test_what_is_open_to_all_is_open_without_signing_in() -> None:
    public = {row.number for row in ROWS if row.access is Access.PUBLIC}
    assert public == {1, 2, 3, 4, 5, 138, 139}
    open_to_all = {row.number for row in ROWS if operation_of(row)["security"] == [{}]}
    assert open_to_all == public


@pytest.mark.parametrize("row", EVERY_ROW)
def test_a_good_request_gets_what_the_table_says_under_both_mounts(
    world: World, client_named: ClientNamed, row: Row
) -> None:
    with world.given(row.given):
        path = world.fill(row.path).split("?")[0]
        first, second = (resolve(f"{mount}{path}") for mount in MOUNTS)
        assert first.func.cls is second.func.cls  # type: ignore[attr-defined]
        for mount in MOUNTS:
            with transaction.atomic():
                answer = world.ask(client_named(WELL[row.access]), row, mount)
                transaction.set_rollback(True)
            assert_it_is_what_the_table_says(answer, world.fill(row.answer), row)


def assert_it_is_what_the_table_says(answer: Any, shape: Any, row: Row) -> None:
    """The status, the body's keys, and all that the OpenAPI document says of the answer."""
    assert answer.status_code == row.status, answer.content
    assert str(row.status) in operation_of(row)["responses"]
    if shape is None:
        assert answer.content == b""
    elif shape is FILE:
        assert answer["Content-Disposition"]
        assert b"".join(answer) if answer.streaming else answer.content
    elif shape is REDIRECT:
        assert answer["Location"]
    else:
        body = answer.json()
        assert set(body) <= {"data", "meta"}
        check(body["data"], shape)
        assert wrong_in(operation_of(row), row.status, body) == []


@pytest.mark.parametrize("row", REFUSING_ROWS)
def test_others_are_turned_away_and_change_nothing(
    world: World, client_named: ClientNamed, row: Row
) -> None:
    with world.given(row.given):
        before = everything()
        for name, status in REFUSED[row.access].items():
            answer = world.ask(client_named(name), row, "/api/v1/")
            assert answer.status_code == status, (name, answer.content)
            assert answer["Content-Type"] == "application/problem+json"
            assert wrong_in(operation_of(row), status, answer.json()) == []
            assert everything() == before, name


def test_no_operation_is_hidden_from_the_table_by_a_name() -> None:
    found = {operation_of(row)["operationId"] for row in ROWS}
    every = {one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values()}
    assert len(found) == len(ROWS)
    assert found < every
