"""What a person does to cards, and how others see it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e import visits
from tests.e2e.visits import People, Project, Visit

pytestmark = pytest.mark.e2e


def test_a_card_is_written_changed_moved_and_deleted_before_anothers_eyes(
    visit: Callable[..., Visit], project: Project
) -> None:
    member = {"email": "bob@example.org", "role": "member"}
    project.api.ask("POST", f"/projects/{project.id}/members", member)
    ada, bob = visit("ada").page, visit("bob").page
    for page in (ada, bob):
        visits.open_board(page, project.url)

    ada.keyboard.press("c")
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Title")).fill("Größe der 箱 🎉 <b>")
    dialog.get_by_label("Labels").fill("ui, bug")
    dialog.get_by_role("button", name="Create card").click()
    seen = visits.card(visits.column(bob, "Backlog"), "Größe der 箱 🎉 <b>")
    expect(seen).to_contain_text("bug")

    visits.open_card(ada, "Größe der 箱 🎉 <b>", "brief")
    ada.locator("#drawer-title").fill("Measure the box")
    ada.keyboard.press("Enter")
    expect(visits.card(bob, "Measure the box")).to_be_visible()
    ada.get_by_label("Priority").select_option("urgent")
    expect(visits.card(bob, "Measure the box").get_by_label("urgent priority")).to_be_visible()
    ada.get_by_role("button", name="Edit").click()
    ada.get_by_label("Description, markdown").fill("In **centimetres**.")
    ada.get_by_role("button", name="Save").click()
    expect(ada.locator(".prose strong")).to_have_text("centimetres")

    ada.keyboard.press("Escape")
    expect(ada.locator("#drawer-card")).to_have_count(0)
    ada.keyboard.press("m")
    ada.keyboard.press("3")
    moved = visits.card(visits.column(bob, "Review"), "Measure the box")
    expect(moved).to_be_visible()

    mine = visits.card(ada, "Measure the box")
    mine.hover()
    mine.get_by_role("button", name=re.compile("^Actions for")).click()
    ada.get_by_role("button", name="Delete card").click()
    expect(visits.card(bob, "Measure the box")).to_have_count(0)


def test_cards_are_dragged_within_and_between_columns(
    visit: Callable[..., Visit], project: Project
) -> None:
    for title in ("First", "Second", "Third"):
        project.card(title)
    page, other = visit("ada").page, visit("ada").page
    for window in (page, other):
        visits.open_board(window, project.url)
    visits.drag(page, visits.card(page, "Second"), visits.column(page, "Review"))
    expect(visits.card(visits.column(other, "Review"), "Second")).to_be_visible()
    expect(visits.column(other, "Backlog").locator(".badge-count")).to_have_text("2")

    visits.card(page, "Third").focus()
    page.keyboard.press("Shift+K")
    titles = visits.column(other, "Backlog").locator(".card-title")
    expect(titles).to_have_text(["Third", "First"])


def test_a_blocked_card_goes_back_and_says_why(
    visit: Callable[..., Visit], project: Project
) -> None:
    first = project.card("Lay the ground")
    project.card("Build the house", dependsOn=[first])
    here = visit("ada")
    here.provoked.add(409)
    page = here.page
    visits.open_board(page, project.url)
    house = visits.card(page, "Build the house")
    expect(house).to_contain_text("Blocked")
    visits.drag(page, house, visits.column(page, "In Progress"))
    expect(page.locator(".toast")).to_contain_text("This card waits for")
    expect(visits.card(visits.column(page, "Backlog"), "Build the house")).to_be_visible()
    expect(visits.column(page, "In Progress").locator(".card")).to_have_count(0)


def test_what_happened_while_offline_is_there_afterwards(
    visit: Callable[..., Visit], project: Project
) -> None:
    here = visit("ada")
    page = here.page
    visits.open_board(page, project.url)
    here.context.set_offline(True)
    expect(page.locator("#live")).to_have_attribute("data-state", "offline")
    project.card("Written meanwhile")
    here.context.set_offline(False)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    expect(visits.card(page, "Written meanwhile")).to_be_visible()
    here.complaints.clear()


def test_what_is_typed_stays_when_the_card_changes_elsewhere(
    visit: Callable[..., Visit], project: Project
) -> None:
    card_id = project.card("Draft", labels=["old"])
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Draft", "brief")
    waits = drawer.get_by_label("Another card to wait for")
    waits.fill("half a key")
    page.locator("#tab-brief").focus()
    change = {"priority": "high", "labels": ["new"]}
    project.api.ask("PATCH", f"/projects/{project.id}/cards/{card_id}", change)
    expect(drawer.get_by_label("Priority")).to_have_value("high")
    expect(drawer.get_by_label("Labels")).to_have_value("new")
    expect(waits).to_have_value("half a key")


def test_a_stranger_sees_no_board(
    visit: Callable[..., Visit], project: Project, people: People
) -> None:
    here = visit("bob")
    here.provoked.add(404)
    here.page.goto(project.url)
    expect(here.page.get_by_role("heading", name="Nothing here")).to_be_visible()
