"""New projects: of a folder, of nothing yet, of a clone; and who belongs to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import expect

from tests import git_world
from tests.e2e.visits import Project, Visit

pytestmark = pytest.mark.e2e


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """The address of a repository that can be cloned over HTTP."""
    git_world.repository(tmp_path / "work", {"README.md": "# Published\n"})
    git_world.git(tmp_path, "clone", "--quiet", "--bare", "work", "published.git")
    git_world.git(tmp_path / "published.git", "update-server-info")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: Quiet(*arguments, directory=str(tmp_path))
    )
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/published.git"
    server.shutdown()
    server.server_close()


def test_a_folder_becomes_a_project(visit: Callable[..., Visit], roots: Path) -> None:
    folder = git_world.repository(roots / "a folder")
    here = visit("ada")
    here.provoked.add(422)
    page = here.page
    page.goto("/projects/new")
    page.get_by_label("Folder").fill("/etc")
    page.get_by_label("Name").fill("Mine")
    page.get_by_role("button", name="Make the project").click()
    expect(page.locator(".field-error")).to_be_visible()
    page.get_by_label("Folder").fill(str(folder))
    page.get_by_role("button", name="Make the project").click()
    expect(page).to_have_url(re.compile("/boards/board_"))
    expect(page.get_by_role("heading", name="Backlog")).to_be_visible()


def test_an_empty_project_is_begun(visit: Callable[..., Visit]) -> None:
    page = visit("ada").page
    page.goto("/projects/new?mode=empty")
    page.get_by_label("Name").fill("From nothing")
    page.get_by_role("button", name="Make the project").click()
    expect(page).to_have_url(re.compile("/boards/board_"))
    page.goto("/projects")
    expect(page.get_by_role("link", name=re.compile("From nothing")).first).to_be_visible()


def test_a_clone_that_fails_says_why_and_can_be_discarded(
    visit: Callable[..., Visit], published: str
) -> None:
    page = visit("ada").page
    page.goto("/projects/new?mode=clone")
    page.get_by_label("Address").fill(published.replace("published", "missing"))
    page.get_by_role("button", name="Clone and open").click()
    expect(page.get_by_role("button", name=re.compile("Try again|Retry"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Discard|Remove|Dismiss")).click()
    expect(page.get_by_role("button", name=re.compile("Try again|Retry"))).to_have_count(0)


def test_a_clone_is_watched_until_its_board_opens(
    visit: Callable[..., Visit], published: str
) -> None:
    page = visit("ada").page
    page.goto("/projects/new?mode=clone")
    page.get_by_label("Address").fill(published)
    page.get_by_role("button", name="Clone and open").click()
    expect(page).to_have_url(re.compile("/boards/board_"))


def test_settings_are_kept_and_a_member_comes_in(
    visit: Callable[..., Visit], project: Project
) -> None:
    page, other = visit("ada").page, visit("bob").page
    page.goto(f"/projects/{project.id}/settings?section=git")
    page.get_by_label("Commit when an agent has finished").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Commit when an agent has finished")).to_be_checked()

    page.get_by_role("link", name="Members").click()
    page.locator("[name=email]").fill("bob@example.org")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("main").get_by_text("bob@example.org")).to_be_visible()
    other.goto(project.url)
    expect(other.get_by_role("heading", name="Backlog")).to_be_visible()


def test_a_deleted_project_leaves_its_repository(
    visit: Callable[..., Visit], project: Project
) -> None:
    page = visit("ada").page
    page.goto(f"/projects/{project.id}/settings?section=danger")
    page.locator("[name=confirm]").fill(project.repository.name)
    page.get_by_role("button", name="Delete the project").click()
    expect(page).to_have_url(re.compile("/projects$"))
    assert git_world.git(project.repository, "status", "--porcelain") == ""
