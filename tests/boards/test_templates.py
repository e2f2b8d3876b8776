"""Templates of boards: what there is, who changes it, and boards made of it."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.accounts.models import Role, User
from apps.boards.models import Board, BoardTemplate
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

TEMPLATES = "/api/v1/board-templates"
COLUMNS = [
    {"name": "To do", "columnType": "backlog"},
    {"name": "Think", "columnType": "active", "agentMode": "plan", "prompt": "Think first."},
    {"name": "Polish", "columnType": "active", "agentMode": "skill", "skillName": "polish"},
    {"name": "Build", "columnType": "active"},
    {"name": "Shipped", "columnType": "done"},
]


def built_in(client: APIClient, name: str) -> dict[str, Any]:
    listed = client.get(TEMPLATES).json()["data"]
    return next(template for template in listed if template["name"] == name)


@pytest.fixture
def template(ada: User, client_of: ClientOf) -> dict[str, Any]:
    """Ada's template."""
    answer = client_of(ada).post(TEMPLATES, {"name": "Ours", "columns": COLUMNS})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_two_templates_are_always_there(client_of: ClientOf, eve: User) -> None:
    listed = client_of(eve).get(TEMPLATES).json()["data"]

    assert [(one["name"], one["isBuiltIn"], one["createdBy"]) for one in listed] == [
        ("Kanban Default", True, None),
        ("Plan and Review", True, None),
    ]
    assert [(column["name"], column["columnType"]) for column in listed[0]["columns"]] == [
        ("Backlog", "backlog"),
        ("In Progress", "active"),
        ("Done", "done"),
    ]
    assert [column["agentMode"] for column in listed[1]["columns"]] == [
        "none",
        "plan",
        "code",
        "none",
        "none",
    ]


def test_a_template_is_kept_for_everybody(
    client_of: ClientOf, ada: User, eve: User, template: dict[str, Any]
) -> None:
    assert template["id"].startswith("tpl_")
    assert template["createdBy"] == ada.public_id
    assert template["columns"] == [
        {
            "name": "To do",
            "columnType": "backlog",
            "prompt": "",
            "agentMode": "none",
            "skillName": "",
        },
        {
            "name": "Think",
            "columnType": "active",
            "prompt": "Think first.",
            "agentMode": "plan",
            "skillName": "",
        },
        {
            "name": "Polish",
            "columnType": "active",
            "prompt": "",
            "agentMode": "skill",
            "skillName": "polish",
        },
        {
            "name": "Build",
            "columnType": "active",
            "prompt": "",
            "agentMode": "code",
            "skillName": "",
        },
        {
            "name": "Shipped",
            "columnType": "done",
            "prompt": "",
            "agentMode": "none",
            "skillName": "",
        },
    ]
    assert client_of(eve).get(TEMPLATES).json()["data"][2:] == [template]
    assert Event.objects.get(kind="board_template.created").topic == "server"


def test_a_board_is_made_of_a_template(
    client_of: ClientOf, bob: User, project: Project, template: dict[str, Any]
) -> None:
    answer = client_of(bob).post(
        f"/api/v1/projects/{project.public_id}/boards",
        {"name": "Second", "templateId": template["id"]},
    )

    assert answer.status_code == 201
    board = Board.objects.get(project=project, name="Second")
    assert [
        (column.name, column.column_type, column.agent_mode, column.prompt, column.skill_name)
        for column in board.columns.order_by("rank")
    ] == [
        ("To do", "backlog", "none", "", ""),
        ("Think", "active", "plan", "Think first.", ""),
        ("Polish", "active", "skill", "", "polish"),
        ("Build", "active", "code", "", ""),
        ("Shipped", "done", "none", "", ""),
    ]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("Kanban Default", ["Backlog", "In Progress", "Done"]),
        ("Plan and Review", ["Backlog", "Plan", "In Progress", "Review", "Done"]),
        (None, ["Backlog", "In Progress", "Review", "Done"]),
    ],
)
def test_a_board_is_made_of_what_we_bring(
    client_of: ClientOf, bob: User, project: Project, name: str | None, columns: list[str]
) -> None:
    client = client_of(bob)
    template_id = built_in(client, name)["id"] if name else None

    client.post(
        f"/api/v1/projects/{project.public_id}/boards", {"name": "New", "templateId": template_id}
    )

    board = Board.objects.get(project=project, name="New")
    assert [column.name for column in board.columns.order_by("rank")] == columns


