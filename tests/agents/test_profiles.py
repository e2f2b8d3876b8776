"""Configurations of agents: what they hold is nobody's to read, and the admin changes it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.agents.models import AgentProfile
from tests import factories
from tests.people import BrowserOf

CONFIG = {
    "provider": "openai",
    "apiKey": "sk-profile-secret",
    "env": {"MY_TOKEN": "tok-secret", "DEBUG": "1"},
    "args": ["--fast"],
}


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT config FROM agents_agentprofile")
        return str(cursor.fetchone()[0])


def posted(config: Any) -> dict[str, str]:
    return {"project": "", "agent": "demo", "name": "Fast", "config": json.dumps(config)}


def test_the_database_has_it_encrypted(db: None) -> None:
    profile = factories.AgentProfile.create(config=CONFIG)

    profile.refresh_from_db()

    assert profile.config == CONFIG
    assert "secret" not in stored()
    assert "openai" not in stored()


def test_the_admin_masks_secrets_and_keeps_them(browser_of: BrowserOf, root: User) -> None:
    profile = factories.AgentProfile.create(config=CONFIG)
    browser: Client = browser_of(root)
    path = f"/admin/agents/agentprofile/{profile.pk}/change/"

    page = browser.get(path).content.decode()
    shown = {
        **CONFIG,
        "apiKey": "****",
        "env": {"MY_TOKEN": "****", "DEBUG": "2"},
    }
    answer = browser.post(path, posted(shown))

    profile.refresh_from_db()
    assert "secret" not in page
    assert answer.status_code == 302
    assert profile.config == CONFIG | {"env": {"MY_TOKEN": "tok-secret", "DEBUG": "2"}}


def test_the_admin_takes_a_new_secret_and_refuses_what_is_no_json(
    browser_of: BrowserOf, root: User
) -> None:
    profile = factories.AgentProfile.create(config=CONFIG)
    path = f"/admin/agents/agentprofile/{profile.pk}/change/"

    browser_of(root).post(path, posted({"apiKey": "sk-new"}))
    profile.refresh_from_db()
    refused = browser_of(root).post(path, posted({}) | {"config": "{no"})

    assert profile.config == {"apiKey": "sk-new"}
    assert refused.status_code == 200
    assert AgentProfile.objects.get().config == {"apiKey": "sk-new"}


def test_keys_of_profiles_are_rotated(db: None, settings: Settings) -> None:
    factories.AgentProfile.create(config=CONFIG)
    before = stored()

    call_command("rotate_keys")

    assert stored() != before
    assert AgentProfile.objects.get().config == CONFIG


def test_what_was_in_the_clear_is_encrypted_by_the_migration(transactional_db: None) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("agents", "0006_note_what_conversations_use")])
    old = executor.loader.project_state(
        [("agents", "0006_note_what_conversations_use")]
    ).apps.get_model("agents", "AgentProfile")
    old.objects.create(agent="demo", name="Old", config=CONFIG)

    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())

    assert AgentProfile.objects.get().config == CONFIG
    assert "secret" not in stored()
