"""Pages of projects, as a browser gets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.projects import operations as project_operations
from apps.projects.models import Project
from tests import factories, git_world
from tests.people import BrowserOf, actor_of


@pytest.fixture
def browser(ada: User, browser_of: BrowserOf) -> Client:
    """Ada's browser."""
    return browser_of(ada)


@pytest.fixture
def grounds(tmp_path: Path, settings: Settings) -> Path:
    """The one folder under which people may make projects."""
    root = tmp_path / "grounds"
    root.mkdir()
    settings.KANBANAI_PROJECT_ROOTS = (root,)
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    return root


def board_url(project: Project) -> str:
    board = project.boards.get()
    return f"/boards/{board.public_id}"


def test_whoever_is_not_signed_in_is_sent_to_sign_in(ada: User) -> None:
    for path in ("/", "/projects", "/projects/new"):
        answer = Client().get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")


def test_without_a_project_home_shows_the_first_steps(browser: Client) -> None:
    answer = browser.get("/", follow=True)
    assert answer.redirect_chain == [("/projects", 302)]
    text = answer.content.decode()
    assert "Where should agents work?" in text
    assert 'action="/projects/demo"' in text


def test_with_a_project_home_is_the_inbox(browser: Client, project: Project) -> None:
    assert browser.get("/")["Location"] == "/inbox"


def test_the_demo_opens_its_board(browser: Client, grounds: Path) -> None:
    assert browser.get("/projects/demo").status_code == 405
    answer = browser.post("/projects/demo")
    assert answer["Location"] == board_url(Project.objects.get())


def test_the_list_shows_ones_projects_alone(
    browser: Client, ada: User, eve: User, grounds: Path
) -> None:
    mine = factories.BoardWithColumns.create(project__owner=ada, project__name="Mine & yours")
    done = mine.columns.get(key="done")
    factories.Card.create(column=done)
    factories.Card.create(column=mine.columns.get(key="backlog"))
    factories.Project.create(owner=eve, name="Of somebody else")
    answer = browser.get("/projects")
    text = answer.content.decode()
    assert "Mine &amp; yours" in text
    assert "Of somebody else" not in text
    assert f'href="/boards/{mine.public_id}"' in text
    (shown,) = answer.context["projects"]
    assert (shown["openCards"], shown["totalCards"], shown["activeAttempts"]) == (1, 2, 0)


@pytest.mark.parametrize("mode", ["folder", "clone", "empty", "nonsense"])
def test_the_form_is_drawn(browser: Client, grounds: Path, mode: str) -> None:
    answer = browser.get(f"/projects/new?mode={mode}")
    assert answer.status_code == 200
    wanted = {"folder": "path", "clone": "url", "empty": "path", "nonsense": "path"}[mode]
    assert f'name="{wanted}"' in answer.content.decode()


def test_a_folder_becomes_a_project(browser: Client, grounds: Path) -> None:
    folder = git_world.repository(grounds / "engine")
    form = {"mode": "folder", "path": str(folder), "name": "Engine", "color": "red"}
    answer = browser.post("/projects/new", form)
    project = Project.objects.get()
    assert answer["Location"] == board_url(project)
    assert (project.name, project.color, project.path) == ("Engine", "red", str(folder))


def test_a_plain_folder_becomes_one_when_that_is_wished(browser: Client, grounds: Path) -> None:
    git_world.write(grounds / "plain", {"a.txt": "a"})
    form = {"mode": "folder", "path": str(grounds / "plain"), "name": "Plain", "initialize": "on"}
    assert browser.post("/projects/new", form).status_code == 302
    assert git_world.git(grounds / "plain", "ls-files") == "a.txt"


def test_an_empty_project_is_begun(browser: Client, grounds: Path) -> None:
    answer = browser.post("/projects/new", {"mode": "empty", "name": "Fresh"})
    project = Project.objects.get()
    assert answer["Location"] == board_url(project)
    assert project.origin == "created"
    assert Path(project.path).parent.name == "repositories"


def refusal(browser: Client, form: dict[str, Any]) -> dict[str, list[str]]:
    answer = browser.post("/projects/new", form)
    assert answer.status_code == 422
    assert not Project.objects.exists()
    errors: dict[str, list[str]] = answer.context["form"].errors
    for sentences in errors.values():
        for sentence in sentences:
            assert sentence.split("'")[0] in answer.content.decode()
    return errors


