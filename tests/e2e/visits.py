"""Windows of people, and what they do in many journeys."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests import git_world

BROWSER = os.environ.get("E2E_BROWSER", "/usr/bin/chromium")
# Nothing but the page itself: Chromium's own look-ups would leave the machine.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MILLISECONDS = 30_000
LONGEST_NAME = 50
PASSWORD = "a very long walk in the rain"
# What the server answers to a refused request is also a line in the browser's console.
REFUSED = re.compile(r"^Failed to load resource: the server responded with a status of (\d+)")


@dataclass
class Visit:
    """One person's window, and what the browser complained of in it."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    # Statuses that this journey provokes.
    provoked: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, browser: Browser, people: People, name: str = "", **options: Any) -> Visit:
        if name:
            options["storage_state"] = people.cookies[name]
        context = browser.new_context(base_url=people.address, **options)
        context.set_default_timeout(WAIT_MILLISECONDS)
        visit = cls(context, context.new_page())
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("console", lambda message: visit.hear(message.type, message.text))
        visit.page.on("dialog", lambda dialog: dialog.accept())
        return visit

    def hear(self, kind: str, text: str) -> None:
        refused = REFUSED.match(text)
        if kind == "error" and not (refused and int(refused[1]) in self.provoked):
            self.complaints.append(text)


@dataclass
class Api:
    """The REST API, for what a journey needs but is not about."""

    client: httpx.Client

    @classmethod
    def sign_in(cls, address: str, email: str) -> Api:
        client = httpx.Client(base_url=f"{address}/api/v1", timeout=30, trust_env=False)
        answer = client.post("/auth/login", json={"email": email, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"
        return cls(client)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json().get("data") if answer.content else None


@dataclass
class People:
    """Who there is: their cookies and their APIs."""

    address: str
    cookies: dict[str, Any] = field(default_factory=dict)
    apis: dict[str, Api] = field(default_factory=dict)

    @classmethod
    def arrive(cls, browser: Browser, address: str) -> People:
        people = cls(address)
        for name, arrive in (("ada", set_up), ("bob", register)):
            visit = Visit.begin(browser, people)
            arrive(visit.page, f"{name}@example.org", name.capitalize())
            people.cookies[name] = visit.context.storage_state()
            people.apis[name] = Api.sign_in(address, f"{name}@example.org")
            visit.context.close()
            assert visit.complaints == []
        return people


@dataclass
class Project:
    """A repository with a board that this test has for itself."""

    api: Api
    repository: Path
    id: str
    board_id: str
    columns: dict[str, str]

    @classmethod
    def make(cls, api: Api, repository: Path, *, name: str = "") -> Project:
        """A project of a repository, which is made unless it is there."""
        if not repository.exists():
            git_world.repository(repository, {"README.md": "# A small thing\n"})
        body = {"name": name or repository.name, "path": str(repository)}
        project_id = api.ask("POST", "/projects", body)["id"]
        board_id = api.ask("GET", f"/projects/{project_id}/boards")[0]["id"]
        columns = api.ask("GET", f"/projects/{project_id}/columns?boardId={board_id}")
        names = {column["name"]: column["id"] for column in columns}
        api.ask("PATCH", f"/projects/{project_id}/settings", {"defaultAgent": "demo"})
        return cls(api, repository, project_id, board_id, names)

    @property
    def url(self) -> str:
        return f"/boards/{self.board_id}"

    def card(self, title: str, prompt: str = "", column: str = "Backlog", **more: object) -> str:
        body = {"title": title, "columnId": self.columns[column], "prompt": prompt, **more}
        return str(self.api.ask("POST", f"/projects/{self.id}/cards", body)["id"])


def set_up(page: Page, email: str, name: str) -> None:
    """The first page of a new server."""
    page.goto("/")
    expect(page).to_have_url(re.compile("/setup$"))
    page.locator("[name=email]").fill(email)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create the first account").click()
    expect(page).to_have_url(re.compile("/projects$"))


def register(page: Page, email: str, name: str) -> None:
    """A new account of one's own."""
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    page.locator("[name=email]").fill(email)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page).to_have_url(re.compile("/projects$"))


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """The form that is open."""
    page.locator("[name=login]").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def open_board(page: Page, address: str) -> None:
    """A board that is live."""
    page.goto(urlsplit(address).path)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def column(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator("#board > .column").filter(has=heading)


def card(where: Page | Locator, title: str) -> Locator:
    return where.locator(".card").filter(has_text=title)


def open_card(page: Page, title: str, tab: str = "") -> Locator:
    """A card's drawer, at a tab of its own choice or at `tab`."""
    card(page, title).click()
    drawer = page.locator("#drawer-card")
    expect(drawer.locator("#drawer-title")).to_have_text(title)
    if tab and drawer.get_attribute("data-tab") != tab:
        page.locator(f"#tab-{tab}").click()
        expect(drawer).to_have_attribute("data-tab", tab)
    return drawer


def drag(page: Page, what: Locator, to: Locator) -> None:
    """By mouse, slowly enough for a person."""
    what.hover()
    # What drags is fetched when somebody points at the board.
    expect(to).to_have_attribute("data-armed", "")
    page.mouse.down()
    box = to.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60, steps=8)
    page.mouse.move(box["x"] + box["width"] / 2 + 4, box["y"] + 90, steps=4)
    expect(to).to_have_class(re.compile("is-target"))
    page.mouse.up()
