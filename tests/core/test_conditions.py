"""Entity tags: readers are told when nothing changed, writers when something did."""

from __future__ import annotations

import re
import threading
from functools import partial
from typing import Any, cast

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.boards import operations as board_operations
from apps.boards.models import Board, Card, Column
from apps.core.rest import Endpoint
from apps.orgs import operations as org_operations
from apps.orgs.models import Organization
from apps.projects.models import Project
from tests.people import ClientOf, actor_of
from tests.threads import LIMIT_SECONDS, at_once

STRONG = re.compile(r'"[0-9a-f]{32}"')


@pytest.fixture
def path(organization: Organization) -> str:
    return f"/api/v1/organizations/{organization.public_id}"


@pytest.fixture
def card(ada: User, columns: dict[str, Column]) -> Card:
    return board_operations.create_card(
        actor=actor_of(ada), column=columns["backlog"], title="Fit the gears"
    )


def test_the_same_object_has_the_same_tag_however_it_is_asked_for(
    client_of: ClientOf, ada: User, bob: User, path: str
) -> None:
    answers = [
        client_of(ada).get(path),
        client_of(bob).get(path.replace("/api/v1/", "/api/")),
        client_of(ada).get(path, HTTP_ACCEPT="application/json; indent=4"),
        client_of(ada).head(path),
    ]

    tags = {answer.headers["ETag"] for answer in answers}
    assert len(tags) == 1
    assert STRONG.fullmatch(tags.pop())
    assert answers[0].headers["Cache-Control"] == "private, no-cache"


def test_what_made_or_changed_an_object_carries_the_tag_that_reading_it_does(
    client_of: ClientOf, ada: User
) -> None:
    client = client_of(ada)
    made = client.post("/api/v1/organizations", {"name": "Mills"})
    path = f"/api/v1/organizations/{made.json()['data']['id']}"
    assert made.headers["ETag"] == client.get(path).headers["ETag"]

    changed = client.patch(path, {"name": "Looms"})
    assert changed.headers["ETag"] == client.get(path).headers["ETag"]
    assert changed.headers["ETag"] != made.headers["ETag"]


@pytest.mark.parametrize("wanted", ["{tag}", 'W/{tag}, "other"', '"other" , {tag}', "*"])
def test_a_reader_that_has_it_already_is_told_so(
    client_of: ClientOf, ada: User, path: str, wanted: str
) -> None:
    client = client_of(ada)
    tag = client.get(path).headers["ETag"]

    answer = client.get(path, HTTP_IF_NONE_MATCH=wanted.format(tag=tag))

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert "Content-Type" not in answer.headers
    assert "X-Request-Id" in answer.headers


@pytest.mark.parametrize("wanted", ['"other"', "", "nonsense", 'W/"'])
def test_a_reader_that_has_another_gets_the_object(
    client_of: ClientOf, ada: User, path: str, wanted: str
) -> None:
    answer = client_of(ada).get(path, HTTP_IF_NONE_MATCH=wanted)

    assert answer.status_code == 200
    assert answer.json()["data"]["name"] == "Engines"


def test_a_refusal_has_no_tag(client_of: ClientOf, eve: User, path: str) -> None:
    answer = client_of(eve).get(path, HTTP_IF_NONE_MATCH="*")

    assert answer.status_code == 404
    assert "ETag" not in answer.headers


@pytest.mark.parametrize("wanted", ["{tag}", "*", '"other", {tag}'])
def test_a_writer_that_knows_the_object_writes(
    client_of: ClientOf, ada: User, path: str, wanted: str
) -> None:
    client = client_of(ada)
    tag = client.get(path).headers["ETag"]

    answer = client.patch(path, {"name": "Looms"}, HTTP_IF_MATCH=wanted.format(tag=tag))

    assert answer.status_code == 200
    assert client.get(path).json()["data"]["name"] == "Looms"