def test_what_is_wrong_stands_beside_its_field(browser: Client, grounds: Path) -> None:
    (grounds / "plain").mkdir()
    folder = {"mode": "folder", "name": "Engine"}
    assert refusal(browser, {**folder, "path": str(grounds / "plain")}) == {
        "path": ["This directory is not a git repository."]
    }
    assert list(refusal(browser, {**folder, "path": "/etc"})) == ["path"]
    assert list(refusal(browser, {**folder, "path": "x\0y"})) == ["path"]
    assert list(refusal(browser, folder)) == ["path"]
    assert list(refusal(browser, {"mode": "empty"})) == ["name"]
    assert list(refusal(browser, {"mode": "clone", "url": "file:///etc"})) == ["url"]
    assert list(refusal(browser, {"mode": "clone"})) == ["url"]


def test_a_folder_that_is_taken_is_said_to_be(browser: Client, eve: User, grounds: Path) -> None:
    folder = git_world.repository(grounds / "engine")
    factories.Project.create(owner=eve, path=str(folder))
    form = {"mode": "folder", "path": str(folder), "name": "Engine"}
    answer = browser.post("/projects/new", form)
    assert answer.status_code == 422
    assert "This folder is a project already." in answer.content.decode()


def test_a_clone_is_watched_and_cancelled(browser: Client, ada: User, grounds: Path) -> None:
    form = {
        "mode": "clone",
        "url": "https://ada:secret-word@example.org/engine.git",
        "username": "",
        "password": "",
    }
    answer = browser.post("/projects/new", form, follow=True)
    assert answer.redirect_chain == [("/projects", 302)]
    text = answer.content.decode()
    assert "Cloning engine" in text
    assert "secret-word" not in text
    project = Project.objects.get()
    url = f"/projects/{project.public_id}/clone"
    assert f'hx-get="{url}"' in text
    fragment = browser.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "Waiting for a worker" in fragment
    assert browser.get(url)["Location"] == "/projects"
    cancelled = browser.post(f"{url}/cancel").content.decode()
    assert "hx-get" not in cancelled
    assert "The clone of engine was stopped" in cancelled
    assert browser.post(f"{url}/cancel").status_code == 409
    again = browser.post(f"{url}/retry", {"username": "ada", "password": "secret-word"})
    assert "Waiting for a worker" in again.content.decode()
    assert browser.post(f"{url}/retry").status_code == 409
    assert browser.post(f"{url}/discard").status_code == 409
    browser.post(f"{url}/cancel")
    assert browser.post(f"{url}/retry", {"username": "a\0b"}).status_code == 422
    assert browser.post(f"{url}/discard")["Location"] == "/projects"
    assert not Project.objects.exists()


def test_a_finished_clone_leads_to_its_board(browser: Client, ada: User, grounds: Path) -> None:
    board = factories.BoardWithColumns.create(project__owner=ada)
    url = f"/projects/{board.project.public_id}/clone"
    answer = browser.get(url, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == f"/boards/{board.public_id}"


def test_a_failed_clone_says_why(browser: Client, ada: User, grounds: Path) -> None:
    project = project_operations.start_clone(
        actor=actor_of(ada), url="https://example.org/engine.git"
    )
    Project.objects.update(state="clone_failed", clone_phase="The remote's host is <gone>.")
    text = browser.get("/projects").content.decode()
    assert "engine could not be cloned" in text
    assert "The remote&#x27;s host is &lt;gone&gt;." in text
    assert project.public_id in text


def test_a_stranger_sees_no_clone(eve: User, project: Project, browser_of: BrowserOf) -> None:
    url = f"/projects/{project.public_id}/clone"
    assert browser_of(eve).get(url).status_code == 404
    for action in ("cancel", "retry", "discard"):
        assert browser_of(eve).post(f"{url}/{action}").status_code == 404


def test_a_member_discards_nothing(
    ada: User, bob: User, grounds: Path, browser_of: BrowserOf
) -> None:
    project = project_operations.start_clone(
        actor=actor_of(ada), url="https://example.org/engine.git"
    )
    project_operations.add_member(actor=actor_of(ada), project=project, email=bob.email)
    project_operations.cancel_clone(actor=actor_of(ada), project=project)
    url = f"/projects/{project.public_id}/clone"
    assert browser_of(bob).post(f"{url}/discard").status_code == 403
    assert browser_of(bob).post(f"{url}/retry").status_code == 403
    assert Project.objects.exists()


def test_every_page_lists_what_one_opened_last(
    browser: Client, ada: User, eve: User, grounds: Path
) -> None:
    old, new = (
        factories.BoardWithColumns.create(project__owner=ada, project__name=name)
        for name in ("Old", "New")
    )
    factories.Project.create(owner=eve, name="Of somebody else")
    project_operations.open_project(actor=actor_of(ada), project=old.project)
    frame = browser.get("/projects/new").context["frame"]
    assert [(entry["name"], entry["boardId"]) for entry in frame["projects"]] == [
        ("Old", old.public_id),
        ("New", new.public_id),
    ]
