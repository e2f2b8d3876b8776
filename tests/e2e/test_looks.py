"""Small screens, light rooms, and people who do not see the page at all."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.e2e import visits
from tests.e2e.visits import Project, Visit
from tests.ops import running

pytestmark = pytest.mark.e2e

AXE = running.PROJECT / "build" / "tests" / "axe.min.js"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SERIOUS = {"serious", "critical"}
PAGES = [
    "/inbox",
    "/dashboard",
    "/projects",
    "/projects/new",
    "/projects/new?mode=clone",
    "/settings/profile",
    "/settings/appearance",
    "/settings/tokens",
    "/settings/password",
    "/settings/notifications",
    "/settings/keyboard",
    "/settings/server",
    "/settings/single-sign-on",
    "/settings/credentials",
    "/settings/backups",
    "/settings/logs",
    "/settings/log-export",
    "/notifications",
    "/projects/import",
]
# What a board loads before a card is opened, what drags included, compressed.
SCRIPT_BYTES = 60 * 1024
STYLE_BYTES = 30 * 1024


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong and serious in the page once it stands still."""
    # What fades in has little contrast on its way.
    page.evaluate(
        """() => Promise.allSettled(
            document.getAnimations()
                .filter((one) => one.effect.getComputedTiming().iterations !== Infinity)
                .map((one) => one.finished)
        )"""
    )
    # Through the debugger, which a content security policy does not bind.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url} {one['id']}: {json.dumps([node['html'][:120] for node in one['nodes'][:3]])}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


def too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_page_has_a_serious_barrier(
    visit: Callable[..., Visit], project: Project, scheme: str
) -> None:
    project.card("Done before", labels=["ui"], priority="high")
    project.api.ask("PUT", "/user/settings", {"theme": scheme})
    page = visit("ada").page
    found = []
    sections = [
        f"/projects/{project.id}/settings?section={name}"
        for name in ("general", "boards", "git", "scripts", "agents", "members", "export", "danger")
    ]
    assistant = f"/projects/{project.id}/assistant"
    for address in (*PAGES, *sections, assistant):
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        found += violations(page)
    visits.open_board(page, project.url)
    found += violations(page)
    visits.open_card(page, "Done before", "brief")
    found += violations(page)
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    found += violations(page)
    project.api.ask("PUT", "/user/settings", {"theme": "dark"})
    assert found == []


def test_a_run_and_its_changes_have_no_serious_barrier(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Work", "@plan look; write\n@write notes.md :: # Notes\\n\n@run git status")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Work", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.click()
    expect(drawer.locator(".approval")).to_be_visible()
    found = violations(page)
    drawer.get_by_role("button", name="Allow once").click()
    expect(drawer).to_have_attribute("data-status", "succeeded")
    found += violations(page)
    drawer.get_by_role("button", name="Review changes").click()
    expect(drawer.locator(".diff")).to_be_visible()
    found += violations(page)
    for mode in ("Split", "Unified"):
        drawer.get_by_role("button", name=mode).click()
        expect(page.locator(f"#changes[data-mode={mode.lower()}]")).to_be_visible()
        found += violations(page)
    page.locator("#tab-history").click()
    expect(page.locator("#drawer-card")).to_have_attribute("data-tab", "history")
    assert found + violations(page) == []


def test_a_stranger_meets_no_serious_barrier(visit: Callable[..., Visit]) -> None:
    page = visit().page
    found = []
    for address in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        page.goto(address)
        found += violations(page)
    assert found == []


def test_on_a_phone_a_card_is_started_and_answered(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Small", "@run git status")
    page = visit("ada", **PHONE).page
    boards = f"/projects/{project.id}/settings?section=boards"
    for address in (*PAGES, boards, f"/projects/{project.id}/assistant"):
        page.goto(address)
        assert not too_wide(page), address
    visits.open_board(page, project.url)
    assert not too_wide(page)
    page.get_by_role("navigation", name="Columns").get_by_role("link", name="Review").click()
    expect(visits.column(page, "Review")).to_be_in_viewport(ratio=0.6)
    page.get_by_role("navigation", name="Columns").get_by_role("link", name="Backlog").click()
    expect(visits.card(page, "Small")).to_be_in_viewport()
    drawer = visits.open_card(page, "Small", "run")
    drawer.get_by_role("button", name="Start", exact=True).first.tap()
    allow = drawer.get_by_role("button", name="Allow once")
    expect(allow).to_be_visible()
    assert not too_wide(page)
    box = allow.bounding_box()
    assert box is not None
    assert box["height"] >= 40
    allow.tap()
    expect(drawer).to_have_attribute("data-status", "succeeded")
    page.get_by_role("button", name="Close").tap()
    expect(page.get_by_role("navigation", name=re.compile("phone"))).to_be_visible()


def test_a_board_loads_little(visit: Callable[..., Visit], project: Project) -> None:
    project.card("Light")
    page = visit("ada").page
    answers: list[Response] = []
    # A method of a list cannot be marked, as Playwright does with what listens.
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108
    visits.open_board(page, project.url)
    visits.card(page, "Light").hover()
    expect(visits.column(page, "Backlog")).to_have_attribute("data-armed", "")
    for kind, limit in (("script", SCRIPT_BYTES), ("stylesheet", STYLE_BYTES)):
        weights = {
            answer.url.rpartition("/")[2]: len(gzip.compress(answer.body(), 6))
            for answer in answers
            if answer.request.resource_type == kind
        }
        assert len(weights) > 3
        assert sum(weights.values()) <= limit, weights
