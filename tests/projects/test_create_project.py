from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from apps.accounts.models import User
from apps.core import problems
from apps.core.models import Event
from apps.projects import folders, operations
from apps.projects.models import Project, ProjectSettings
from tests import factories, git_world
from tests.people import ClientOf, actor_of

URL = "/api/v1/projects"


def refused(actor: User, **values: Any) -> str:
    """The code of the one wrong field, after making sure that nothing was made."""
    with pytest.raises(problems.ValidationFailed) as refusal:
        operations.create_project(actor=actor_of(actor), name="Engine", **values)
    assert not Project.objects.exists()
    assert not Event.objects.exists()
    return refusal.value.errors[0]["code"]


def test_a_folder_becomes_a_project_with_settings_and_a_board(
    ada: User, grounds: Path, client_of: ClientOf
) -> None:
    folder = git_world.repository(grounds / "my engine ⚙")
    answer = client_of(ada).post(
        URL, {"name": "My new Engine", "path": str(folder), "color": "teal"}
    )
    assert answer.status_code == 201
    shown = answer.json()["data"]
    project = Project.objects.get()
    assert shown == {
        "id": project.public_id,
        "name": "My new Engine",
        "path": str(folder),
        "description": "",
        "color": "teal",
        "organizationId": None,
        "ownerId": ada.public_id,
        "origin": "existing",
        "repositoryUrl": None,
        "isGitRepo": True,
        "state": "ready",
        "clone": None,
        "position": 0,
        "credentialId": None,
        "unreadCount": 0,
        "lastOpenedAt": None,
        "createdAt": shown["createdAt"],
        "updatedAt": shown["updatedAt"],
    }
    assert shown["createdAt"].endswith("Z")
    assert ProjectSettings.objects.get().ticket_prefix == "MNE"
    assert [board.name for board in project.boards.all()] == ["Main Board"]
    kinds = Event.objects.order_by("topic", "version").values_list("topic", "kind")
    assert list(kinds) == [
        (f"project.{project.public_id}", "project.created"),
        (f"project.{project.public_id}", "board.created"),
        (f"user.{ada.public_id}", "project.created"),
    ]


def test_both_prefixes_answer_alike(ada: User, grounds: Path, client_of: ClientOf) -> None:
    git_world.repository(grounds / "engine")
    made = client_of(ada).post("/api/projects", {"name": "Engine", "path": str(grounds / "engine")})
    assert made.status_code == 201
    listed = client_of(ada).get("/api/projects").json()["data"]
    assert listed == [made.json()["data"]]
    assert listed == client_of(ada).get(URL).json()["data"]


def test_a_dirty_repository_is_taken_as_it_is(ada: User, grounds: Path) -> None:
    folder = git_world.repository(grounds / "engine")
    git_world.write(folder, {"a.txt": "changed", "new.txt": "new"})
    before = git_world.state(folder)
    operations.create_project(actor=actor_of(ada), name="Engine", path=str(folder))
    assert git_world.state(folder) == before


def test_a_link_leads_to_the_real_folder(ada: User, grounds: Path) -> None:
    folder = git_world.repository(grounds / "engine")
    (grounds / "link").symlink_to(folder)
    project = operations.create_project(
        actor=actor_of(ada), name="Engine", path=str(grounds / "link")
    )
    assert project.path == str(folder)
    with pytest.raises(problems.Conflict):
        operations.create_project(actor=actor_of(ada), name="Again", path=str(folder))


def test_a_link_out_of_the_allowed_folders_leads_nowhere(
    ada: User, grounds: Path, tmp_path: Path
) -> None:
    outside = git_world.repository(tmp_path / "outside")
    (grounds / "link").symlink_to(outside)
    assert refused(ada, path=str(grounds / "link")) == "outside"
    assert refused(ada, path=str(grounds / ".." / "outside")) == "outside"


def test_nothing_is_told_of_what_lies_outside(ada: User, grounds: Path, tmp_path: Path) -> None:
    git_world.repository(tmp_path / "outside")
    assert refused(ada, path=str(tmp_path / "outside")) == "outside"
    assert refused(ada, path=str(tmp_path / "not there")) == "outside"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("missing", "missing"),
        ("plain", "not_a_repository"),
        ("file.txt", "not_a_directory"),
        ("bare.git", "bare"),
        ("empty", "no_commits"),
        ("detached", "detached"),
        ("engine/sub", "subfolder"),
        ("engine/.git", "not_a_repository"),
        ("a" * 300, "unreadable"),
    ],
)
def test_a_folder_that_cannot_be_worked_on_is_refused(
    ada: User, grounds: Path, path: str, code: str
) -> None:
    (grounds / "plain").mkdir()
    (grounds / "file.txt").write_text("")
    git_world.repository(grounds / "engine", {"sub/a.txt": "a"})
    git_world.git(grounds, "init", "--quiet", "--bare", "bare.git")
    git_world.git(grounds, "init", "--quiet", "empty")
    detached = git_world.repository(grounds / "detached")
    git_world.git(detached, "checkout", "--quiet", "--detach")
    assert refused(ada, path=str(grounds / path)) == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("relative/folder", "not_absolute"),
        ("~nobody-of-this-name/folder", "invalid"),
        ("/nul\0byte", "invalid"),
        ("/half\ud800surrogate", "invalid"),
        ("/" + "a/" * 3000, "too_long"),
    ],
)
def test_what_is_no_path_is_refused(ada: User, grounds: Path, path: str, code: str) -> None:
    assert refused(ada, path=path) == code


