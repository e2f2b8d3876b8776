"""Draw docs/screenshots anew: a real installation, real attempts of the demo agent, a browser.

`make screenshots`; with a folder as argument every page is drawn into it, at two widths and in
both themes, to be looked at.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import git_world
from tests.e2e import visits
from tests.e2e.visits import Api, People, Project, Visit
from tests.ops import running

KEPT = running.PROJECT / "docs" / "screenshots"
WIDE = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

FILES = {
    "README.md": "# Orrery\n\nThe planets, where they are tonight.\n",
    "orrery/planets.py": (
        "PLANETS = {\n"
        '    "mercury": 87.97,\n'
        '    "venus": 224.7,\n'
        '    "earth": 365.26,\n'
        "}\n\n\n"
        "def period(name):\n"
        "    return PLANETS[name]\n"
    ),
}
BETTER = (
    "PLANETS = {\\n"
    '    "mercury": 87.969,\\n'
    '    "venus": 224.701,\\n'
    '    "earth": 365.256,\\n'
    '    "mars": 686.98,\\n'
    "}\\n\\n\\n"
    "class UnknownPlanet(KeyError):\\n"
    '    """There is no such planet in our tables."""\\n\\n\\n'
    "def period(name: str) -> float:\\n"
    '    """The days of one turn around the sun."""\\n'
    "    try:\\n"
    "        return PLANETS[name.lower()]\\n"
    "    except KeyError:\\n"
    "        raise UnknownPlanet(name) from None\\n"
)
REVIEW = f"""\
People type planets in any case, and Mars is missing.

@plan Read the tables; Add Mars and say what is unknown; Check the tree
@think The table is a plain dictionary. I keep it, and give the lookup an error of its own.
@write orrery/planets.py :: {BETTER}
@write docs/planets.md :: # Planets\\n\\nNames are not case sensitive.\\n
@say `period("Mars")` now answers **686.98**, and unknown planets have an error of their own.
"""
WAITING = """\
Mercury and Mars are both drawn as **M**.

- use the astronomical symbols
- keep the letters for terminals without them
"""


@contextmanager
def installation() -> Iterator[running.Installation]:
    """This will start the product in a scratch folder."""
    with tempfile.TemporaryDirectory(prefix="kanbanai-") as scratch:
        folder = Path(scratch)
        variables = running.environment(
            folder / "data",
            DJANGO_SETTINGS_MODULE="kanbanai.settings.embedded",
            KANBANAI_STATIC_ROOT=str(running.PROJECT / "build" / "static"),
            KANBANAI_PROJECT_ROOTS=scratch,
            KANBANAI_DEMO_SPEED="20",
            KANBANAI_AGENT_SLOTS="3",
        )
        started = running.Installation(variables)
        try:
            started.until_it_runs()
            yield started
        finally:
            started.stop()
            started.clean_up()


def furnish(api: Api, repository: Path) -> Project:
    """This will make a project with cards in every state, and wait until they have it."""
    git_world.repository(repository, FILES)
    project = Project.make(api, repository, name="Orrery")
    project.card("Show the phases of Venus", labels=["sky", "ui"], priority="medium")
    first = project.card("Read positions from the almanac", priority="high", labels=["data"])
    project.card("Predict conjunctions", dependsOn=[first], labels=["data"])
    project.card("Print the sky as a poster", priority="low", labels=["ui", "paper"])
    started = {
        "Refuse planets that do not exist": (REVIEW, "succeeded"),
        "Give every planet its own symbol": (WAITING, "waiting"),
        "Draw orbits as ellipses": ("@say I look at the orbits first.\n@hang", "running"),
        "Read the old catalogue": ("@error 529", "failed"),
        "Say what the program is for": ("@write ABOUT.md :: The planets.\\n", "succeeded"),
    }
    for title, (prompt, _state) in started.items():
        card = project.card(title, prompt, labels=["sky"] if "planet" in title else [])
        api.ask("POST", f"/projects/{project.id}/cards/{card}/attempts", {})
    return project


def settle(page: Page, project: Project) -> None:
    """This will wait until every agent is where its card's text leads it."""
    visits.open_board(page, project.url)
    for title, state in {
        "Refuse planets": "Review",
        "Give every planet": "Asks permission",
        "Draw orbits": "Running",
        "Read the old": "Failed",
        "Say what": "Review",
    }.items():
        expect(visits.card(page, title)).to_contain_text(state, timeout=60_000)
    drawer = visits.open_card(page, "Say what the program is for", "changes")
    drawer.get_by_role("button", name="Commit all").click()
    drawer.get_by_role("button", name=re.compile("^Merge into")).click()
    expect(drawer.locator(".drawer-head")).to_contain_text("Merged")


