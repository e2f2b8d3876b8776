"""Who gets which answer: rows are addresses, columns are people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from apps.accounts.models import Role, User
from apps.agents.models import Approval, Attempt, Turn
from apps.boards.models import Board, Card, Column
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

PEOPLE = ("ada", "bob", "eve", "adam", "root")
MEMBERS = (200, 200, 404, 404, 200)
NO_BODY = (204, 204, 404, 404, 204)
MADE = (201, 201, 404, 404, 201)
ADMINS = (200, 403, 404, 404, 200)
CLASH = (409, 409, 404, 404, 409)

PROJECT = "projects/{project}"
CARD = "projects/{project}/cards/{card}"
OLD = "projects/{project}/cards/{old}"
ATTEMPT = "attempts/{waiting}"
ENDED = "attempts/{ended}"

# method, path, body, answers for PEOPLE; names in braces stand for ids
ROWS: list[tuple[str, str, dict[str, Any] | None, tuple[int, ...]]] = [
    ("GET", PROJECT, None, MEMBERS),
    ("PATCH", PROJECT, {"name": "Motor"}, ADMINS),
    ("DELETE", PROJECT, None, (204, 403, 404, 404, 204)),
    ("GET", f"{PROJECT}/settings", None, MEMBERS),
    ("PATCH", f"{PROJECT}/settings", {"defaultAgent": "demo"}, ADMINS),
    ("PATCH", f"{PROJECT}/boards/{{board}}", {"name": "Other"}, MEMBERS),
    ("DELETE", f"{PROJECT}/boards/{{board}}", None, (409, 403, 404, 404, 409)),
    ("POST", f"{PROJECT}/columns/{{review}}/clean-all", None, NO_BODY),
    ("GET", f"{PROJECT}/active-agents", None, MEMBERS),
    ("GET", CARD, None, MEMBERS),
    ("PATCH", CARD, {"title": "New"}, MEMBERS),
    ("DELETE", f"{CARD}?force=true", None, NO_BODY),
    ("POST", f"{CARD}/activate", None, CLASH),
    ("GET", f"{CARD}/diff", None, MEMBERS),
    ("GET", f"{CARD}/attempt", None, MEMBERS),
    ("GET", f"{CARD}/attempts", None, MEMBERS),
    ("POST", f"{CARD}/attempts", {"agent": "demo"}, CLASH),
    ("GET", f"{CARD}/agent", None, MEMBERS),
    ("POST", f"{CARD}/agent/cancel", None, NO_BODY),
    ("GET", f"{CARD}/agent/sessions", None, MEMBERS),
    ("GET", f"{CARD}/agent/history", None, MEMBERS),
    ("GET", f"{CARD}/agent/messages?limit=5", None, MEMBERS),
    ("POST", f"{OLD}/agent/message", {"content": "Go on."}, CLASH),
    ("POST", f"{OLD}/agent/retry", None, CLASH),
    ("POST", f"{OLD}/agent/relaunch", None, CLASH),
    ("POST", f"{OLD}/agent/relay", None, CLASH),
    ("PATCH", f"{CARD}/auto-mode", {"enabled": True}, MEMBERS),
    ("POST", f"{CARD}/approve-auto", None, CLASH),
    ("POST", f"{CARD}/complete", None, NO_BODY),
    ("POST", f"{OLD}/summary", None, CLASH),
    ("POST", f"{ENDED}/relay", None, CLASH),
    ("POST", f"{CARD}/agent/plan-approve", {"approved": True}, CLASH),
    ("GET", "cards/{card}", None, MEMBERS),
    ("GET", ATTEMPT, None, MEMBERS),
    ("PATCH", ATTEMPT, {"status": "stopped"}, MEMBERS),
    ("GET", f"{ATTEMPT}/logs", None, MEMBERS),
    ("POST", f"{ATTEMPT}/messages", {"prompt": "Go on."}, MADE),
    ("POST", f"{ENDED}/retry", None, CLASH),
    ("POST", f"{ENDED}/relaunch", None, CLASH),
    ("POST", f"{ATTEMPT}/approvals/{{approval}}", {"decision": "deny"}, MEMBERS),
    ("GET", f"{ENDED}/git/status", None, CLASH),
    ("GET", f"{ENDED}/git/diff", None, MEMBERS),
    ("GET", f"{ENDED}/git/file?path=a", None, CLASH),
    ("POST", f"{ENDED}/git/commit", {"subject": "feat: x"}, CLASH),
    ("POST", f"{ENDED}/git/merge", None, CLASH),
    ("POST", f"{ENDED}/git/restore", None, (404, 404, 404, 404, 404)),
    ("GET", "agents", None, (200, 200, 200, 200, 200)),
]
CASES = [
    pytest.param(name, method, path, body, expected, id=f"{name} {method} {path}")
    for method, path, body, answers in ROWS
    for name, expected in zip(("nobody", *PEOPLE), (401, *answers), strict=True)
]


@pytest.fixture
def people(ada: User, bob: User, eve: User, root: User) -> dict[str, User]:
    """Ada owns, bob is a member; eve is a stranger; adam is an admin of the server, which opens
    no project; root may everything."""
    adam = factories.User.create(email="adam@example.org", role=Role.ADMIN)
    return {"ada": ada, "bob": bob, "eve": eve, "adam": adam, "root": root}


@pytest.fixture
def ids(board: Board, columns: dict[str, Column], project: Project) -> dict[str, str]:
    """A card whose agent asks, and one whose agent has succeeded, in a project without folder."""
    card = factories.Card.create(column=columns["inProgress"])
    old = factories.Card.create(column=columns["backlog"])
    waiting = factories.Attempt.create(card=card, waiting=True, waiting_for="permission")
    approval = factories.Approval.create(attempt=waiting)
    ended = factories.Attempt.create(card=old, succeeded=True)
    return {
        "project": project.public_id,
        "board": board.public_id,
        "review": columns["review"].public_id,
        "card": card.public_id,
        "old": old.public_id,
        "waiting": waiting.public_id,
        "ended": ended.public_id,
        "approval": approval.public_id,
    }


def stored() -> list[Any]:
    """Everything that a refused request must leave as it is."""
    tables = (Project, Card, Attempt, Turn, Approval, Event)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.parametrize(("name", "method", "path", "body", "expected"), CASES)
@override_settings(KANBANAI_ALLOW_UNSANDBOXED=True)
def test_the_table_holds(
    *,
    people: dict[str, User],
    ids: dict[str, str],
    client_of: ClientOf,
    nobody: APIClient,
    name: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    expected: int,
) -> None:
    url = path
    for key, public_id in ids.items():
        url = url.replace(f"{{{key}}}", public_id)
    client = nobody if name == "nobody" else client_of(people[name])
    before = stored()

    answer = client.generic(
        method,
        f"/api/v1/{url}",
        "" if body is None else json.dumps(body),
        content_type="application/json",
    )

    assert answer.status_code == expected, answer.content
    if expected >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert stored() == before