def test_our_own_data_is_no_project(ada: User, grounds: Path, tmp_path: Path) -> None:
    data = Path(settings.KANBANAI_DATA_DIR)
    settings.KANBANAI_PROJECT_ROOTS = (tmp_path,)
    git_world.repository(data / "worktrees" / "one")
    assert refused(ada, path=str(data / "worktrees" / "one")) == "data_folder"
    assert refused(ada, path=str(data)) == "data_folder"
    assert refused(ada, path=str(data / "repositories")) == "data_folder"
    git_world.git(tmp_path, "init", "--quiet")
    assert refused(ada, path=str(tmp_path)) == "data_folder"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "name"),
        ({"name": "Engine"}, "path"),
        ({"name": "", "path": "/x"}, "name"),
        ({"name": "   ", "path": "/x"}, "name"),
        ({"name": "a" * 51, "path": "/x"}, "name"),
        ({"name": 5, "path": "/x"}, "name"),
        ({"name": ["Engine"], "path": "/x"}, "name"),
        ({"name": "En\0gine", "path": "/x"}, "name"),
        ({"name": "En\ngine", "path": "/x"}, "name"),
        ({"name": "Engine", "path": {"a": 1}}, "path"),
        ({"name": "Engine", "path": None}, "path"),
        ({"name": "Engine", "path": "/x" * 2000}, "path"),
        ({"name": "Engine", "path": "/x", "organizationId": "org_1"}, "organizationId"),
        ({"name": "Engine", "path": "/x", "organizationId": 7}, "organizationId"),
        ({"name": "Engine", "path": "/x", "initialize": "yes"}, "initialize"),
        ({"name": "Engine", "path": "/x", "color": "#fff"}, "color"),
        ({"name": "Engine", "path": "/x", "description": "d" * 201}, "description"),
        ({"name": "Engine", "url": "https://example.org/a", "initialize": True}, "initialize"),
    ],
)
def test_a_wrong_field_is_named(
    ada: User, grounds: Path, client_of: ClientOf, values: dict[str, Any], field: str
) -> None:
    answer = client_of(ada).post(URL, values)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert not Project.objects.exists()


@pytest.mark.parametrize("body", ["[]", "5", '"text"', "null", "{", ""])
def test_a_body_that_is_no_object_is_refused(ada: User, client_of: ClientOf, body: str) -> None:
    answer = client_of(ada).generic("POST", URL, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_new_repository_is_begun(ada: User, grounds: Path) -> None:
    project = operations.create_project(actor=actor_of(ada), name="Größe 9", initialize=True)
    folder = Path(settings.KANBANAI_DATA_DIR) / "repositories" / "große-9"
    assert project.path in {str(folder), str(folder.with_name("groe-9"))}
    assert project.origin == "created"
    assert git_world.git(Path(project.path), "log", "--format=%s") == "Initial commit"
    again = operations.create_project(actor=actor_of(ada), name="Größe 9", initialize=True)
    assert again.path == f"{project.path}-2"


def test_a_new_repository_is_begun_where_one_says(ada: User, grounds: Path) -> None:
    where = grounds / "deep" / "down"
    project = operations.create_project(
        actor=actor_of(ada), name="Deep", path=str(where), initialize=True
    )
    assert project.path == str(where)
    assert (where / "README.md").read_text() == "# Deep\n"


def test_the_files_of_a_folder_become_its_first_commit(ada: User, grounds: Path) -> None:
    git_world.write(grounds / "full", {"notes.txt": "mine", "src/ä.py": "pass"})
    project = operations.create_project(
        actor=actor_of(ada), name="Full", path=str(grounds / "full"), initialize=True
    )
    assert project.origin == "created"
    listed = git_world.git(grounds / "full", "-c", "core.quotePath=off", "ls-files")
    assert listed.splitlines() == ["notes.txt", "src/ä.py"]


def test_a_repository_is_not_begun_again(ada: User, grounds: Path) -> None:
    folder = git_world.repository(grounds / "engine")
    before = git_world.git(folder, "rev-parse", "HEAD")
    project = operations.create_project(
        actor=actor_of(ada), name="Engine", path=str(folder), initialize=True
    )
    assert project.origin == "existing"
    assert git_world.git(folder, "rev-parse", "HEAD") == before


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("engine/sub", "subfolder"),
        ("engine/new/deep", "subfolder"),
        ("engine/.git/hooks", "not_a_repository"),
        ("file.txt", "occupied"),
        ("file.txt/below", "unusable"),
        ("bare.git", "bare"),
        ("", "occupied"),
        ("large", "too_large"),
    ],
)
def test_where_nothing_can_be_begun(
    ada: User, grounds: Path, monkeypatch: pytest.MonkeyPatch, path: str, code: str
) -> None:
    monkeypatch.setattr(folders, "ADOPTED_ENTRIES", 3)
    git_world.repository(grounds / "engine", {"sub/a.txt": "a"})
    git_world.git(grounds, "init", "--quiet", "--bare", "bare.git")
    git_world.write(grounds, {"file.txt": "x"})
    git_world.write(grounds / "large", {f"{number}.txt": "x" for number in range(4)})
    before = sorted(str(entry) for entry in grounds.rglob("*"))
    assert refused(ada, path=str(grounds / path), initialize=True) == code
    assert sorted(str(entry) for entry in grounds.rglob("*")) == before


