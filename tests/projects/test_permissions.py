"""Who gets which answer: rows are addresses, columns are people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Role, User
from apps.core import ids
from apps.core.models import Event
from apps.orgs.models import Membership
from apps.projects import models
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

PEOPLE = ("ada", "amy", "bob", "oda", "ole", "eve", "adam", "root")
MEMBERS = (200, 200, 200, 200, 200, 404, 404, 200)
NO_BODY = (204, 204, 204, 204, 204, 404, 404, 204)
CARD = f"card_01j{23 * '0'}"

# method, path behind the project, body, answers for PEOPLE
ROWS: list[tuple[str, str, dict[str, Any] | None, tuple[int, ...]]] = [
    ("GET", "", None, MEMBERS),
    ("PATCH", "", {"name": "New"}, (200, 200, 403, 200, 403, 404, 404, 200)),
    ("PATCH", "/last-opened", None, NO_BODY),
    ("POST", "/mark-all-read", None, NO_BODY),
    ("GET", "/files", None, MEMBERS),
    ("GET", "/git/branches", None, MEMBERS),
    ("GET", "/members", None, MEMBERS),
    ("GET", "/panel-states", None, MEMBERS),
    ("PUT", "/panel-states", {CARD: 1}, MEMBERS),
    ("DELETE", f"/panel-states/{CARD}", None, NO_BODY),
    (
        "POST",
        "/members",
        {"email": "new@example.org"},
        (201, 201, 403, 201, 403, 404, 404, 201),
    ),
    (
        "PATCH",
        "/members/{cid}",
        {"role": "admin"},
        (200, 200, 403, 200, 403, 404, 404, 200),
    ),
    ("DELETE", "/members/{cid}", None, (204, 204, 403, 204, 403, 404, 404, 204)),
    (
        "DELETE",
        "/invitations/waiting@example.org",
        None,
        (204, 204, 403, 204, 403, 404, 404, 204),
    ),
    ("POST", "/clone/cancel", None, (409, 409, 403, 409, 403, 404, 404, 409)),
    ("POST", "/clone/retry", {}, (409, 409, 403, 409, 403, 404, 404, 409)),
    ("GET", "/boards", None, MEMBERS),
]


@pytest.fixture
def people(ada: User, bob: User, eve: User, root: User, real_project: Project) -> dict[str, User]:
    """Ada owns; amy is a project admin, bob and cid are members; oda administers the organization
    and ole is in it; eve is a stranger; adam is an admin of the server, which opens no project."""
    named = {
        name: factories.User.create(email=f"{name}@example.org")
        for name in ("amy", "cid", "oda", "ole")
    }
    factories.ProjectMember.create(project=real_project, user=named["amy"], role="admin")
    factories.ProjectMember.create(project=real_project, user=named["cid"])
    real_project.organization = factories.Organization.create(
        admin=named["oda"], members=[named["ole"]]
    )
    real_project.save()
    factories.Invitation.create(project=real_project, email="waiting@example.org")
    adam = factories.User.create(email="adam@example.org", role=Role.ADMIN)
    return {**named, "ada": ada, "bob": bob, "eve": eve, "adam": adam, "root": root}


def stored() -> list[Any]:
    """Everything that a refused request must leave as it is."""
    tables = (
        models.Project,
        models.ProjectMember,
        models.Invitation,
        models.ProjectView,
        Membership,
        Event,
    )
    return [list(table.objects.order_by("pk").values()) for table in tables]


CASES = [
    pytest.param(name, method, path, body, expected, id=f"{name} {method} {path}")
    for method, path, body, answers in ROWS
    for name, expected in zip(("nobody", *PEOPLE), (401, *answers), strict=True)
]


@pytest.mark.parametrize(("name", "method", "path", "body", "expected"), CASES)
def test_the_table_holds(
    people: dict[str, User],
    real_project: Project,
    client_of: ClientOf,
    nobody: APIClient,
    name: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    expected: int,
) -> None:
    path = path.replace("{cid}", people["cid"].public_id)
    url = f"/api/v1/projects/{real_project.public_id}{path}"
    client = nobody if name == "nobody" else client_of(people[name])
    before = stored()
    raw = "" if body is None else json.dumps(body)
    answer = client.generic(method, url, raw, content_type="application/json")
    assert answer.status_code == expected, answer.content
    if expected >= 400:
        assert answer.json()["status"] == expected
        assert stored() == before


def test_an_unknown_project_answers_like_a_hidden_one(
    ada: User, eve: User, project: Project, client_of: ClientOf
) -> None:
    unknown = ids.encode("proj", ids.uuid7())
    hidden = client_of(eve).get(f"/api/v1/projects/{project.public_id}").json()
    missing = client_of(eve).get(f"/api/v1/projects/{unknown}").json()
    assert {**hidden, "instance": ""} == {**missing, "instance": ""}
