"""What does not go well: conflicts, crashes, a worker that is lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests import git_world
from tests.e2e import visits
from tests.e2e.visits import Project, Visit
from tests.ops import running

pytestmark = pytest.mark.e2e

# A lease runs out, the reaper looks, and the queue is served: each in its own time.
RECOVERY_MILLISECONDS = 60_000


def test_a_conflict_is_reported_and_nothing_is_merged(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Rename", "@write README.md :: # A renamed thing\\n")
    here = visit("ada")
    here.provoked.add(409)
    page = here.page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Rename", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    expect(drawer).to_have_attribute("data-status", "succeeded")
    drawer.get_by_role("button", name="Review changes").click()
    drawer.get_by_role("button", name="Commit all").click()
    merge = drawer.get_by_role("button", name="Merge into main")
    expect(merge).to_be_visible()

    before = git_world.commit(project.repository, {"README.md": "# Another name\n"}, "by hand")
    merge.click()
    conflict = drawer.get_by_role("alert")
    expect(conflict.first).to_contain_text("README.md")
    assert git_world.git(project.repository, "rev-parse", "main") == before
    expect(visits.card(visits.column(page, "Done"), "Rename")).to_have_count(0)
    page.reload()
    expect(page.locator("#conflict")).to_contain_text("README.md")
    page.get_by_role("button", name="Ask the agent").click()
    expect(page.get_by_label("Message to the agent")).to_have_value(re.compile("main"))


def test_an_agent_that_crashes_says_so_and_can_be_run_again(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Fall", "@say Here I go.\n@crash")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Fall", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    expect(drawer).to_have_attribute("data-status", "failed")
    expect(drawer.locator("#run-end")).to_contain_text("retry")
    expect(visits.card(page, "Fall")).to_contain_text("Failed")
    drawer.get_by_role("button", name="Run again").first.click()
    expect(drawer.locator(".run-head")).to_contain_text("#2")


def test_a_turn_whose_worker_is_killed_ends_and_can_be_continued(
    visit: Callable[..., Visit], project: Project, installation: running.Installation
) -> None:
    # Once it has touched something, it is not repeated without being asked.
    project.card("Endure", "@write half.md :: Half a note\\n\n@hang")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Endure", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    expect(drawer.locator(".item-tool")).to_contain_text("half.md")
    expect(drawer).to_have_attribute("data-status", "running")

    worker = installation.child(r"celery .* -Q agents\b")
    for pid in [worker, *running.below(worker)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    expect(drawer).to_have_attribute("data-status", "interrupted", timeout=RECOVERY_MILLISECONDS)
    expect(drawer.locator(".item-tool")).to_contain_text("half.md")
    drawer.get_by_label("Message to the agent").fill("@say And I go on.")
    drawer.get_by_role("button", name=re.compile("^Send")).click()
    said = drawer.locator(".from-assistant").last
    expect(said).to_contain_text("And I go on.", timeout=RECOVERY_MILLISECONDS)
    expect(drawer).to_have_attribute("data-status", "succeeded")
