"""Coming in, going out, and what one keeps to oneself."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e import visits
from tests.e2e.visits import People, Visit

pytestmark = pytest.mark.e2e


def test_a_person_leaves_and_comes_back(visit: Callable[..., Visit], people: People) -> None:
    stranger = visit()
    page = stranger.page
    page.goto("/projects")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=/projects$"))
    visits.sign_in(page, "bob@example.org", "not the password")
    expect(page.get_by_text(re.compile("not correct|Unable to log in"))).to_be_visible()
    visits.sign_in(page, "bob@example.org")
    expect(page).to_have_url(re.compile("/projects$"))

    page.get_by_role("button", name="Account of Bob").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/accounts/login/$"))
    page.goto("/projects")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    page.goto("/setup")
    expect(page).not_to_have_url(re.compile("/setup$"))


def test_a_password_given_by_an_administrator_is_changed_first(
    visit: Callable[..., Visit], people: People
) -> None:
    body = {"email": "cleo@example.org", "name": "Cleo", "role": "user"}
    given = people.apis["ada"].ask("POST", "/admin/users", body)["generatedPassword"]
    page = visit().page
    page.goto("/")
    visits.sign_in(page, "cleo@example.org", given)
    expect(page).to_have_url(re.compile("/settings/password$"))
    page.goto("/projects")
    expect(page).to_have_url(re.compile("/settings/password$"))
    page.locator("[name=current_password]").fill(given)
    for field in page.locator("input[autocomplete=new-password]").all():
        field.fill("something of her own")
    page.get_by_role("button", name=re.compile("Change|Save")).click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    page.goto("/projects")
    expect(page).to_have_url(re.compile("/projects$"))


def test_a_token_is_shown_once_and_works_until_it_is_revoked(
    visit: Callable[..., Visit], people: People
) -> None:
    page = visit("bob").page
    page.goto("/projects")
    page.get_by_role("button", name="Account of Bob").click()
    page.get_by_role("link", name="API tokens").click()
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator("#secret").inner_text().strip()

    def status() -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        address = f"{people.address}/api/v1/auth/me"
        return httpx.get(address, headers=headers, timeout=30, trust_env=False).status_code

    assert status() == 200
    page.goto("/settings/tokens")
    expect(page.get_by_text(secret)).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked “laptop”.")).to_be_visible()
    assert status() == 401
