"""Numbers for ids, the header that names an organization, and orders that must be whole."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.orgs.models import Organization
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf, actor_of

UNKNOWN = "org_01kar2m8v5e9qf3h7n0c4x6wzt"


def test_a_number_is_read_as_an_id_and_found_nowhere(
    client_of: ClientOf, ada: User, project: Project, board: Board, columns: dict[str, Column]
) -> None:
    card = operations.create_card(actor=actor_of(ada), column=columns["done"], title="A")
    base = f"/api/v1/projects/{project.public_id}"
    targets: list[tuple[str, str, dict[str, Any], str]] = [
        ("post", "/api/v1/cards", {"projectId": 1, "title": "A"}, "projectId"),
        ("post", f"{base}/cards", {"columnId": 1, "title": "A"}, "columnId"),
        ("patch", f"{base}/cards/{card.public_id}/move", {"columnId": 1}, "columnId"),
        ("patch", f"{base}/cards/{card.public_id}", {"dependsOn": [1]}, "dependsOn.0"),
        ("patch", f"{base}/cards/{card.public_id}", {"assignees": [10**40]}, "assignees.0"),
        ("post", f"{base}/boards", {"name": "A", "templateId": 1}, "templateId"),
        ("patch", f"{base}/boards/reorder", {"ids": [1]}, "ids.0"),
        ("patch", f"{base}/columns/reorder", {"ids": [1]}, "ids.0"),
        ("put", f"{base}/scripts/reorder", {"ids": [1]}, "ids.0"),
        ("patch", "/api/v1/projects/reorder", {"ids": [1]}, "ids.0"),
        (
            "put",
            f"{base}/cards/{card.public_id}/pipeline",
            {"steps": [{"columnId": 1}]},
            "steps.0.columnId",
        ),
    ]
    client = client_of(ada)
    for method, path, body, field in targets:
        answer = getattr(client, method)(path, body)
        assert answer.status_code == 400, (path, answer.content)
        assert [error["field"] for error in answer.json()["errors"]] == [field], path
    assert client.get(f"{base}/columns?boardId=1").status_code == 400
    assert client.get("/api/v1/projects/1").status_code == 404


def test_orders_must_be_whole(
    client_of: ClientOf, ada: User, project: Project, board: Board
) -> None:
    client = client_of(ada)
    base = f"/api/v1/projects/{project.public_id}"
    second = client.post(f"{base}/boards", {"name": "Second"}).json()["data"]["id"]
    scripts = [
        client.post(f"{base}/scripts", {"name": name, "command": "make"}).json()["data"]["id"]
        for name in ("A", "B")
    ]
    columns = [column.public_id for column in board.columns.order_by("rank")]
    foreign = factories.BoardWithColumns.create()
    foreign_column = foreign.columns.first()
    assert foreign_column is not None
    sets: list[tuple[str, str, list[str], str]] = [
        ("patch", "boards", [board.public_id, second], foreign.public_id),
        ("patch", "columns", columns, foreign_column.public_id),
        ("put", "scripts", scripts, "scr_01kar2m8v5e9qf3h7n0c4x6wzt"),
    ]
    for method, kind, whole, other in sets:
        listing = f"{base}/{kind}" + (f"?boardId={board.public_id}" if kind == "columns" else "")
        before = client.get(listing).json()["data"]
        for wrong in ([], whole[1:], [*whole, whole[0]], [*whole, other], [*whole[1:], other]):
            answer = getattr(client, method)(f"{base}/{kind}/reorder", {"ids": wrong})
            assert answer.status_code == 400, (kind, wrong, answer.content)
            assert client.get(listing).json()["data"] == before
        answer = getattr(client, method)(f"{base}/{kind}/reorder", {"ids": whole[::-1]})
        assert [row["id"] for row in answer.json()["data"]] == whole[::-1]
        assert [row["position"] for row in answer.json()["data"]] == list(range(len(whole)))


@pytest.fixture
def in_it(organization: Organization, ada: User) -> Project:
    """A project of the organization; Ada has another outside."""
    factories.Project.create(name="Outside", owner=ada)
    return factories.Project.create(name="Inside", owner=ada, organization=organization)


def test_the_header_names_the_organization(
    client_of: ClientOf,
    ada: User,
    root: User,
    eve: User,
    organization: Organization,
    in_it: Project,
) -> None:
    def names(user: User, header: str | None, query: str = "") -> Any:
        headers: dict[str, Any] = {} if header is None else {"HTTP_X_ORGANIZATION_ID": header}
        answer = client_of(user).get(f"/api/v1/projects{query}", **headers)
        if answer.status_code != 200:
            return answer.status_code, answer.json()["code"]
        return [project["name"] for project in answer.json()["data"]]

    refused = (403, "FORBIDDEN")
    other = factories.Organization.create(name="Empty", admin=ada)
    assert names(ada, None) == ["Outside", "Inside"]
    assert names(ada, organization.public_id) == ["Inside"]
    assert names(root, organization.public_id) == ["Inside"]
    assert names(eve, organization.public_id) == refused
    for wrong in (UNKNOWN, "1", "nonsense", "proj_01kar2m8v5e9qf3h7n0c4x6wzt", "ö"):
        assert names(ada, wrong) == refused
        assert names(root, wrong) == refused
    assert names(ada, other.public_id) == []
    asked = f"?organizationId={organization.public_id}"
    assert names(ada, other.public_id, asked) == ["Inside"]
    assert names(ada, UNKNOWN, asked) == ["Inside"]
