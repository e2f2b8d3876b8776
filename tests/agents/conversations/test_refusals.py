"""Who gets which answer, and what becomes of bad input: nothing half-written, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents.conversation_tables import Conversation, ConversationItem
from apps.agents.runner.bounds import bounded
from apps.boards.models import Card, Column
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.agents.conversations.conftest import TalkerOf
from tests.people import ClientOf

pytestmark = pytest.mark.django_db


def field_of(answer: Any) -> str | None:
    """The first wrong field; None where the body as a whole was no text."""
    errors = answer.json().get("errors")
    return str(errors[0]["field"]) if errors else None


PEOPLE = ("nobody", "ada", "bob", "eve", "root")
PROJECT = "/api/v1/projects/{project}"
SESSION = f"{PROJECT}/pre-session/{{session}}"
MEMBERS = (401, 200, 200, 404, 200)
MADE = (401, 201, 201, 404, 201)
DONE = (401, 204, 204, 404, 204)
CLASH = (401, 409, 409, 404, 409)
ROWS: list[tuple[str, str, dict[str, Any] | None, tuple[int, ...]]] = [
    ("POST", f"{PROJECT}/pre-session", {"cardId": "{other}"}, MADE),
    ("GET", SESSION, None, MEMBERS),
    ("POST", f"{SESSION}/message", {"content": "Hello"}, MADE),
    ("GET", f"{SESSION}/messages", None, MEMBERS),
    ("POST", f"{SESSION}/accept", None, CLASH),
    ("POST", f"{SESSION}/cancel", None, DONE),
    ("GET", f"{PROJECT}/assistant", None, MEMBERS),
    ("POST", f"{PROJECT}/assistant/message", {"content": "Hello"}, MADE),
    ("POST", f"{PROJECT}/assistant/stop", None, DONE),
]


@pytest.fixture
def session(ada: User, deferred: Card, talkative: Project) -> Conversation:
    return Conversation.objects.create(
        kind="presession", project=talkative, card=deferred, person=ada, agent="demo"
    )


@pytest.fixture
def other(columns: dict[str, Column], talkative: Project) -> Card:
    return factories.Card.create(column=columns["backlog"], is_deferred=True)


def filled(value: Any, session: Conversation, other: Card) -> Any:
    words = {
        "{project}": session.project.public_id,
        "{session}": session.public_id,
        "{other}": other.public_id,
    }
    text = json.dumps(value)
    for name, word in words.items():
        text = text.replace(name, word)
    return json.loads(text)


@pytest.mark.parametrize(
    ("person", "method", "path", "body", "expected"),
    [
        pytest.param(person, method, path, body, answer, id=f"{person} {method} {path}")
        for method, path, body, answers in ROWS
        for person, answer in zip(PEOPLE, answers, strict=True)
    ],
)
def test_everybody_gets_the_answer_of_their_role(
    callers: dict[str, APIClient],
    session: Conversation,
    other: Card,
    person: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    expected: int,
) -> None:
    before = (
        Event.objects.count(),
        Conversation.objects.count(),
        ConversationItem.objects.count(),
    )
    client = callers[person]
    answer = getattr(client, method.lower())(
        filled(path, session, other), filled(body, session, other)
    )
    assert answer.status_code == expected, answer.content
    if expected >= 400:
        assert before == (
            Event.objects.count(),
            Conversation.objects.count(),
            ConversationItem.objects.count(),
        )


WORDS: list[Any] = [None, "", "  ", 7, True, [], {}, "x" * 20_001, "a\x00b", "\ud800", "\x1b[0m"]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("path", [f"{SESSION}/message", f"{PROJECT}/assistant/message"])
def test_a_message_must_be_words(
    ada: User,
    client_of: ClientOf,
    session: Conversation,
    other: Card,
    path: str,
    words: Any,
) -> None:
    client = client_of(ada)
    for body in ({"content": words}, {}, {"text": "hello"}):
        answer = client.post(
            filled(path, session, other), json.dumps(body), content_type="application/json"
        )
        assert answer.status_code == 400
        assert field_of(answer) in {"content", None}
    assert not ConversationItem.objects.exists()
    assert not Conversation.objects.filter(kind="assistant").exists()


@pytest.mark.parametrize(
    "card_id", [None, "", 7, True, [], {}, "card_", "proj_01h00000000000000000000000", "\ud800"]
)
def test_a_pre_session_needs_the_id_of_a_card(
    ada: User, talker_of: TalkerOf, talkative: Project, card_id: Any
) -> None:
    for body in ({"cardId": card_id}, {}):
        answer = talker_of(ada).post("pre-session", body)
        assert answer.status_code == 400
        assert field_of(answer) in {"cardId", None}
    assert not Conversation.objects.exists()


def test_a_card_of_another_project_is_not_found(
    ada: User, talker_of: TalkerOf, talkative: Project
) -> None:
    board = factories.BoardWithColumns.create(project=factories.Project.create(owner=ada))
    column = board.columns.get(key="backlog")
    foreign = factories.Card.create(column=column, is_deferred=True)
    gone = foreign.public_id[:-4] + "0000"

    for card_id in (foreign.public_id, gone):
        assert talker_of(ada).post("pre-session", {"cardId": card_id}).status_code == 404


def test_a_session_is_found_in_its_own_project_only(
    ada: User, client_of: ClientOf, session: Conversation
) -> None:
    elsewhere = factories.Project.create(owner=ada)
    for project_id, session_id in (
        (elsewhere.public_id, session.public_id),
        (session.project.public_id, session.public_id[:-4] + "0000"),
        (session.project.public_id, "pre_nonsense"),
    ):
        path = f"/api/v1/projects/{project_id}/pre-session/{session_id}/messages"
        assert client_of(ada).get(path).status_code == 404


def test_an_assistant_is_no_pre_session(ada: User, talker_of: TalkerOf, talkative: Project) -> None:
    row = Conversation.objects.create(kind="assistant", project=talkative, person=ada, agent="demo")
    disguised = "pre_" + row.public_id.removeprefix("sess_")
    talker = talker_of(ada)
    assert talker.get(f"pre-session/{disguised}/messages").status_code == 404
    assert talker.post(f"pre-session/{disguised}/cancel").status_code == 404


@pytest.mark.parametrize("prompt", ["", "  ", 7, True, [], {}, "x" * 200_001, "a\x00b", "\ud800"])
def test_an_edited_prompt_must_be_words(
    ada: User, client_of: ClientOf, session: Conversation, other: Card, prompt: Any
) -> None:
    answer = client_of(ada).post(
        filled(f"{SESSION}/accept", session, other),
        json.dumps({"prompt": prompt}),
        content_type="application/json",
    )
    assert answer.status_code == 400
    assert field_of(answer) in {"prompt", None}
    session.refresh_from_db()
    assert session.status == "active"


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "since=x", "before=\x00"])
def test_a_page_must_be_possible(
    ada: User, talker_of: TalkerOf, session: Conversation, query: str
) -> None:
    answer = talker_of(ada).get(f"pre-session/{session.public_id}/messages?{query}")
    assert answer.status_code == 400


def test_only_so_much_waits_for_an_answer(ada: User, talker_of: TalkerOf) -> None:
    talker = talker_of(ada)
    for number in range(20):
        talker.tell(f"{number}")

    refused = talker.post("assistant/message", {"content": "One more"})

    assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
    assert ConversationItem.objects.count() == 20


def test_a_folder_that_is_not_there_is_told(
    ada: User, talker_of: TalkerOf, talkative: Project, deferred: Card
) -> None:
    talkative.path = "/nowhere/at/all"
    talkative.save(update_fields=["path"])
    for path, body in (
        ("pre-session", {"cardId": deferred.public_id}),
        ("assistant/message", {"content": "Hello"}),
    ):
        refused = talker_of(ada).post(path, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "REPOSITORY_NOT_READY")
    assert not Conversation.objects.exists()


def test_what_is_kept_has_an_end() -> None:
    kept = bounded({"text": "x" * 60_000, "tool": {"stdout": "short\0"}, "n": [1, "y" * 50_000]})

    assert len(kept["text"]) == 50_000
    assert kept["text"].endswith("x\n\n[…]")
    assert kept["tool"]["stdout"] == "short\ufffd"
    assert kept["n"] == [1, "y" * 50_000]
