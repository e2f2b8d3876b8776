"""What an administrator keeps, and what each person chooses, through the pages of settings."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.agents.models_server import model_server
from tests.e2e import visits
from tests.e2e.visits import People, Project, Visit

pytestmark = pytest.mark.e2e


def test_a_key_is_kept_checked_and_deleted(visit: Callable[..., Visit]) -> None:
    page = visit("ada").page
    page.goto("/settings/credentials")
    with model_server() as provider:
        provider.takes("sk-right")
        for name, key in (("Wrong one", "sk-wrong"), ("Right one", "sk-right")):
            page.get_by_label("Name").fill(name)
            page.get_by_label("Provider").select_option("openai")
            page.get_by_label("Key", exact=True).fill(key)
            page.get_by_label("Address").fill(f"{provider.url}/v1")
            page.get_by_role("button", name="Keep the key").click()
            expect(page.get_by_role("listitem").filter(has_text=name)).to_be_visible()
        right = page.get_by_role("listitem").filter(has_text="Right one")
        wrong = page.get_by_role("listitem").filter(has_text="Wrong one")
        right.get_by_role("button", name="Verify").click()
        expect(right).to_contain_text(re.compile(r"\bvalid"))
        wrong.get_by_role("button", name="Verify").click()
        expect(wrong).to_contain_text("invalid")
    expect(page.locator("body")).not_to_contain_text("sk-right")
    for row in (right, wrong):
        row.get_by_role("button", name="Delete").click()
        expect(row).to_have_count(0)


def test_a_backup_is_made_and_downloaded(visit: Callable[..., Visit]) -> None:
    page = visit("ada").page
    page.goto("/settings/backups")
    page.get_by_role("button", name="Make a backup now").click()
    link = page.get_by_role("link", name="Download").first
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    saved = download.value.path()
    assert tarfile.is_tarfile(saved) or zipfile.is_zipfile(saved)


def test_keys_of_ones_own_drive_the_pages(visit: Callable[..., Visit], people: People) -> None:
    page = visit("bob").page
    page.goto("/settings/keyboard")
    page.get_by_role("button", name=re.compile("^Mission Control:")).click()
    page.keyboard.press("z")
    expect(page.get_by_role("button", name="Mission Control: z. Change")).to_be_visible()
    page.goto("/inbox")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Mission Control")
    page.keyboard.press("Escape")
    page.keyboard.press("z")
    expect(page).to_have_url(re.compile("/dashboard$"))

    page.goto("/settings/keyboard")
    row = page.get_by_role("listitem").filter(has_text="Mission Control")
    row.get_by_role("button", name="Default").click()
    expect(row.get_by_role("button", name="Mission Control: g d. Change")).to_be_visible()


def test_boards_and_columns_are_managed_before_anothers_eyes(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.card("Stays here")
    page, board = visit("ada").page, visit("ada").page
    visits.open_board(board, project.url)
    page.goto(f"/projects/{project.id}/settings?section=boards")

    page.locator("summary").filter(has_text="New column").click()
    form = page.locator("form").filter(has=page.get_by_role("button", name="Add column"))
    form.get_by_label("Name").fill("Check")
    form.get_by_label("When a card enters it").select_option("none")
    form.get_by_role("button", name="Add column").click()
    expect(visits.column(board, "Check")).to_be_visible()

    page.get_by_role("button", name="Move Check up").click()
    expect(board.locator("#board .column h2")).to_have_text(
        ["Backlog", "In Progress", "Review", "Check", "Done"]
    )
    # The others may see it before this window does.
    rows = page.locator(".column-row strong")
    expect(rows).to_have_text(["Backlog", "In Progress", "Review", "Check", "Done"])
    page.locator(".column-row summary").filter(has_text="Check").click()
    opened = page.locator(".column-row [open]")
    opened.get_by_label("Name").fill("Measure twice")
    opened.get_by_label("Cards at a time").fill("2")
    opened.get_by_role("button", name="Save column").click()
    expect(visits.column(board, "Measure twice").locator(".badge-count")).to_have_text("0/2")
    expect(rows).to_contain_text(["Measure twice"])

    page.get_by_role("button", name="Delete the column Backlog").click()
    expect(page.locator(".toast")).to_contain_text("still holds cards")
    page.get_by_role("button", name="Delete the column Measure twice").click()
    expect(visits.column(board, "Measure twice")).to_have_count(0)
    expect(rows).to_have_text(["Backlog", "In Progress", "Review", "Done"])

    page.locator("summary").filter(has_text="New board").click()
    form = page.locator("form").filter(has=page.get_by_role("button", name="Create board"))
    form.get_by_label("Name").fill("Second")
    form.get_by_label("Columns").select_option(
        label="Plan and Review: Backlog, Plan, In Progress, Review, Done"
    )
    form.get_by_role("button", name="Create board").click()
    expect(page.get_by_role("heading", name="Columns of Second")).to_be_visible()
    page.get_by_role("button", name="Delete the board Second").click()
    expect(page.get_by_role("heading", name="Columns of Main Board")).to_be_visible()


def test_archived_cards_are_shown_to_those_who_ask(
    visit: Callable[..., Visit], project: Project
) -> None:
    body = {"boardId": project.board_id, "name": "Archive", "columnType": "archive"}
    project.api.ask("POST", f"/projects/{project.id}/columns", body)
    project.card("Old thing")
    page = visit("ada").page
    visits.open_board(page, project.url)
    page.keyboard.press("j")
    page.keyboard.press("m")
    page.keyboard.press("5")
    archive = visits.column(page, "Archive")
    expect(archive.locator(".badge-count")).to_have_text("1")
    expect(visits.card(page, "Old thing")).to_be_hidden()
    expect(page.locator("#announce")).to_contain_text("is in Archive")
    page.get_by_role("link", name="Show archived cards").click()
    expect(visits.card(archive, "Old thing")).to_be_visible()
    page.get_by_role("link", name="Hide archived cards").click()
    expect(visits.card(page, "Old thing")).to_have_count(0)


def test_people_and_dependencies_are_chosen_in_the_drawer(
    visit: Callable[..., Visit], project: Project
) -> None:
    member = {"email": "bob@example.org", "role": "member"}
    project.api.ask("POST", f"/projects/{project.id}/members", member)
    project.card("Lay the ground")
    project.card("Build the house")
    page = visit("ada").page
    visits.open_board(page, project.url)
    drawer = visits.open_card(page, "Build the house")
    key = visits.card(page, "Lay the ground").locator(".key").inner_text()

    drawer.locator("#picker-people > summary").click()
    drawer.get_by_label("Bob").check()
    expect(drawer.locator("#picker-people > summary")).to_contain_text("Bob")
    expect(visits.card(page, "Build the house").get_by_title("Bob")).to_be_visible()
    drawer.get_by_label("Another card to wait for").fill("ground")
    expect(drawer.locator(f"#brief-others option[value='{key}']")).to_have_count(1)
    drawer.get_by_label("Another card to wait for").fill(key)
    drawer.get_by_role("button", name="Add", exact=True).click()
    expect(visits.card(page, "Build the house")).to_contain_text("Blocked")
    drawer.get_by_role("button", name=f"No longer wait for {key}").click()
    expect(visits.card(page, "Build the house")).not_to_contain_text("Blocked")