@pytest.mark.parametrize("wanted", ['"other"', "W/{tag}", "", "nonsense"])
@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_writer_that_knows_another_is_shown_the_current_one(
    client_of: ClientOf, ada: User, path: str, method: str, wanted: str
) -> None:
    client = client_of(ada)
    before = client.get(path)
    tag = before.headers["ETag"]

    answer = getattr(client, method)(path, {"name": "Looms"}, HTTP_IF_MATCH=wanted.format(tag=tag))

    assert (answer.status_code, answer.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["current"] == before.json()["data"]
    assert answer.headers["ETag"] == tag
    assert client.get(path).headers["ETag"] == tag


def test_a_stranger_learns_nothing_by_conditions(client_of: ClientOf, eve: User, path: str) -> None:
    answer = client_of(eve).delete(path, HTTP_IF_MATCH="*")

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_what_is_not_there_matches_nothing(client_of: ClientOf, root: User) -> None:
    answer = client_of(root).delete("/api/v1/settings/oidc", HTTP_IF_MATCH="*")

    assert answer.status_code == 412
    assert answer.json()["current"] is None


def test_a_refused_write_stays_refused_under_a_condition(
    client_of: ClientOf, bob: User, path: str
) -> None:
    client = client_of(bob)
    tag = client.get(path).headers["ETag"]

    answer = client.patch(path, {"name": "Looms"}, HTTP_IF_MATCH=tag)

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


def test_every_view_that_writes_says_what_it_writes() -> None:
    def below(patterns: list[URLPattern | URLResolver]) -> list[Any]:
        found = []
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                found += below(pattern.url_patterns)
            else:
                found.append(getattr(pattern.callback, "cls", None))
        return found

    views = {view for view in below(get_resolver().url_patterns) if view is not None}
    writing = [view for view in views if {"put", "patch", "delete"} & set(dir(view))]
    silent = [
        f"{view.__module__}.{view.__name__}"
        for view in writing
        if issubclass(view, Endpoint) and not hasattr(view, "get") and view.shown is Endpoint.shown
    ]

    assert len(writing) > 20
    assert silent == [], "give these views a `shown` method"


def test_each_part_of_a_card_is_written_under_the_cards_tag(
    client_of: ClientOf, ada: User, project: Project, card: Card, columns: dict[str, Column]
) -> None:
    client = client_of(ada)
    path = f"/api/v1/projects/{project.public_id}/cards/{card.public_id}"
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("patch", path, {"title": "Oil the gears"}),
        ("patch", f"{path}/move", {"columnId": columns["done"].public_id, "position": 0}),
        ("patch", f"{path}/auto-mode", {"enabled": True}),
    ]
    tags = [client.get(path).headers["ETag"]]
    for method, address, body in writes:
        stale = getattr(client, method)(address, body, HTTP_IF_MATCH='"stale"')
        assert stale.status_code == 412
        assert stale.headers["ETag"] == tags[-1]
        answer = getattr(client, method)(address, body, HTTP_IF_MATCH=tags[-1])
        assert answer.status_code == 200
        tags.append(answer.headers["ETag"])
        assert tags[-1] == client.get(path).headers["ETag"]

    assert len(set(tags)) == 4
    assert client.delete(path, HTTP_IF_MATCH=tags[0]).status_code == 412
    assert client.delete(path, HTTP_IF_MATCH=tags[-1]).status_code == 204


def test_views_without_reading_are_conditional_too(
    client_of: ClientOf, ada: User, bob: User, root: User, project: Project, board: Board
) -> None:
    client = client_of(ada)
    base = f"/api/v1/projects/{project.public_id}"
    column = board.columns.get(key="done").public_id
    script = client.post(f"{base}/scripts", {"name": "Test", "command": "make"}).json()["data"]
    second = client.post(f"{base}/boards", {"name": "Second"}).json()["data"]["id"]
    client.post(f"{base}/members", {"email": "new@example.org"})
    token = client.post("/api/v1/user/tokens", {"name": "ci", "scope": "read"})
    template = client.post(
        "/api/v1/board-templates",
        {"name": "Mine", "columns": [{"name": "A", "columnType": "backlog"}]},
    )
    order = [one.public_id for one in board.columns.order_by("rank")]
    targets: list[tuple[str, str, Any]] = [
        ("patch", f"{base}/boards/{board.public_id}", {"name": "First"}),
        ("patch", f"{base}/boards/reorder", {"ids": [second, board.public_id]}),
        ("patch", f"{base}/columns/reorder", {"ids": order[::-1]}),
        ("patch", f"{base}/columns/{column}", {"name": "Shipped"}),
        ("put", f"{base}/scripts/{script['id']}", {"name": "Check"}),
        ("put", f"{base}/scripts/reorder", {"ids": [script["id"]]}),
        ("delete", f"{base}/scripts/{script['id']}", None),
        ("patch", f"{base}/members/{bob.public_id}", {"role": "admin"}),
        ("delete", f"{base}/members/{bob.public_id}", None),
        ("delete", f"{base}/invitations/NEW@example.org", None),
        ("patch", "/api/v1/projects/reorder", {"ids": [project.public_id]}),
        ("patch", f"{base}/last-opened", {}),
        ("patch", base, {"name": "Motor"}),
        ("put", "/api/v1/user/settings", {"theme": "light"}),
        ("delete", f"/api/v1/user/tokens/{token.json()['data']['id']}", None),
        ("delete", f"/api/v1/board-templates/{template.json()['data']['id']}", None),
        ("delete", f"{base}/boards/{second}", None),
    ]
    for method, path, body in targets:
        stale = getattr(client, method)(path, body, HTTP_IF_MATCH='"stale"')
        assert stale.status_code == 412, (method, path, stale.content)
        assert stale.json()["current"]
        fresh = getattr(client, method)(path, body, HTTP_IF_MATCH=stale.headers["ETag"])
        assert fresh.status_code in {200, 204}, (method, path, fresh.content)

    admin = client_of(root)
    person = f"/api/v1/admin/users/{bob.public_id}"
    stale = admin.patch(person, {"name": "Robert"}, HTTP_IF_MATCH='"stale"')
    fresh = admin.patch(person, {"name": "Robert"}, HTTP_IF_MATCH=stale.headers["ETag"])
    assert (stale.status_code, fresh.status_code) == (412, 200)
    refused = client.patch(person, {"name": "Robert"}, HTTP_IF_MATCH='"stale"')
    assert (refused.status_code, "current" in refused.json()) == (403, False)


