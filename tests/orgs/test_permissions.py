"""Who gets which answer: one row an address, one column a person."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.models import Event
from apps.orgs.models import Membership, Organization
from tests import factories

ONE = "/api/v1/organizations/{organization}"
ROWS: list[tuple[str, str, dict[str, Any] | None, dict[str, int]]] = [
    # method, path, body, and the status for: nobody, eve, bob (member), ada (admin), root
    ("get", "/api/v1/organizations", None, {"nobody": 401, "eve": 200, "bob": 200}),
    ("post", "/api/v1/organizations", {"name": "N"}, {"nobody": 401, "eve": 201, "bob": 201}),
    ("get", ONE, None, {"nobody": 401, "eve": 404, "bob": 200, "ada": 200, "root": 200}),
    ("patch", ONE, {"name": "N"}, {"nobody": 401, "eve": 404, "bob": 403, "ada": 200, "root": 200}),
    ("delete", ONE, None, {"nobody": 401, "eve": 404, "bob": 403, "ada": 204, "root": 204}),
    ("get", f"{ONE}/members", None, {"nobody": 401, "eve": 404, "bob": 200, "ada": 200}),
    (
        "post",
        f"{ONE}/members",
        {"email": "carl@example.org"},
        {"nobody": 401, "eve": 404, "bob": 403, "ada": 201, "root": 201},
    ),
    (
        "patch",
        f"{ONE}/members/{{member}}",
        {"role": "admin"},
        {"nobody": 401, "eve": 404, "bob": 403, "ada": 200, "root": 200},
    ),
    (
        "delete",
        f"{ONE}/members/{{member}}",
        None,
        {"nobody": 401, "eve": 404, "bob": 403, "ada": 204, "root": 204},
    ),
    (
        "delete",
        f"{ONE}/members/{{stranger}}",
        None,
        {"nobody": 401, "eve": 404, "bob": 404, "ada": 404, "root": 404},
    ),
]
CELLS = [
    (method, path, body, person, status)
    for method, path, body, answers in ROWS
    for person, status in answers.items()
]


@pytest.mark.parametrize("cell", CELLS)
def test_everybody_gets_their_answer(
    callers: dict[str, APIClient],
    organization: Organization,
    cell: tuple[str, str, dict[str, Any] | None, str, int],
) -> None:
    method, path, body, person, status = cell
    carl = factories.User.create(email="carl@example.org")
    dora = factories.Membership.create(organization=organization).user
    before = list(Membership.objects.order_by("pk").values())
    address = path.format(
        organization=organization.public_id, member=dora.public_id, stranger=carl.public_id
    )

    answer = getattr(callers[person], method)(address, body)

    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert list(Membership.objects.order_by("pk").values()) == before
        assert not Event.objects.exists()
        assert Organization.objects.get().name == "Engines"