def test_one_folder_is_one_project_also_for_another_person(
    ada: User, eve: User, grounds: Path, client_of: ClientOf
) -> None:
    folder = git_world.repository(grounds / "engine")
    body = {"name": "Engine", "path": str(folder)}
    assert client_of(ada).post(URL, body).status_code == 201
    answer = client_of(eve).post(URL, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert Project.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_project(ada: User, grounds: Path) -> None:
    folder = git_world.repository(grounds / "engine")
    outcomes: list[str] = []

    def create() -> None:
        try:
            operations.create_project(actor=actor_of(ada), name="Engine", path=str(folder))
            outcomes.append("made")
        except problems.Conflict:
            outcomes.append("conflict")
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "made"]
    assert Project.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("My new Shop", "MNS"),
        ("kanban", "K"),
        ("one two three four five six seven", "OTTFFS"),
        ("Äpfel & Öl", "AO"),
        ("2048 game", "2G"),
        ("木 火", "PRJ"),
        ("!!!", "PRJ"),
    ],
)
def test_the_ticket_prefix_is_made_of_initials(
    ada: User, grounds: Path, name: str, prefix: str
) -> None:
    project = operations.create_project(actor=actor_of(ada), name=name, initialize=True)
    assert ProjectSettings.objects.get(project=project).ticket_prefix == prefix


def test_the_demo_project_has_a_repository_and_cards(
    ada: User, grounds: Path, client_of: ClientOf
) -> None:
    answer = client_of(ada).post("/api/v1/projects/demo")
    assert answer.status_code == 201
    project = Project.objects.get()
    assert (project.origin, project.settings.default_agent) == ("demo", "demo")
    assert git_world.git(Path(project.path), "rev-list", "--count", "HEAD") == "3"
    cards = project.cards.order_by("number")
    assert [card.column.key for card in cards] == ["backlog"] * len(cards)
    assert sum(card.dependencies.count() for card in cards) == 1
    assert client_of(ada).post("/api/v1/projects/demo").status_code == 201
    assert Project.objects.count() == 2


def test_an_organization_must_be_ones_own(
    ada: User, eve: User, grounds: Path, client_of: ClientOf
) -> None:
    engines = factories.Organization.create(name="Engines", admin=ada)
    git_world.repository(grounds / "engine")
    body = {"name": "Engine", "path": str(grounds / "engine"), "organizationId": engines.public_id}
    answer = client_of(eve).post(URL, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "organizationId"
    made = client_of(ada).post(URL, body)
    assert made.json()["data"]["organizationId"] == engines.public_id


def test_the_header_names_the_organization(
    ada: User, eve: User, grounds: Path, client_of: ClientOf
) -> None:
    engines = factories.Organization.create(name="Engines", admin=ada)
    inside = factories.Project.create(owner=ada, organization=engines)
    outside = factories.Project.create(owner=ada)
    header = {"X-Organization-Id": engines.public_id}
    listed = client_of(ada).get(URL, headers=header).json()["data"]
    assert [item["id"] for item in listed] == [inside.public_id]
    everything = client_of(ada).get(URL).json()["data"]
    assert [item["id"] for item in everything] == [inside.public_id, outside.public_id]
    unknown = "org_01jxxxxxxxxxxxxxxxxxxxxxxx"
    for user, value in ((eve, engines.public_id), (ada, unknown), (ada, "nonsense")):
        refusal = client_of(user).get(URL, headers={"X-Organization-Id": value})
        assert refusal.status_code == 403
    by_query = client_of(ada).get(URL, {"organizationId": engines.public_id})
    assert [item["id"] for item in by_query.json()["data"]] == [inside.public_id]


def test_nobody_makes_nothing(db: None, nobody: Any) -> None:
    assert nobody.get(URL).status_code == 401
    assert nobody.post(URL, {"name": "Engine", "path": "/x"}).status_code == 401
    assert nobody.post(f"{URL}/demo").status_code == 401
