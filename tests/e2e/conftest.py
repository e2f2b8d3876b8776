"""A whole installation, as `make up` starts it, and people who look at it with a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e import visits
from tests.e2e.visits import People, Visit
from tests.ops import running

# Each of these was needed: the demo agent waits for no eye, a lost worker is soon noticed.
HURRY = {
    "KANBANAI_DEMO_SPEED": "20",
    "KANBANAI_AGENT_LEASE_SECONDS": "6",
    "KANBANAI_AGENT_SLOTS": "3",
}

expect.set_options(timeout=visits.WAIT_MILLISECONDS)


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that repositories may be in."""
    return tmp_path_factory.mktemp("projects")


@pytest.fixture(scope="session")
def installation(
    tmp_path_factory: pytest.TempPathFactory, roots: Path
) -> Iterator[running.Installation]:
    """The product on a free port; `make assets` must have been run."""
    static = running.PROJECT / "build" / "static"
    assert (static / "staticfiles.json").is_file(), "run `make assets` first"
    variables = running.environment(
        tmp_path_factory.mktemp("installation") / "data",
        DJANGO_SETTINGS_MODULE="kanbanai.settings.embedded",
        KANBANAI_STATIC_ROOT=str(static),
        KANBANAI_PROJECT_ROOTS=str(roots),
        **HURRY,
    )
    started = running.Installation(variables)
    try:
        started.until_it_runs()
        yield started
    finally:
        started.stop()
        started.clean_up()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=visits.BROWSER, args=visits.FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def people(browser: Browser, installation: running.Installation) -> People:
    """Ada, who set the server up, and Bob, who registered: both through the pages."""
    return People.arrive(browser, f"http://127.0.0.1:{installation.port}")


@pytest.fixture
def visit(
    browser: Browser, people: People, installation: running.Installation
) -> Iterator[Callable[..., Visit]]:
    """`visit("ada")` opens a window; one whose browser reports an error has failed."""
    before = len(installation.said())
    begun: list[Visit] = []

    def begin(name: str = "", **options: object) -> Visit:
        begun.append(Visit.begin(browser, people, name, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.context.close()
    complaints = [complaint for one in begun for complaint in one.complaints]
    assert complaints == [], installation.said()[before:]


@pytest.fixture
def project(people: People, roots: Path, request: pytest.FixtureRequest) -> visits.Project:
    """Ada's project with a repository of its own, named for the test."""
    folder = roots / request.node.name.removeprefix("test_")[: visits.LONGEST_NAME]
    return visits.Project.make(people.apis["ada"], folder)