@pytest.mark.parametrize(
    "wrong", ["tpl_01h455vb4pex5vsknk084sn02q", "nonsense", [], "card_1", True]
)
def test_a_board_of_no_template_is_not_made(
    client_of: ClientOf, bob: User, project: Project, wrong: Any
) -> None:
    answer = client_of(bob).post(
        f"/api/v1/projects/{project.public_id}/boards", {"name": "New", "templateId": wrong}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "templateId"
    assert not Board.objects.filter(name="New").exists()


@pytest.mark.parametrize(
    ("who", "expected"), [("ada", 200), ("bob", 403), ("eve", 403), ("adam", 200), ("root", 200)]
)
def test_only_its_maker_and_admins_change_a_template(
    client_of: ClientOf,
    ada: User,
    bob: User,
    eve: User,
    root: User,
    template: dict[str, Any],
    who: str,
    expected: int,
) -> None:
    adam = factories.User.create(email="adam@example.org", role=Role.ADMIN)
    person = {"ada": ada, "bob": bob, "eve": eve, "adam": adam, "root": root}[who]
    client, address = client_of(person), f"{TEMPLATES}/{template['id']}"

    changed = client.patch(address, {"name": "Theirs"})
    assert changed.status_code == expected
    assert BoardTemplate.objects.get().name == ("Theirs" if expected == 200 else "Ours")
    gone = client.delete(address)
    assert gone.status_code == (204 if expected == 200 else 403)
    assert BoardTemplate.objects.exists() == (expected != 200)
    kinds = [event.kind for event in Event.objects.filter(topic="server").order_by("version")]
    assert kinds == ["board_template.created"] + (
        ["board_template.updated", "board_template.deleted"] if expected == 200 else []
    )


def test_nobody_has_templates_without_signing_in(
    nobody: APIClient, template: dict[str, Any]
) -> None:
    address = f"{TEMPLATES}/{template['id']}"

    assert nobody.get(TEMPLATES).status_code == 401
    assert nobody.post(TEMPLATES, {"name": "X", "columns": COLUMNS}).status_code == 401
    assert nobody.patch(address, {"name": "X"}).status_code == 401
    assert nobody.delete(address).status_code == 401


def test_what_we_bring_is_changed_by_nobody(client_of: ClientOf, root: User) -> None:
    client = client_of(root)
    address = f"{TEMPLATES}/{built_in(client, 'Kanban Default')['id']}"

    assert client.patch(address, {"name": "Mine"}).status_code == 409
    assert client.delete(address).status_code == 409


def test_a_template_nobody_knows_is_not_found(client_of: ClientOf, root: User) -> None:
    address = f"{TEMPLATES}/tpl_01h455vb4pex5vsknk084sn02q"

    assert client_of(root).patch(address, {"name": "Mine"}).status_code == 404
    assert client_of(root).delete(address).status_code == 404


def test_the_same_again_is_no_event(
    client_of: ClientOf, ada: User, template: dict[str, Any]
) -> None:
    answer = client_of(ada).patch(
        f"{TEMPLATES}/{template['id']}", {"name": "Ours", "columns": COLUMNS}
    )

    assert answer.status_code == 200
    assert answer.json()["data"] == template
    assert not Event.objects.filter(kind="board_template.updated").exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "X"}, "columns"),
        ({"columns": COLUMNS}, "name"),
        ({"name": "X", "columns": []}, "columns"),
        ({"name": "X", "columns": "Backlog"}, "columns"),
        ({"name": "X", "columns": [None]}, "columns.0"),
        ({"name": "X", "columns": [{"name": "A"}]}, "columns.0.columnType"),
        ({"name": "X", "columns": [{"name": "A", "columnType": "odd"}]}, "columns.0.columnType"),
        ({"name": "X", "columns": [{"name": "a\0", "columnType": "done"}]}, "columns.0.name"),
        ({"name": "X" * 101, "columns": COLUMNS}, "name"),
        ({"name": "X", "columns": COLUMNS * 11}, "columns"),
        (
            {"name": "X", "columns": [{"name": "A", "columnType": "done", "agentMode": "code"}]},
            "columns.0.agentMode",
        ),
    ],
)
def test_wrong_templates_are_refused(
    client_of: ClientOf, ada: User, body: dict[str, Any], field: str
) -> None:
    answer = client_of(ada).post(TEMPLATES, body)

    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["field"] == field
    assert not BoardTemplate.objects.exists()


def test_one_person_keeps_a_hundred(client_of: ClientOf, ada: User) -> None:
    BoardTemplate.objects.bulk_create(
        BoardTemplate(name="x", columns=[], created_by=ada) for _ in range(100)
    )

    assert client_of(ada).post(TEMPLATES, {"name": "X", "columns": COLUMNS}).status_code == 409


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_costs_two_statements(
    client_of: ClientOf, ada: User, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    BoardTemplate.objects.bulk_create(
        BoardTemplate(name="x", columns=[], created_by=ada) for _ in range(count)
    )
    client = client_of(ada)

    with django_assert_num_queries(2):
        assert len(client.get(TEMPLATES).json()["data"]) == count + 2
