"""Agents that answer, plan and go on by themselves, and the bell that tells of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import visits
from tests.e2e.visits import Project, Visit

pytestmark = pytest.mark.e2e


def told(page: Page, words: str) -> None:
    """Look at the list until it tells of something: it is made after the thing itself."""
    row = page.locator(".notice-title").filter(has_text=words).first
    page.goto("/notifications")
    for _attempt in range(visits.WAIT_MILLISECONDS // 500):
        if row.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(row).to_be_visible()


def test_the_bell_tells_of_a_finished_attempt(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Ring the bell", "@say Ding.")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Ring the bell", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    expect(drawer).to_have_attribute("data-status", "succeeded")

    told(page, "Ring the bell")
    expect(page.locator("#bell")).to_have_accessible_name(re.compile("unread notification"))
    page.locator(".notice-title").filter(has_text="Ring the bell").first.click()
    expect(page.locator("#drawer-title")).to_have_text("Ring the bell")
    page.goto("/notifications")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator("#bell")).to_have_accessible_name("Notifications")


def test_the_assistant_creates_a_card(visit: Callable[..., Visit], project: Project) -> None:
    page, board = visit("ada").page, visit("ada").page
    visits.open_board(board, project.url)
    page.goto(project.url)
    page.get_by_role("link", name="Assistant", exact=True).click()
    page.get_by_label("Your message").fill("Create a card called “Paint the engine” in Review")
    page.get_by_role("button", name=re.compile("^Send")).click()
    expect(page.locator("#talk-list")).to_contain_text("I have created")
    expect(visits.card(visits.column(board, "Review"), "Paint the engine")).to_be_visible()


def test_a_prompt_is_sharpened_and_accepted(visit: Callable[..., Visit], project: Project) -> None:
    page = visit("ada").page
    visits.open_board(page, project.url)
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Title")).fill("Explain the engine")
    dialog.get_by_label(re.compile("^What should be done")).fill("Extend the README.")
    dialog.get_by_role("button", name="Sharpen with agent").click()
    dialog.get_by_label("Your message").fill("Say how to start it.")
    dialog.get_by_role("button", name=re.compile("^Send")).click()
    proposal = dialog.get_by_label("The prompt as the agent proposes it")
    expect(proposal).to_have_value(re.compile("Say how to start it."))
    use = dialog.get_by_role("button", name="Use this prompt")
    expect(use).to_be_enabled()
    use.click()
    expect(dialog).to_have_count(0)
    drawer = visits.open_card(page, "Explain the engine", "brief")
    expect(drawer.locator("[data-description]")).to_contain_text("Say how to start it.")
    expect(drawer).to_contain_text("Deferred: no agent starts")


def test_in_auto_mode_an_approved_plan_is_worked_on(
    visit: Callable[..., Visit], project: Project
) -> None:
    body = {"boardId": project.board_id, "name": "Plan", "columnType": "active"}
    path = f"/projects/{project.id}/columns"
    plan = project.api.ask("POST", path, {**body, "agentMode": "plan"})["id"]
    order = [project.columns["Backlog"], plan]
    order += [one for name, one in project.columns.items() if name != "Backlog"]
    project.api.ask("PATCH", f"{path}/reorder", {"ids": order})
    project.card("Think first")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Think first")
    switch = drawer.get_by_label("Auto mode:")
    with page.expect_response(lambda answer: answer.request.method == "POST") as kept:
        switch.check()
    assert kept.value.ok
    expect(switch).to_be_checked()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.keyboard.press("2")
    expect(visits.card(visits.column(page, "Plan"), "Think first")).to_be_visible()

    drawer = visits.open_card(page, "Think first", "brief")
    expect(drawer).to_contain_text("A plan waits for your approval")
    drawer.get_by_role("button", name="Approve and go on").click()
    expect(visits.card(visits.column(page, "In Progress"), "Think first")).to_be_visible()
    expect(drawer).not_to_contain_text("A plan waits for your approval")
    page.locator("#tab-run").click()
    drawer.get_by_role("button", name="Allow once").click()
    expect(visits.card(visits.column(page, "Review"), "Think first")).to_be_visible()
