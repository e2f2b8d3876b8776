"""From nothing to merged work, watched from a second window."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e import visits
from tests.e2e.visits import Project, Visit

pytestmark = pytest.mark.e2e

TITLE = "Describe how a recipe is written down"


def test_the_demo_card_is_started_answered_reviewed_and_merged(
    visit: Callable[..., Visit],
) -> None:
    dora = visit()
    here = dora.page
    visits.register(here, "dora@example.org", "Dora")
    here.get_by_role("button", name="Open the demo").click()
    expect(here.locator("#live")).to_have_attribute("data-state", "live")
    other = visit(storage_state=dora.context.storage_state()).page
    visits.open_board(other, here.url)

    drawer = visits.open_card(here, TITLE, "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    seen = visits.open_card(other, TITLE, "run")
    for window, shown in ((here, drawer), (other, seen)):
        expect(shown.locator(".approval")).to_contain_text("git status --short")
        expect(shown).to_have_attribute("data-status", "waiting")
        expect(visits.card(visits.column(window, "In Progress"), TITLE)).to_contain_text(
            "Asks permission"
        )
        # What stands there came over the wire, in order: no window was loaded again.
        expect(shown.locator("#items > li").first).to_contain_text(TITLE)
        expect(shown.locator("#items")).to_contain_text("I found")

    drawer.get_by_role("button", name="Allow once").click()
    for window, shown in ((here, drawer), (other, seen)):
        expect(shown).to_have_attribute("data-status", "succeeded")
        expect(shown.locator("#items")).to_contain_text("Done. I wrote")
        expect(shown.locator(".approval")).to_have_count(0)
        expect(visits.card(visits.column(window, "Review"), TITLE)).to_contain_text("+5")

    drawer.get_by_role("button", name="Review changes").click()
    expect(drawer.locator(".file-link")).to_have_count(1)
    expect(drawer.locator(".diff")).to_contain_text("# Describe how a recipe is written down")
    drawer.get_by_label("Viewed").check()
    expect(drawer.locator("#viewed-count")).to_have_text("1 of 1 viewed")
    drawer.get_by_role("button", name="Commit all").click()
    drawer.get_by_role("button", name="Merge into main").click()
    expect(drawer.locator(".drawer-head")).to_contain_text("Merged")
    for window in (here, other):
        expect(visits.card(visits.column(window, "Done"), TITLE)).to_be_visible()


def test_a_follow_up_continues_and_stop_ends_it(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Speak", "@say First words.")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Speak", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    expect(drawer).to_have_attribute("data-status", "succeeded")
    expect(drawer.locator(".from-assistant")).to_contain_text("First words.")

    drawer.get_by_label("Message to the agent").fill("@say Second words.\n@hang")
    drawer.get_by_role("button", name=re.compile("^Send")).click()
    expect(drawer.locator(".from-assistant").last).to_contain_text("Second words.")
    expect(drawer).to_have_attribute("data-status", "running")
    drawer.locator(".drawer-head").get_by_role("button", name="Stop").click()
    expect(drawer).to_have_attribute("data-status", "stopped")
    expect(drawer.get_by_role("button", name="Run again").first).to_be_visible()


def test_a_refusal_with_a_reason_is_told_to_the_agent(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Ask", "@run git log --oneline")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Ask", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    approval = drawer.locator(".approval")
    expect(approval).to_contain_text("git log --oneline")
    approval.get_by_label("Reason").fill("@say Then I leave it.")
    approval.get_by_role("button", name="Deny").click()
    expect(drawer.locator(".from-assistant").last).to_contain_text("Then I leave it.")
    expect(drawer).to_have_attribute("data-status", "succeeded")


def test_a_plan_is_sent_back_or_approved(visit: Callable[..., Visit], project: Project) -> None:
    project.card("Plan", "@exitplan First read, then write.\n@say Off I go.")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Plan", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    approval = drawer.locator(".approval")
    expect(approval).to_contain_text("Approve this plan?")
    expect(approval).to_contain_text("First read, then write.")
    approval.get_by_role("button", name="Approve").click()
    expect(drawer.locator(".from-assistant").last).to_contain_text("Off I go.")
    expect(drawer).to_have_attribute("data-status", "succeeded")
