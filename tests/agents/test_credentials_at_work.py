"""Agents get the credential that was chosen for their card; nobody else does, or sees it."""

from __future__ import annotations

import base64
import logging
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.agents import operations, outputs
from apps.agents.models import Attempt, AttemptLog, Credential, Item, Turn
from apps.agents.operations import admission, records
from apps.agents.runner.hiding import Redactor
from apps.boards.models import Card
from apps.core import problems
from apps.core.models import Event
from apps.core.secrets import MASK
from apps.projects.models import Project
from tests import factories
from tests.agents.conftest import MakeCard, RunAttempt
from tests.agents.models_server import Asked, Reply, model_server
from tests.people import actor_of

KEY = "sk-ant-api03-OnlyForTheAgent-0123456789abcdef"
OTHER = "sk-ant-api03-TheOtherOne-fedcba9876543210"

pytestmark = pytest.mark.django_db(transaction=True)

# What the agent leaves behind of its environment, where only the test looks; and what it prints.
REPORT = """env > "$HOME/environment"
tr '\\0' ' ' < /proc/$$/cmdline > "$HOME/arguments"
echo "key: $ANTHROPIC_API_KEY"
echo "key: $ANTHROPIC_API_KEY" >&2
printf '%s' "${ANTHROPIC_API_KEY%????????????????????}"; sleep 0.2
printf '%s\\n' "${ANTHROPIC_API_KEY#??????????????????????????}"
"""


@pytest.fixture
def make_credential(root: User) -> Callable[..., Credential]:
    def make(key: str = KEY, **more: Any) -> Credential:
        values = {"name": "K", "provider": "anthropic", "api_key": key, **more}
        return operations.create_credential(actor=actor_of(root), **values)

    return make


@pytest.fixture
def start(transactional_db: None) -> Callable[..., Attempt]:
    """Starts a script on a card as its project's owner."""

    profile = factories.AgentProfile.create(agent="command", config={"permission": "accept_all"})

    def begin(card: Card) -> Attempt:
        return operations.start_attempt(
            actor=actor_of(card.project.owner), card=card, agent="command", profile_id=profile.pk
        )

    return begin


def choose(card: Card, credential: Credential | None) -> None:
    operations.choose_for_card(
        actor=actor_of(card.project.owner),
        card=card,
        credential_id=credential.pk if credential else None,
    )


def left(settings: Settings, attempt: Attempt, name: str) -> str:
    home = Path(settings.KANBANAI_DATA_DIR) / "agents" / attempt.public_id / "home"
    return (home / name).read_text()