def draw(page: Page, folder: Path, name: str) -> None:
    """This will wait for what is on its way and take the picture."""
    page.evaluate("document.fonts.ready")
    page.wait_for_load_state("networkidle")
    for notice in page.locator(".toast").all():
        notice.evaluate("notice => notice.remove()")
    page.screenshot(path=folder / f"{name}.png", animations="disabled")


def kept(browser: Browser, people: People, project: Project) -> None:
    """This will draw the few pictures that the documentation shows."""
    KEPT.mkdir(parents=True, exist_ok=True)
    page = Visit.begin(browser, people, "ada", **WIDE).page
    visits.open_board(page, project.url)
    draw(page, KEPT, "board")
    visits.open_card(page, "Give every planet its own symbol", "run")
    draw(page, KEPT, "run")
    visits.open_card(page, "Refuse planets that do not exist", "changes")
    page.get_by_role("button", name="Full screen").click()
    page.get_by_role("button", name="Split").click()
    expect(page.locator("#changes[data-mode=split]")).to_be_visible()
    draw(page, KEPT, "review")
    for name, address in (("inbox", "/inbox"), ("mission-control", "/dashboard")):
        page.goto(address)
        draw(page, KEPT, name)
    phone = Visit.begin(browser, people, "ada", **PHONE, device_scale_factor=2).page
    visits.open_board(phone, project.url)
    visits.open_card(phone, "Give every planet its own symbol", "run")
    draw(phone, KEPT, "phone")
    project.api.ask("PUT", "/user/settings", {"theme": "light"})
    visits.open_board(page, project.url)
    draw(page, KEPT, "board-light")


def everything(browser: Browser, people: People, project: Project, folder: Path) -> None:
    """This will draw every page at both widths and in both themes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(60):
        project.card(f"Chart star {number + 1} of the southern sky")
    project.card("Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 3)
    project.card("星図を描く 🌌 مرحبا بالعالم " * 4, labels=["とても長いラベルの名前です", "ui"])
    settings = f"/projects/{project.id}/settings?section="
    pages = {
        "inbox": "/inbox",
        "mission-control": "/dashboard",
        "projects": "/projects",
        "new": "/projects/new",
        "clone": "/projects/new?mode=clone",
        "profile": "/settings/profile",
        "appearance": "/settings/appearance",
        "tokens": "/settings/tokens",
        "password": "/settings/password",
        "nothing": "/boards/board_00000000000000000000000000",
        **{
            f"settings-{one}": settings + one for one in ("general", "scripts", "members", "danger")
        },
        "board": project.url,
    }
    for theme in ("dark", "light"):
        project.api.ask("PUT", "/user/settings", {"theme": theme})
        for width, options in ((1440, WIDE), (390, PHONE)):
            page = Visit.begin(browser, people, "ada", **options).page
            for name, address in pages.items():
                page.goto(address)
                draw(page, folder, f"{name}-{width}-{theme}")
            for title, tab in (
                ("Show the phases of Venus", "brief"),
                ("Give every planet its own symbol", "run"),
                ("Read the old catalogue", "run"),
                ("Refuse planets that do not exist", "changes"),
                ("Refuse planets that do not exist", "history"),
            ):
                visits.open_board(page, project.url)
                visits.open_card(page, title, tab)
                draw(page, folder, f"{tab}-{title.split()[0].lower()}-{width}-{theme}")


def main() -> None:
    """This will draw the kept pictures, or every page into the folder that was named."""
    with installation() as here, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=visits.BROWSER, args=visits.FLAGS)
        people = People.arrive(browser, f"http://127.0.0.1:{here.port}")
        repository = here.folder.parent / "orrery"
        project = furnish(people.apis["ada"], repository)
        settle(Visit.begin(browser, people, "ada", **WIDE).page, project)
        if len(sys.argv) > 1:
            everything(browser, people, project, Path(sys.argv[1]))
        else:
            kept(browser, people, project)
        browser.close()


if __name__ == "__main__":
    main()
