"""A card's prompt is sharpened by a real agent that reads the project and writes nothing."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from apps.accounts.models import User
from apps.agents import operations, places, tasks
from apps.agents.conversation_tables import Conversation
from apps.agents.runner import talking
from apps.boards import operations as board_operations
from apps.boards.models import Card
from apps.core.models import Event
from apps.projects.models import Project
from tests.agents.conversations.conftest import Beside, TalkerOf, answer_now, speaks
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)

PROPOSED = """# Explain the engine

Extend the README.

## What is wanted

- Say how to start it.

## Files to look at

- `README.md`

## Done when

- it works as described, and a test shows it"""


def test_a_prompt_is_sharpened_and_accepted(ada: User, deferred: Card, talker_of: TalkerOf) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    mine = talker.say(session, "Say how to start it.")

    ended = answer_now()

    assert (ended.status, ended.activity) == ("active", "idle")
    assert mine["role"] == "user"
    assert mine["content"] == "Say how to start it."
    messages = talker.get(f"pre-session/{session}/messages").json()["data"]
    assert [(one["role"], one["type"]) for one in messages] == [
        ("user", "text"),
        ("tool", "tool_use"),
        ("assistant", "text"),
    ]
    assert messages[0] == mine
    assert {one["sessionId"] for one in messages} == {session}
    assert talker.get(f"pre-session/{session}").json()["data"]["proposal"] == PROPOSED

    accepted = talker.post(f"pre-session/{session}/accept")

    assert accepted.status_code == 200
    assert accepted.json()["data"] == {
        "id": session,
        "cardId": deferred.public_id,
        "status": "accepted",
        "prompt": PROPOSED,
    }
    deferred.refresh_from_db()
    assert (deferred.prompt, deferred.is_deferred) == (PROPOSED, True)
    assert talker.post(f"pre-session/{session}/accept").status_code == 409
    assert talker.post(f"pre-session/{session}/message", {"content": "More"}).status_code == 409


def test_the_session_is_resumed_and_the_last_proposal_counts(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "Say how to start it.")
    first = answer_now()
    talker.say(session, "And how to stop it.")

    second = answer_now()

    assert second.session_id == first.session_id
    assert second.turn == 2
    proposal = talker.get(f"pre-session/{session}").json()["data"]["proposal"]
    assert "- Say how to start it.\n- And how to stop it." in proposal


def test_an_edited_prompt_overrides_what_was_proposed(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@say As it is.")
    answer_now()

    accepted = talker.post(f"pre-session/{session}/accept", {"prompt": "My own words."})

    assert accepted.json()["data"]["prompt"] == "My own words."
    deferred.refresh_from_db()
    assert deferred.prompt == "My own words."


def test_an_answer_without_a_block_is_the_proposal_as_a_whole(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@say Make it so.")
    answer_now()

    assert talker.post(f"pre-session/{session}/accept", {"prompt": None}).status_code == 200

    deferred.refresh_from_db()
    assert deferred.prompt == "Make it so."


def test_nothing_is_accepted_before_an_answer(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)

    for body in ({}, {"prompt": "Mine"}):
        refused = talker.post(f"pre-session/{session}/accept", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")

    deferred.refresh_from_db()
    assert deferred.prompt == "Extend the README."


def test_the_agent_writes_nothing(
    ada: User, deferred: Card, talker_of: TalkerOf, repository: Path
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@write README.md :: gone\n@run touch new.txt\n@say Tried.")

    answer_now()

    assert (repository / "README.md").read_text(encoding="utf-8") == "# Engine\n"
    status = subprocess.run(
        ["git", "status", "--short"], cwd=repository, check=True, capture_output=True, text=True
    )
    assert status.stdout == ""
    items = Conversation.objects.get().items
    tools = [item.data["tool"] for item in items.filter(type="tool").order_by("position")]
    assert [(tool["action"], tool["status"]) for tool in tools] == [
        ("edit", "failed"),
        ("execute", "failed"),
    ]


def test_a_card_that_is_not_deferred_is_refused(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    Card.objects.filter(pk=deferred.pk).update(is_deferred=False)

    refused = talker_of(ada).post("pre-session", {"cardId": deferred.public_id})

    assert (refused.status_code, refused.json()["code"]) == (409, "NOT_DEFERRED")
    assert not Conversation.objects.exists()


def test_one_pre_session_a_card_is_open(
    ada: User, bob: User, deferred: Card, talker_of: TalkerOf
) -> None:
    session = talker_of(ada).open(deferred)

    second = talker_of(bob).post("pre-session", {"cardId": deferred.public_id})

    assert second.status_code == 409
    assert second.json()["sessionId"] == session
    assert talker_of(bob).post(f"pre-session/{session}/cancel").status_code == 204
    assert talker_of(bob).open(deferred) != session


def test_a_cancel_leaves_the_prompt_and_may_be_repeated(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "Say how to start it.")
    answer_now()

    for _ in range(2):
        assert talker.post(f"pre-session/{session}/cancel").status_code == 204

    deferred.refresh_from_db()
    assert deferred.prompt == "Extend the README."
    assert Conversation.objects.get().status == "cancelled"
    assert talker.post(f"pre-session/{session}/accept").status_code == 409


def test_what_was_accepted_cannot_be_cancelled(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@say Make it so.")
    answer_now()
    talker.post(f"pre-session/{session}/accept")

    assert talker.post(f"pre-session/{session}/cancel").status_code == 409
    assert Conversation.objects.get().status == "accepted"


def test_a_cancel_stops_the_agent_at_once(ada: User, deferred: Card, talker_of: TalkerOf) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@slow 300")
    beside = Beside()
    beside.until(speaks)

    talker.post(f"pre-session/{session}/cancel")

    beside.join()
    row = beside.until(lambda one: one.activity == "idle")
    assert (row.status, row.lease_owner) == ("cancelled", "")
    assert not places.conversation_folder(row).exists()


def test_messages_wait_while_the_agent_answers(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@slow 4\n@say First.")
    beside = Beside()
    beside.until(speaks)
    talker.say(session, "@say Second.")

    beside.join()

    row = Conversation.objects.get()
    assert (row.activity, row.turn) == ("idle", 2)
    texts = list(row.items.filter(role="assistant").order_by("position"))
    assert texts[-1].data["text"] == "Second."


def test_a_card_that_is_deleted_takes_its_session_along(
    ada: User, deferred: Card, talker_of: TalkerOf, talkative: Project
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@slow 300")
    beside = Beside()
    beside.until(speaks)

    operations.delete_card(actor=actor_of(ada), card=deferred)

    beside.join()
    assert not Conversation.objects.exists()
    assert talker.get(f"pre-session/{session}/messages").status_code == 404
    told = Event.objects.filter(kind="presession.status_changed").order_by("pk")
    assert told.filter(data__status="closed").exists()


def test_a_card_that_is_activated_ends_its_session(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@slow 300")
    beside = Beside()
    beside.until(speaks)

    board_operations.update_card(actor=actor_of(ada), card=deferred, changes={"is_deferred": False})

    beside.join()
    refused = talker.post(f"pre-session/{session}/message", {"content": "More"})
    assert (refused.status_code, refused.json()["code"]) == (409, "NOT_DEFERRED")
    tasks.reap()
    assert Conversation.objects.get().status == "closed"


def test_a_failure_is_told_and_the_next_message_is_answered(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    talker.say(session, "@crash")
    answer_now()
    messages = talker.get(f"pre-session/{session}/messages").json()["data"]
    assert (messages[-1]["role"], messages[-1]["type"]) == ("system", "error")

    talker.say(session, "@say Here again.")
    answer_now()

    messages = talker.get(f"pre-session/{session}/messages").json()["data"]
    assert messages[-1]["content"] == "Here again."


def test_messages_are_paged_by_their_moments(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    session = talker.open(deferred)
    for text in ("one", "two", "three"):
        talker.say(session, text)

    newest = talker.get(f"pre-session/{session}/messages?limit=2").json()

    assert [one["content"] for one in newest["data"]] == ["two", "three"]
    assert newest["meta"] == {"hasMore": True}
    rest = talker.get(
        f"pre-session/{session}/messages?before={newest['data'][0]['createdAt']}"
    ).json()
    assert [one["content"] for one in rest["data"]] == ["one"]


def test_a_second_runner_finds_nothing_to_do(
    ada: User, deferred: Card, talker_of: TalkerOf
) -> None:
    talker = talker_of(ada)
    talker.say(talker.open(deferred), "@say Once.")
    row = answer_now()

    asyncio.run(talking.run(row.pk))

    assert Conversation.objects.get().turn == 1
