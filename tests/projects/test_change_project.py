from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import User
from apps.boards.models import Board, Column
from apps.core.models import Event
from apps.projects import inputs, operations, outputs
from apps.projects.models import Project
from tests import factories, git_world
from tests.people import ClientOf, actor_of


def url(project: Project, rest: str = "") -> str:
    return f"/api/v1/projects/{project.public_id}{rest}"


def test_facts_are_changed_and_told_once(ada: User, project: Project, client_of: ClientOf) -> None:
    changes = {"name": "Motor ✓", "description": "two\nlines", "color": "pink"}
    for _ in range(2):
        answer = client_of(ada).patch(url(project), changes)
        assert answer.status_code == 200
        assert {key: answer.json()["data"][key] for key in changes} == changes
    event = Event.objects.get()
    assert (event.topic, event.kind) == (f"project.{project.public_id}", "project.updated")
    assert event.data["changes"] == ["name", "description", "color"]
    assert event.data["project"]["name"] == "Motor ✓"
    assert "lastOpenedAt" not in event.data["project"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": None},
        {"name": "x" * 51},
        {"name": {"a": 1}},
        {"name": "tab\there"},
        {"description": "x" * 201},
        {"color": "mauve"},
        {"color": 5},
    ],
)
def test_a_wrong_value_changes_nothing(
    ada: User, project: Project, client_of: ClientOf, changes: dict[str, Any]
) -> None:
    answer = client_of(ada).patch(url(project), {"description": "new"} | changes)
    assert answer.status_code == 400
    project.refresh_from_db()
    assert (project.name, project.description) == ("Engine", "")
    assert not Event.objects.exists()


def test_what_is_not_named_stays(ada: User, project: Project, client_of: ClientOf) -> None:
    changes = {"path": "/etc", "ownerId": "x", "state": "cloning"}
    assert client_of(ada).patch(url(project), changes).status_code == 200
    project.refresh_from_db()
    assert (project.path[:9], project.owner, project.state) == ("/nowhere/", ada, "ready")


def test_a_deleted_project_leaves_its_folder_alone(
    ada: User, bob: User, real_project: Project, board: Board, columns: dict[str, Column]
) -> None:
    card = factories.Card.create(column=columns["review"])
    factories.CardDependency.create(
        card=card, depends_on=factories.Card.create(column=columns["backlog"])
    )
    folder = Path(real_project.path)
    before = git_world.state(folder)
    operations.delete_project(actor=actor_of(ada), project=real_project)
    assert not Project.objects.exists()
    assert not Board.objects.exists()
    assert git_world.state(folder) == before
    told = Event.objects.filter(kind="project.deleted").values_list("topic", flat=True)
    assert set(told) == {
        f"project.{real_project.public_id}",
        f"user.{ada.public_id}",
        f"user.{bob.public_id}",
    }


def test_settings_are_changed_and_told_by_name(ada: User, project: Project) -> None:
    changes = {"ticket_prefix": "XY2", "setup_script": "make\n", "auto_commit_on_finish": True}
    actor = actor_of(ada)
    operations.update_settings(actor=actor, project=project, changes=changes)
    settings = operations.update_settings(actor=actor, project=project, changes=changes)
    event = Event.objects.get()
    assert event.data["changes"] == [
        "settings.setupScript",
        "settings.autoCommitOnFinish",
        "settings.ticketPrefix",
    ]
    shown = outputs.settings(settings, next_ticket_number=7)
    assert (shown["ticketPrefix"], shown["setupScript"], shown["nextTicketNumber"]) == (
        "XY2",
        "make\n",
        7,
    )


@pytest.mark.parametrize(
    ("value", "prefix"), [("abc", "ABC"), ("A1", "A1"), ("", None), ("A-B", None), ("ÄB", None)]
)
def test_a_prefix_is_letters_and_digits(value: str, prefix: str | None) -> None:
    reader = inputs.UpdateSettings(data={"ticketPrefix": value})
    assert reader.is_valid() == (prefix is not None)
    if prefix is not None:
        assert reader.validated_data == {"ticket_prefix": prefix}


def test_the_tracked_files_are_listed_page_by_page(
    bob: User, real_project: Project, client_of: ClientOf
) -> None:
    folder = Path(real_project.path)
    git_world.commit(folder, {"src/ä b.py": "", "src/main.py": "", "other.txt": ""})
    git_world.write(folder, {"untracked.txt": ""})
    client = client_of(bob)
    answer = client.get(url(real_project, "/files"))
    assert answer.json() == {
        "data": ["README.md", "other.txt", "src/main.py", "src/ä b.py"],
        "meta": {"total": 4, "hasMore": False},
    }
    page = client.get(url(real_project, "/files?search=SRC&limit=1"))
    assert page.json() == {"data": ["src/main.py"], "meta": {"total": 2, "hasMore": True}}
    for wrong in ("limit=0", "limit=x", "offset=-1", f"search={201 * 'x'}", "search=%00"):
        assert client.get(url(real_project, f"/files?{wrong}")).status_code == 400


def test_branches_are_listed_the_current_one_first(
    bob: User, real_project: Project, client_of: ClientOf
) -> None:
    git_world.git(Path(real_project.path), "branch", "feature/a")
    answer = client_of(bob).get(url(real_project, "/git/branches"))
    assert answer.json()["data"] == {
        "branches": [
            {"name": "main", "displayName": "main", "kind": "local", "isCurrent": True},
            {
                "name": "feature/a",
                "displayName": "feature/a",
                "kind": "local",
                "isCurrent": False,
            },
        ],
        "defaultBranch": "main",
    }


def test_a_repository_that_is_gone_is_said_to_be(
    bob: User, project: Project, client_of: ClientOf
) -> None:
    for rest in ("/files", "/git/branches"):
        answer = client_of(bob).get(url(project, rest))
        assert (answer.status_code, answer.json()["code"]) == (409, "REPOSITORY_NOT_READY")
    assert client_of(bob).get(url(project)).json()["data"]["isGitRepo"] is False
