"""The pages on which a person, or the server, is set up."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import OidcConfiguration, Preferences, Role, ServerSettings, User
from apps.accounts.pages.frame import TOOL_TYPES
from tests import factories
from tests.people import BrowserOf

SERVER_PAGES = ["/settings/server", "/settings/single-sign-on"]
PROVIDER = {
    "name": "Engines",
    "issuer_url": "https://id.example.org",
    "client_id": "kanban",
    "client_secret": "quite secret",
    "scopes": "openid email",
    "groups_claim": "groups",
    "super_admin_groups": "chiefs, owners",
    "admin_groups": "",
}


@pytest.mark.parametrize("path", ["/settings/notifications", "/settings/keyboard", *SERVER_PAGES])
def test_strangers_must_sign_in(client: Client, root: User, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")


@pytest.mark.parametrize("path", SERVER_PAGES)
def test_only_super_admins_see_the_servers_pages(
    browser_of: BrowserOf, ada: User, path: str
) -> None:
    admin = factories.User.create(role=Role.ADMIN)

    assert browser_of(ada).get(path).status_code == 403
    assert browser_of(admin).post(path, PROVIDER).status_code == 403
    assert not OidcConfiguration.objects.exists()


def test_what_one_hears_is_what_was_ticked(browser_of: BrowserOf, ada: User) -> None:
    browser = browser_of(ada)

    browser.post("/settings/notifications", {"email": "on", "scriptFinished": "on", "other": "on"})
    page = browser.get("/settings/notifications").content.decode()

    assert Preferences.objects.get().notifications == {
        "inApp": False,
        "browser": False,
        "sound": False,
        "email": True,
        "events": {
            "agentCompleted": False,
            "agentFailed": False,
            "approvalNeeded": False,
            "inputNeeded": False,
            "scriptFinished": True,
            "invitation": False,
        },
    }
    assert page.count(" checked>") == 2


def test_ones_own_keys_stand_on_every_page(browser_of: BrowserOf, ada: User, bob: User) -> None:
    Preferences.objects.create(user=ada, shortcuts={"new": "q"})

    assert (
        b'data-keys="{&quot;new&quot;: &quot;q&quot;}"' in browser_of(ada).get("/projects").content
    )
    assert b"data-keys" not in browser_of(bob).get("/projects").content
    assert b"data-keys" not in Client().get("/accounts/login/").content


def test_a_super_admin_says_who_may_come_in(browser_of: BrowserOf, root: User) -> None:
    answer = browser_of(root).post(
        "/settings/server",
        {"enabled": "on", "registration": "closed", "relay": "auto", "threshold": "70"},
    )

    row = ServerSettings.objects.get()
    assert answer.status_code == 302
    assert (row.registration, row.relay_mode, row.relay_threshold) == ("closed", "auto", 70)
    assert row.auth_enabled is True


@pytest.mark.parametrize(
    "wrong",
    [{"registration": "sometimes"}, {"relay": ""}, {"threshold": "96"}, {"threshold": "half"}],
)
def test_settings_that_cannot_be_change_nothing(
    browser_of: BrowserOf, root: User, wrong: dict[str, str]
) -> None:
    values = {"enabled": "on", "registration": "closed", "relay": "auto", "threshold": "70"}

    answer = browser_of(root).post("/settings/server", values | wrong)

    assert answer.status_code == 200
    assert b"field-error" in answer.content
    assert not ServerSettings.objects.filter(registration="closed").exists()


def test_a_provider_is_set_shown_without_its_secret_and_taken_away(
    browser_of: BrowserOf, root: User
) -> None:
    browser = browser_of(root)

    saved = browser.post("/settings/single-sign-on", PROVIDER)
    row = OidcConfiguration.objects.get()
    page = browser.get("/settings/single-sign-on").content.decode()
    browser.post("/settings/single-sign-on", {"forget": "1"})

    assert saved.status_code == 302
    assert (row.issuer_url, row.client_secret) == ("https://id.example.org", "quite secret")
    assert row.super_admin_groups == ["chiefs", "owners"]
    assert "chiefs, owners" in page
    assert "quite secret" not in page
    assert not OidcConfiguration.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"issuer_url": "http://id.example.org"}, "https address"),
        ({"issuer_url": ""}, "required"),
        ({"client_secret": ""}, "required"),
        ({"scopes": "email"}, "openid"),
        ({"client_id": "a\x00b"}, "field-error"),
    ],
)
def test_a_provider_that_cannot_be_is_refused(
    browser_of: BrowserOf, root: User, wrong: dict[str, str], words: str
) -> None:
    answer = browser_of(root).post("/settings/single-sign-on", PROVIDER | wrong)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not OidcConfiguration.objects.exists()


def test_a_provider_that_does_not_answer_is_said_to_be_away(
    browser_of: BrowserOf, root: User
) -> None:
    browser = browser_of(root)
    browser.post("/settings/single-sign-on", PROVIDER | {"issuer_url": "http://127.0.0.1:9"})

    page = browser.post("/settings/single-sign-on", {"test": "1"}).content.decode()

    assert "The provider did not pass" in page


def test_what_is_shown_of_an_agents_work_is_what_was_ticked(
    browser_of: BrowserOf, ada: User
) -> None:
    browser = browser_of(ada)
    shown = {kind: "on" for kind in TOOL_TYPES if kind != "execute"}

    browser.post("/settings/appearance", {"theme": "dark", "statusLine": "on", **shown})
    row = Preferences.objects.get()
    page = browser.get("/projects").content.decode()

    assert (row.agent_reasoning, row.status_line, row.hidden_tool_types) == (
        False,
        True,
        ["execute"],
    )
    assert 'data-hides="reasoning execute"' in page


def test_a_folded_side_bar_comes_folded(browser_of: BrowserOf, ada: User) -> None:
    Preferences.objects.create(user=ada, sidebar_expanded=False)

    assert b'class="app is-narrow"' in browser_of(ada).get("/projects").content
