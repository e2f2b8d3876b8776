"""Conversations work with a credential as attempts do: counted, limited, and replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.agents import operations
from apps.agents.adapters import presets
from apps.agents.conversation_tables import Conversation
from apps.agents.models import Credential
from apps.agents.operations import admission, conversing
from apps.agents.runner import asides, talking, work
from apps.agents.usage_tables import CredentialUse
from apps.boards.models import Card, Column
from apps.projects.models import Project
from tests import factories
from tests.agents.conversations.conftest import SYSTEM, Beside, TalkerOf, answer_now, speaks
from tests.people import actor_of

KEY = "mistral-key-0123456789"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo agent, as if it had a provider."""
    demo = presets.DEMO
    monkeypatch.setattr(
        presets,
        "_BY_ID",
        {**presets._BY_ID, demo.id: _with_provider(demo)},
    )


def _with_provider(demo: presets.Preset) -> presets.Preset:
    return replace(demo, providers={"mistral": presets.ProviderEnv(api_key="MISTRAL_API_KEY")})


@pytest.fixture
def make_credential(root: User) -> Callable[..., Credential]:
    def make(key: str = KEY) -> Credential:
        return operations.create_credential(
            actor=actor_of(root), name="K", provider="mistral", api_key=key
        )

    return make


@pytest.fixture
def credential(make_credential: Callable[..., Credential], talkative: Project) -> Credential:
    """The credential of Ada's project."""
    made = make_credential()
    operations.choose_for_project(
        actor=actor_of(talkative.owner), project=talkative, credential_id=made.pk
    )
    return made


def used(credential: Credential, root: User) -> dict[str, object]:
    return dict(operations.credential_usage(actor=actor_of(root), credential=credential)["local"])


def test_what_an_assistant_uses_counts_for_its_credential(
    ada: User, root: User, credential: Credential, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    talker.tell("What is this project?")
    row = answer_now()

    assert row.credential_id == credential.pk
    assert row.input_tokens > 0
    once = used(credential, root)
    assert once == {
        "sessions": 1,
        "inputTokens": row.input_tokens,
        "outputTokens": row.output_tokens,
        "costUsd": float(row.cost_usd),
    }
    use = CredentialUse.objects.get()
    assert (use.subject, use.ended_at is not None) == (row.pk, True)

    talker.tell("And what else?")
    again = answer_now()

    assert used(credential, root) == {
        "sessions": 1,
        "inputTokens": again.input_tokens,
        "outputTokens": again.output_tokens,
        "costUsd": float(again.cost_usd),
    }
    assert CredentialUse.objects.filter(ended_at__isnull=False).count() == 2


def test_a_presession_works_with_its_card_s_credential(
    ada: User,
    deferred: Card,
    credential: Credential,
    make_credential: Callable[..., Credential],
    talker_of: TalkerOf,
) -> None:
    own = make_credential("mistral-own-key-9876543210")
    operations.choose_for_card(actor=actor_of(ada), card=deferred, credential_id=own.pk)
    talker = talker_of(ada)
    talker.say(talker.open(deferred), "Say how to start it.")

    row = answer_now()

    assert row.credential_id == own.pk
    assert CredentialUse.objects.get().credential_id == own.pk


def test_conversations_take_places_of_their_credential(
    settings: Settings,
    ada: User,
    deferred: Card,
    columns: dict[str, Column],
    credential: Credential,
    talker_of: TalkerOf,
) -> None:
    settings.KANBANAI_AGENT_SLOTS_PER_CREDENTIAL = 1
    talker = talker_of(ada)
    talker.tell("What is this project?")
    talker.say(talker.open(deferred), "Say how to start it.")
    card = factories.Card.create(column=columns["backlog"], prompt="@say Done.")
    attempt = operations.start_attempt(actor=actor_of(ada), card=card, agent="demo")

    assistant = Conversation.objects.get(kind="assistant")
    presession = Conversation.objects.get(kind="presession")
    assert assistant.dispatched_at is not None
    assert presession.dispatched_at is None
    assert attempt.dispatched_at is None
    assert attempt.detail == admission.CREDENTIAL_FULL

    asyncio.run(talking.run(assistant.pk))

    presession.refresh_from_db()
    attempt.refresh_from_db()
    assert (presession.dispatched_at is None, attempt.dispatched_at is None) == (False, True)
    asyncio.run(talking.run(presession.pk))
    asyncio.run(work.run(attempt.pk))
    attempt.refresh_from_db()
    assert (attempt.status, attempt.credential_id) == ("succeeded", credential.pk)


def test_a_message_in_line_is_answered_with_what_is_chosen_then(
    ada: User,
    root: User,
    talkative: Project,
    credential: Credential,
    make_credential: Callable[..., Credential],
    talker_of: TalkerOf,
) -> None:
    other = make_credential("mistral-other-key-9876543210")
    talker = talker_of(ada)
    talker.tell("@slow 2\n@say First.")
    beside = Beside()
    beside.until(speaks)
    talker.tell("@say Second.")
    operations.choose_for_project(actor=actor_of(ada), project=talkative, credential_id=other.pk)
    beside.join()

    row = Conversation.objects.get()
    assert (row.activity, row.credential_id) == ("queued", other.pk)
    row = answer_now()

    assert row.activity == "idle"
    spent = CredentialUse.objects.order_by("pk").values_list("credential_id", flat=True)
    assert list(spent) == [credential.pk, other.pk]


def test_a_deleted_credential_takes_its_uses_with_it_and_leaves_the_talk(
    ada: User, root: User, credential: Credential, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    talker.tell("What is this project?")
    answer_now()

    operations.delete_credential(actor=actor_of(root), credential=credential)

    assert not CredentialUse.objects.exists()
    talker.tell("And what else?")
    row = answer_now()
    assert (row.activity, row.credential_id) == ("idle", None)
    assert not CredentialUse.objects.exists()


def test_a_reaped_answer_is_not_left_open(
    ada: User, credential: Credential, talker_of: TalkerOf
) -> None:
    talker_of(ada).tell("What is this project?")
    row = Conversation.objects.get()
    conversing.claim_conversation(
        actor=SYSTEM, conversation_id=row.pk, owner="gone/1/1", lease_seconds=-1
    )
    assert CredentialUse.objects.get().ended_at is None

    for lost in conversing.lost_conversations():
        conversing.reap_conversation(actor=SYSTEM, conversation=lost)

    assert CredentialUse.objects.get().ended_at is not None


def test_a_summary_counts_for_the_credential_of_its_card(
    ada: User, root: User, columns: dict[str, Column], credential: Credential
) -> None:
    card = factories.Card.create(column=columns["backlog"], prompt="@say Done.")
    attempt = operations.start_attempt(actor=actor_of(ada), card=card, agent="demo")
    asyncio.run(work.run(attempt.pk))
    attempt.refresh_from_db()
    before = used(credential, root)
    assert before["inputTokens"] == attempt.input_tokens

    asyncio.run(asides.summarize(attempt.pk))

    attempt.refresh_from_db()
    assert attempt.input_tokens > before["inputTokens"]
    assert used(credential, root) == {
        "sessions": 1,
        "inputTokens": attempt.input_tokens,
        "outputTokens": attempt.output_tokens,
        "costUsd": float(attempt.cost_usd),
    }
    assert CredentialUse.objects.get().subject == attempt.pk