def variables(settings: Settings, attempt: Attempt) -> dict[str, str]:
    lines = left(settings, attempt, "environment").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_an_agent_gets_its_card_s_key_and_nobody_sees_it(
    settings: Settings,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    card, credential = make_card(REPORT), make_credential()
    choose(card, credential)

    attempt = run_attempt(start(card))

    assert attempt.status == "succeeded", attempt.detail
    assert variables(settings, attempt)["ANTHROPIC_API_KEY"] == KEY
    assert KEY not in left(settings, attempt, "arguments")
    assert attempt.credential_id == credential.pk
    assert attempt.turns.get().credential_id == credential.pk
    assert outputs.session(attempt)["credentialId"] == credential.public_id
    told = "".join(
        serializers.serialize("json", rows.objects.all())
        for rows in (Event, Item, AttemptLog, Attempt, Turn)
    )
    assert f"key: {MASK}" in told
    assert KEY not in told
    assert KEY[-20:] not in told
    assert KEY not in caplog.text


def test_scripts_of_the_project_do_not_get_the_agent_s_key(
    settings: Settings,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    card = make_card("true")
    card.project.settings.setup_script = 'env > "$HOME/environment"'
    card.project.settings.save()
    choose(card, make_credential())

    attempt = run_attempt(start(card))

    assert attempt.status == "succeeded", attempt.detail
    assert KEY not in left(settings, attempt, "environment")


def test_another_project_s_agent_gets_nothing_of_it(
    settings: Settings,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
    real_project: Project,
    tmp_path: Path,
) -> None:
    operations.choose_for_project(
        actor=actor_of(real_project.owner),
        project=real_project,
        credential_id=make_credential().pk,
    )
    folder = tmp_path / "another"
    shutil.copytree(real_project.path, folder)
    other = factories.Project.create(owner=real_project.owner, path=str(folder))
    board = factories.BoardWithColumns.create(project=other)
    card = factories.Card.create(column=board.columns.get(key="backlog"), prompt=REPORT)

    here, there = run_attempt(start(make_card(REPORT))), run_attempt(start(card))

    assert variables(settings, here)["ANTHROPIC_API_KEY"] == KEY
    assert "ANTHROPIC_API_KEY" not in variables(settings, there)
    assert there.credential_id is None


def test_a_switch_counts_from_the_next_turn(
    settings: Settings,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    card, first, second = make_card(REPORT), make_credential(), make_credential(OTHER)
    choose(card, first)
    attempt = run_attempt(start(card))
    assert variables(settings, attempt)["ANTHROPIC_API_KEY"] == KEY

    choose(card, second)
    operations.send_message(actor=actor_of(card.project.owner), attempt=attempt, text=REPORT)
    attempt = run_attempt(attempt)

    assert attempt.status == "succeeded", attempt.detail
    assert variables(settings, attempt)["ANTHROPIC_API_KEY"] == OTHER
    used = attempt.turns.order_by("number").values_list("credential_id", flat=True)
    assert list(used) == [first.pk, second.pk]


def test_a_switch_takes_another_process_for_a_turn_in_line(
    settings: Settings,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    card, first, second = make_card(REPORT), make_credential(), make_credential(OTHER)
    choose(card, first)
    attempt = start(card)
    operations.send_message(actor=actor_of(card.project.owner), attempt=attempt, text=REPORT)
    choose(card, second)
    # Let in with the first one; the second counts from the turn that waits behind.
    attempt = run_attempt(attempt)
    assert variables(settings, attempt)["ANTHROPIC_API_KEY"] == KEY
    assert attempt.status == "queued"

    attempt = run_attempt(attempt)

    assert attempt.status == "succeeded", attempt.detail
    assert variables(settings, attempt)["ANTHROPIC_API_KEY"] == OTHER


def test_only_so_many_agents_work_with_one_credential(
    settings: Settings,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    settings.KANBANAI_AGENT_SLOTS_PER_CREDENTIAL = 1
    first, second = make_credential(), make_credential(OTHER)
    cards = [make_card("true", title=f"Card {n}") for n in range(4)]
    for card, credential in zip(cards, (first, first, second, None), strict=True):
        choose(card, credential)

    attempts = [start(card) for card in cards]

    waiting = [attempt.dispatched_at is None for attempt in attempts]
    assert waiting == [False, True, False, False]
    assert attempts[1].detail == admission.CREDENTIAL_FULL
    assert admission.queue_position(attempts[1]) == 1
    run_attempt(attempts[0])
    attempts[1].refresh_from_db()
    assert attempts[1].dispatched_at is not None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("invalid", "cannot be used"),
        ("pending", "login is not completed"),
        ("failed", "did not work"),
    ],
)
def test_a_chosen_credential_that_does_not_work_refuses_the_start(
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    status: str,
    words: str,
) -> None:
    card, credential = make_card("true"), make_credential()
    choose(card, credential)
    Credential.objects.update(status=status)

    with pytest.raises(problems.Conflict, match=words) as refused:
        start(card)

    assert refused.value.code == "CREDENTIAL_INVALID"
    assert not Attempt.objects.exists()


def test_a_credential_that_became_invalid_in_line_fails_the_attempt(
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    card, credential = make_card("true"), make_credential()
    choose(card, credential)
    attempt = start(card)
    Credential.objects.update(status="invalid", error="Anthropic does not know this key.")

    attempt = run_attempt(attempt)

    assert (attempt.status, attempt.reason) == ("failed", "credential_invalid")
    assert "Anthropic does not know this key." in attempt.detail


def test_a_deleted_credential_leaves_the_attempt_as_it_was(
    root: User,
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    card, credential = make_card("true"), make_credential()
    choose(card, credential)
    attempt = run_attempt(start(card))

    operations.delete_credential(actor=actor_of(root), credential=credential)

    attempt.refresh_from_db()
    assert attempt.status == "succeeded"
    assert outputs.session(attempt)["credentialId"] is None
    operations.send_message(actor=actor_of(card.project.owner), attempt=attempt, text="true")
    assert run_attempt(attempt).status == "succeeded"


def test_a_login_s_token_is_renewed_just_before_the_turn(
    settings: Settings,
    make_card: MakeCard,
    start: Callable[..., Attempt],
    run_attempt: RunAttempt,
) -> None:
    with model_server() as server:

        def token(_asked: Asked) -> Reply:
            return Reply(body={"access_token": "renewed-token-0123", "expires_in": 3600})

        server.answer = token
        settings.KANBANAI_PROVIDERS = {
            "anthropic": {
                "oauth": {
                    "authorizeUrl": f"{server.url}/auth",
                    "tokenUrl": f"{server.url}/token",
                    "clientId": "c",
                }
            }
        }
        card = make_card('env > "$HOME/environment"; echo "$CLAUDE_CODE_OAUTH_TOKEN"')
        credential = Credential.objects.create(
            name="L",
            provider="anthropic",
            auth_type="oauth",
            status="valid",
            secret="ended-token-0123",
            refresh_token="r0",
            hint="****",
            token_expires_at=timezone.now() - timedelta(seconds=5),
        )
        choose(card, credential)

        attempt = run_attempt(start(card))

        assert attempt.status == "succeeded", attempt.detail
        given = variables(settings, attempt)
        assert given["CLAUDE_CODE_OAUTH_TOKEN"] == "renewed-token-0123"
        assert "ANTHROPIC_API_KEY" not in given
        assert len(server.asked) == 1
        assert "renewed-token-0123" not in serializers.serialize("json", Item.objects.all())


def test_tokens_count_for_the_credential_they_were_used_with(
    make_card: MakeCard,
    make_credential: Callable[..., Credential],
    root: User,
) -> None:
    credential = make_credential()
    attempt = factories.Attempt.create(card=make_card(), running=True, credential=credential)
    turn = factories.Turn.create(
        attempt=attempt, status="running", credential=credential, started_at=timezone.now()
    )
    batch = records.Batch(input_tokens=5, output_tokens=7, used=True)
    records.record_batch(actor=actor_of(root), attempt_id=attempt.pk, epoch=0, batch=batch)

    turn.refresh_from_db()
    assert (turn.input_tokens, turn.output_tokens) == (5, 7)
    used = operations.credential_usage(actor=actor_of(root), credential=credential)
    assert used["local"] == {"sessions": 1, "inputTokens": 5, "outputTokens": 7, "costUsd": 0.0}


# --- hiding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("after", ["", ".", "\n", "==="])
def test_a_key_in_base64_is_hidden(
    encode: Callable[[bytes], bytes], before: str, after: str
) -> None:
    key = f"{KEY}~?>~?>"
    redactor = Redactor()
    redactor.learn([key])
    said = encode(f"{before}{key}{after}".encode()).decode()

    hidden = redactor.hide(f"Basic {said}")

    assert MASK in hidden
    # At each end what it shares with others may be left: a group or two.
    start, _, end = hidden.removeprefix("Basic ").partition(MASK)
    assert (len(start) <= 8, len(end) <= 8) == (True, True)
    assert redactor.passing("a", said[:20]) + redactor.passing("a", said[20:]) == start + MASK + end


@pytest.mark.parametrize("line", ["\n", "\r\n", "\\n"])
def test_a_key_in_base64_is_hidden_across_lines(line: str) -> None:
    key = KEY * 3
    redactor = Redactor()
    redactor.learn([key])
    said = base64.b64encode(key.encode()).decode()

    wrapped = line.join(said[at : at + 76] for at in range(0, len(said), 76))

    assert redactor.hide(wrapped) == MASK


def test_a_key_in_pieces_is_hidden_in_what_passes() -> None:
    for cut in range(1, len(KEY)):
        redactor = Redactor()
        redactor.learn([KEY])
        said = redactor.passing("a", f"key {KEY[:cut]}") + redactor.passing("a", f"{KEY[cut:]} end")
        assert said == f"key {MASK} end"


def test_a_long_part_of_a_key_at_an_edge_is_hidden() -> None:
    redactor = Redactor()
    redactor.learn([KEY, "short"])

    assert redactor.hide({"a": [KEY[-20:] + " and", f"then {KEY[:20]}"], "b": 1}) == {
        "a": [f"{MASK} and", f"then {MASK}"],
        "b": 1,
    }
    assert redactor.hide("a short word") == "a short word"
