"""What becomes of agents at work when their credential is replaced or deleted meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.core.cache import cache
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.agents import operations
from apps.agents.adapters import presets
from apps.agents.models import Attempt, Credential
from apps.agents.runner import outcomes
from apps.boards.models import Card
from tests import factories
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside, wait_for
from tests.people import actor_of

KEY = "sk-ant-api03-TheFirstKey-0123456789abcdef"
OTHER = "sk-ant-api03-TheOneAfterIt-fedcba9876543210"
# Until the test says so.
WAIT = 'touch "$HOME/begun"; until [ -e "$HOME/go" ]; do sleep 0.05; done'
REPORT = 'env > "$HOME/environment"'

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def credential(root: User) -> Credential:
    return operations.create_credential(
        actor=actor_of(root), name="K", provider="anthropic", api_key=KEY
    )


@pytest.fixture
def start(credential: Credential) -> Callable[..., Attempt]:
    """Starts an agent on a card as its project's owner, with the credential."""

    def begin(card: Card, agent: str = "command", **config: Any) -> Attempt:
        actor = actor_of(card.project.owner)
        operations.choose_for_card(actor=actor, card=card, credential_id=credential.pk)
        profile = factories.AgentProfile.create(
            agent=agent, config={"permission": "accept_all", **config}
        )
        return operations.start_attempt(actor=actor, card=card, agent=agent, profile_id=profile.pk)

    return begin


def home_of(settings: Settings, attempt: Attempt) -> Path:
    return Path(settings.KANBANAI_DATA_DIR) / "agents" / attempt.public_id / "home"


def environment(settings: Settings, attempt: Attempt) -> str:
    return (home_of(settings, attempt) / "environment").read_text()


def test_a_replaced_key_reaches_the_turn_that_waits_in_line(
    settings: Settings,
    root: User,
    credential: Credential,
    make_card: MakeCard,
    start: Callable[..., Attempt],
    run_beside: RunBeside,
) -> None:
    attempt = start(make_card(WAIT))
    beside = run_beside(attempt)
    home = home_of(settings, attempt)
    wait_for(attempt, lambda _row: (home / "begun").exists())
    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text=REPORT)

    operations.update_credential(
        actor=actor_of(root), credential=credential, changes={"api_key": OTHER}
    )
    (home / "go").touch()
    ended = beside.join()

    assert ended.status == "succeeded", ended.detail
    assert f"ANTHROPIC_API_KEY={OTHER}\n" in environment(settings, attempt)
    assert ended.credential_id == credential.pk
    assert [turn.credential_id for turn in ended.turns.all()] == [credential.pk] * 2
    told = "".join(ended.logs.values_list("message", flat=True))
    assert "its credential was changed" in told
    assert OTHER not in told


def test_a_key_that_stays_keeps_the_process(
    settings: Settings,
    make_card: MakeCard,
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    attempt = start(make_card("true"))
    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text=REPORT)

    ended = run_attempt(attempt)

    assert ended.status == "succeeded", ended.detail
    assert f"ANTHROPIC_API_KEY={KEY}\n" in environment(settings, attempt)
    told = list(ended.logs.filter(message__startswith="[runner] starting"))
    assert len(told) == 1


def test_a_credential_deleted_meanwhile_is_not_missed_by_an_agent_that_can_go_without(
    settings: Settings,
    root: User,
    credential: Credential,
    make_card: MakeCard,
    start: Callable[..., Attempt],
    run_beside: RunBeside,
) -> None:
    attempt = start(make_card(WAIT))
    beside = run_beside(attempt)
    home = home_of(settings, attempt)
    wait_for(attempt, lambda _row: (home / "begun").exists())
    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text=REPORT)

    operations.delete_credential(actor=actor_of(root), credential=credential)
    (home / "go").touch()
    ended = beside.join()

    assert ended.status == "succeeded", ended.detail
    assert ended.credential_id is None
    assert "ANTHROPIC_API_KEY" not in environment(settings, attempt)
    assert KEY not in environment(settings, attempt)


@pytest.fixture
def needy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An agent that needs a key and is found here; whoever starts it names the demo's program."""
    program = tmp_path / "bin" / "vibe-acp"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 3.0.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    cache.clear()
    return "vibe"


def test_a_credential_deleted_meanwhile_ends_an_agent_that_needs_one_after_its_turn(
    needy: str,
    root: User,
    make_card: MakeCard,
    run_beside: RunBeside,
) -> None:
    credential = operations.create_credential(
        actor=actor_of(root), name="M", provider="mistral", api_key="mistral-key-0123456789"
    )
    card = make_card("@run true\n@say Done.")
    profile = factories.AgentProfile.create(
        agent=needy, config={"permission": "ask", "command": list(presets.DEMO.command)}
    )
    actor = actor_of(card.project.owner)
    operations.choose_for_card(actor=actor, card=card, credential_id=credential.pk)
    attempt = operations.start_attempt(actor=actor, card=card, agent=needy, profile_id=profile.pk)
    beside = run_beside(attempt)
    beside.until(lambda row: row.status == "waiting")
    operations.send_message(actor=actor, attempt=attempt, text="@say More.")

    operations.delete_credential(actor=actor_of(root), credential=credential)
    operations.answer_approval(actor=actor, approval=attempt.approvals.get(), decision="allow_once")
    ended = beside.join()

    assert (ended.status, ended.reason) == ("failed", "credential_invalid")
    assert ended.detail == (
        "Mistral Vibe needs a credential: choose one for the card or the project."
    )
    # What it did before is there.
    said = ended.items.filter(type="message").order_by("position").values_list("data__text")
    assert ("Done.",) in list(said)


def test_an_agent_that_was_given_a_key_never_has_to_sign_in() -> None:
    told = outcomes.failed("agent_login_required", "Authentication required")

    refused = outcomes.with_key(told)

    assert (refused.kind, refused.reason) == ("failed", "credential_invalid")
    assert refused.detail == "The provider refused the key. Authentication required"
    assert outcomes.with_key(refused) == refused


def test_an_agent_of_another_project_finds_the_key_nowhere(
    settings: Settings,
    make_card: MakeCard,
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
    run_beside: RunBeside,
    credential: Credential,
    tmp_path: Path,
) -> None:
    attempt = start(make_card(f"{REPORT}; {WAIT}"))
    beside = run_beside(attempt)
    home = home_of(settings, attempt)
    wait_for(attempt, lambda _row: (home / "begun").exists())
    assert KEY in environment(settings, attempt)
    project = attempt.project
    folder = tmp_path / "another"
    shutil.copytree(project.path, folder)
    other = factories.Project.create(owner=project.owner, path=str(folder))
    board = factories.BoardWithColumns.create(project=other)
    card = factories.Card.create(
        column=board.columns.get(key="backlog"),
        prompt=f"cat /proc/*/environ | tr '\\0' '\\n'; cat {home}/environment; env; echo looked",
    )
    profile = factories.AgentProfile.create(agent="command", config={"permission": "accept_all"})
    snoop = operations.start_attempt(
        actor=actor_of(project.owner), card=card, agent="command", profile_id=profile.pk
    )

    found = run_attempt(snoop)
    (home / "go").touch()
    beside.join()

    assert found.status == "succeeded", found.detail
    assert found.credential_id is None
    said = serializers.serialize("json", [*found.items.all(), *found.logs.all()])
    assert "looked" in said
    assert KEY not in said