def test_a_file_has_a_tag_as_well(
    client_of: ClientOf, ada: User, project: Project, card: Card
) -> None:
    client = client_of(ada)
    made = client.post(
        f"/api/v1/projects/{project.public_id}/cards/{card.public_id}/attachments",
        {"file": SimpleUploadedFile("a.txt", b"gears", content_type="text/plain")},
        format="multipart",
    )
    path = f"/api/v1/attachments/{made.json()['data']['id']}"

    whole = client.get(path)
    again = client.get(path, HTTP_IF_NONE_MATCH=made.headers["ETag"])

    assert b"".join(cast("Any", whole).streaming_content) == b"gears"
    assert whole.headers["ETag"] == made.headers["ETag"]
    assert (again.status_code, again.content) == (304, b"")
    assert client.delete(path, HTTP_IF_MATCH='"other"').status_code == 412
    assert client.delete(path, HTTP_IF_MATCH=made.headers["ETag"]).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_of_writers_with_the_same_tag_exactly_one_wins(
    client_of: ClientOf, ada: User, path: str
) -> None:
    tag = client_of(ada).get(path).headers["ETag"]

    def write(client: APIClient, name: str) -> int:
        return client.patch(path, {"name": name}, HTTP_IF_MATCH=tag).status_code

    names = [f"Looms {number}" for number in range(6)]
    statuses = at_once(*(partial(write, client_of(ada), name) for name in names))

    assert sorted(statuses) == [200, *[412] * 5]
    assert Organization.objects.get().name == names[statuses.index(200)]


@pytest.mark.django_db(transaction=True)
def test_of_two_ways_to_write_a_card_exactly_one_wins(
    client_of: ClientOf, ada: User, project: Project, card: Card, columns: dict[str, Column]
) -> None:
    path = f"/api/v1/projects/{project.public_id}/cards/{card.public_id}"
    tag = client_of(ada).get(path).headers["ETag"]

    def write(client: APIClient, address: str, body: dict[str, Any]) -> int:
        return client.patch(address, body, HTTP_IF_MATCH=tag).status_code

    statuses = at_once(
        partial(write, client_of(ada), path, {"title": "Oil the gears"}),
        partial(write, client_of(ada), f"{path}/move", {"columnId": columns["done"].public_id}),
        partial(write, client_of(ada), path, {"labels": ["oil"]}),
        partial(write, client_of(ada), path, {"assignees": [ada.public_id]}),
    )

    assert sorted(statuses) == [200, 412, 412, 412]


@pytest.mark.django_db(transaction=True)
def test_a_deletion_and_a_change_with_the_same_tag_do_not_both_happen(
    client_of: ClientOf, ada: User, path: str
) -> None:
    tag = client_of(ada).get(path).headers["ETag"]
    changing, deleting = client_of(ada), client_of(ada)

    changed, deleted = at_once(
        lambda: changing.patch(path, {"name": "Looms"}, HTTP_IF_MATCH=tag).status_code,
        lambda: deleting.delete(path, HTTP_IF_MATCH=tag).status_code,
    )

    assert (changed, deleted) in {(200, 412), (404, 204)}


@pytest.mark.django_db(transaction=True)
def test_what_came_between_check_and_write_is_not_overwritten(
    client_of: ClientOf, ada: User, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody without a condition writes while one with it is between looking and writing."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets nobody else write from the look on")
    tag = client_of(ada).get(path).headers["ETag"]
    looked, written = threading.Event(), threading.Event()
    update = org_operations.update_organization

    def slowly(**named: Any) -> Organization:
        if named["name"] == "Conditional" and not looked.is_set():
            looked.set()
            assert written.wait(LIMIT_SECONDS)
        return update(**named)

    monkeypatch.setattr(org_operations, "update_organization", slowly)

    def conditional() -> int:
        body = {"name": "Conditional"}
        return client_of(ada).patch(path, body, HTTP_IF_MATCH=tag).status_code

    def plain() -> int:
        assert looked.wait(LIMIT_SECONDS)
        status = client_of(ada).patch(path, {"name": "Plain"}).status_code
        written.set()
        return status

    assert at_once(conditional, plain) == [412, 200]
    assert Organization.objects.get().name == "Plain"
