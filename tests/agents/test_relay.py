"""A session whose context is full hands over to a fresh one; a summary tells what it did."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from apps.accounts.models import ServerSettings, User
from apps.agents import operations, tasks
from apps.agents.models import Attempt
from apps.agents.runner import asides
from apps.boards.models import Card, Column
from apps.core import ids, problems
from apps.core.models import Event
from tests import factories
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside
from tests.people import ClientOf, actor_of

Start = Callable[..., Attempt]


def set_relay(mode: str, threshold: int = 80) -> None:
    ServerSettings.objects.update_or_create(
        pk=1, defaults={"relay_mode": mode, "relay_threshold": threshold}
    )


def url(card: Card, rest: str) -> str:
    project = ids.encode("proj", card.project_id)
    return f"/api/v1/projects/{project}/cards/{card.public_id}/{rest}"


def follow_ends() -> None:
    """Lets the reaction to every end run, twice, as a worker and the sweep do."""
    for _ in range(2):
        for event in Event.objects.filter(kind="attempt.completed").order_by("pk"):
            tasks.follow_end(event_id=event.pk)


# --- what the agent reports ----------------------------------------------------------------------


def test_the_context_is_what_the_agent_reports_and_rises(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, client_of: ClientOf
) -> None:
    card = make_card("@context 35\n@say One.")
    attempt = run_attempt(ada_starts(card))
    sessions = client_of(ada).get(url(card, "agent/sessions")).json()["data"]
    assert [one["contextUsage"] for one in sessions] == [35]

    operations.send_message(actor=actor_of(ada), attempt=attempt, text="@context 62\n@say Two.")
    run_attempt(attempt)
    sessions = client_of(ada).get(url(card, "agent/sessions")).json()["data"]
    assert [one["contextUsage"] for one in sessions] == [62]


@pytest.mark.parametrize(("mode", "told"), [("off", 0), ("manual", 1)])
def test_people_hear_once_that_the_context_is_nearly_full(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, mode: str, told: int
) -> None:
    set_relay(mode, 60)
    attempt = run_attempt(
        ada_starts(make_card("@context 59\n@context 60\n@context 70\n@say Done."))
    )
    follow_ends()

    events = list(Event.objects.filter(kind="attempt.context_filled"))
    assert len(events) == told
    assert [event.data["contextUsage"] >= 60 for event in events] == [True] * told
    assert [(e.data["threshold"], e.data["mode"]) for e in events] == [(60, "manual")] * told
    assert attempt.card.attempts.count() == 1


# --- relay by hand -------------------------------------------------------------------------------


def test_a_relay_gets_a_handoff_from_the_session_before(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, client_of: ClientOf
) -> None:
    card = make_card("@write a.txt :: a\n@say Wrote the file.", title="Engine")
    before = run_attempt(ada_starts(card))
    assert client_of(ada).post(url(card, "agent/relay")).status_code == 204

    after = card.attempts.get(number=2)
    assert (after.relayed_from_id, after.started_by) == (before.pk, ada)
    stored = after.turns.get().prompt
    assert stored.startswith("# Engine\n\n@write a.txt :: a")
    assert "### Goal" in stored
    assert "- a.txt" in stored

    ended = run_attempt(after)

    assert ended.status == "succeeded"
    assert (ended.worktree_path, ended.branch) == (before.worktree_path, before.branch)
    assert ended.session_id not in {"", before.session_id}
    prompt = ended.items.get(turn_number=1, data__role="user").data["text"]
    own, handoff = prompt.split("\n\n## Hand-off from the session before this one\n\n")
    assert own.startswith("# Engine")
    assert handoff.startswith("## Goal\n\nEngine\n\n## Done\n\n- Wrote the file.")
    assert "## Changed files" in handoff
    before.refresh_from_db()
    assert (before.status, before.turns.count()) == ("succeeded", 1)


def test_a_session_that_is_gone_is_handed_over_from_what_is_stored(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_attempt: RunAttempt,
) -> None:
    card = make_card("@write a.txt :: a\n@say Wrote the file.")
    before = run_attempt(ada_starts(card))
    Attempt.objects.filter(pk=before.pk).update(session_id="demo-lost")
    before.refresh_from_db()

    after = run_attempt(operations.relay_attempt(actor=actor_of(ada), attempt=before))

    prompt = after.items.get(turn_number=1, data__role="user").data["text"]
    assert "### Done\n\nIt said: Wrote the file." in prompt
    assert after.status == "succeeded"


def test_an_agent_at_work_is_stopped_before_the_relay(
    make_card: MakeCard, ada: User, ada_starts: Start, run_beside: RunBeside
) -> None:
    card = make_card("@write a.txt :: a\n@slow 60")
    attempt = ada_starts(card)
    beside = run_beside(attempt)
    beside.until(lambda one: one.session_id != "" and one.items.count() > 2)
    operations.relay_attempt(actor=actor_of(ada), attempt=Attempt.objects.get(pk=attempt.pk))
    assert beside.join().status == "stopped"
    follow_ends()

    after = card.attempts.get(number=2)
    assert (after.status, after.relayed_from_id) == ("queued", attempt.pk)


def test_two_relays_at_once_are_one(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    card = make_card()
    before = run_attempt(ada_starts(card))
    answers: list[str] = []
    start = threading.Barrier(3)

    def relay() -> None:
        start.wait()
        try:
            operations.relay_attempt(actor=actor_of(ada), attempt=before)
            answers.append("done")
        except problems.Problem as problem:
            answers.append(problem.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=relay) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["CONFLICT", "CONFLICT", "done"]
    assert card.attempts.count() == 2


def test_without_a_session_there_is_nothing_to_relay(
    make_card: MakeCard, ada: User, ada_starts: Start, client_of: ClientOf
) -> None:
    card = make_card()
    assert client_of(ada).post(url(card, "agent/relay")).status_code == 409
    ada_starts(card)
    assert client_of(ada).post(url(card, "agent/relay")).status_code == 409
    assert card.attempts.get().status == "queued"


def test_where_relays_are_off_there_is_none(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, client_of: ClientOf
) -> None:
    card = make_card("@context 99\n@say Done.")
    run_attempt(ada_starts(card))
    set_relay("off")

    answer = client_of(ada).post(url(card, "agent/relay"))

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert card.attempts.count() == 1


def test_a_refused_relay_costs_no_agent_its_work(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_beside: RunBeside,
    columns: dict[str, Column],
) -> None:
    card = make_card("@slow 60")
    attempt = ada_starts(card)
    beside = run_beside(attempt)
    beside.until(lambda one: one.session_id != "")
    factories.CardDependency.create(card=card, depends_on=make_card(title="First"))

    with pytest.raises(problems.Conflict) as refused:
        operations.relay_attempt(actor=actor_of(ada), attempt=Attempt.objects.get(pk=attempt.pk))

    assert refused.value.code == "CARD_BLOCKED"
    assert Attempt.objects.get(pk=attempt.pk).status == "running"
    operations.stop_attempt(actor=actor_of(ada), attempt=attempt)
    beside.join()


# --- relay by itself -----------------------------------------------------------------------------


def test_in_auto_a_full_session_relays_by_itself(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: dict[str, Column],
) -> None:
    set_relay("auto", 70)
    card = make_card("@context 70\n@say Wrote it.")
    before = run_attempt(ada_starts(card))
    assert Card.objects.get(pk=card.pk).column_id == columns["inProgress"].pk
    follow_ends()

    after = card.attempts.get(number=2)
    assert (after.relayed_from_id, after.started_by, after.relays_by_itself) == (before.pk, ada, 1)
    assert Event.objects.filter(kind="attempt.context_filled").count() == 1


def test_in_auto_a_session_below_the_threshold_stays(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    set_relay("auto", 70)
    card = make_card("@context 69\n@say Done.")
    run_attempt(ada_starts(card))
    follow_ends()

    assert card.attempts.count() == 1


def test_in_auto_what_people_said_meanwhile_goes_to_the_fresh_session(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    set_relay("auto", 70)
    card = make_card("@context 90\n@say Done.")
    attempt = ada_starts(card)
    operations.send_message(actor=actor_of(ada), attempt=attempt, text="@say And this.")
    before = run_attempt(attempt)
    assert before.status == "succeeded"
    follow_ends()

    after = card.attempts.get(number=2)
    assert list(after.turns.order_by("number").values_list("number", "prompt"))[1:] == [
        (2, "@say And this.")
    ]
    assert list(before.turns.order_by("number").values_list("status", flat=True)) == [
        "done",
        "cancelled",
    ]


def test_a_session_that_fills_up_again_and_again_is_left_to_people(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    set_relay("auto", 70)
    card = make_card("@context 90\n@say Done.")
    attempt = ada_starts(card)
    Attempt.objects.filter(pk=attempt.pk).update(relays_by_itself=5)
    run_attempt(attempt)
    follow_ends()

    assert card.attempts.count() == 1


# --- summaries -----------------------------------------------------------------------------------


def test_without_a_worker_the_summary_is_the_last_thing_said(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, client_of: ClientOf
) -> None:
    card = make_card("@say Wrote the engine.")
    run_attempt(ada_starts(card))
    answer = client_of(ada).post(url(card, "summary"))

    assert (answer.status_code, answer.json()["data"]) == (200, {"summary": "Wrote the engine."})
    assert client_of(ada).get(url(card, "")[:-1]).json()["data"]["summary"] == "Wrote the engine."


def test_the_agent_itself_summarizes_without_a_turn_or_a_change(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_attempt: RunAttempt,
    client_of: ClientOf,
    settings: Settings,
) -> None:
    settings.KANBANAI_SUMMARY_WAIT_SECONDS = 30
    card = make_card("@write a.txt :: a\n@say Wrote it.", title="Engine")
    attempt = run_attempt(ada_starts(card))
    spent = attempt.output_tokens
    worker = threading.Thread(target=answer_summary, daemon=True)
    worker.start()

    answer = client_of(ada).post(url(card, "summary"))

    worker.join(30)
    written = "In 1 prompt this session was about “Engine”. It ended with: Wrote it."
    assert answer.json()["data"] == {"summary": written}
    attempt.refresh_from_db()
    assert (attempt.status, attempt.turns.count(), attempt.epoch) == ("succeeded", 1, 1)
    assert attempt.output_tokens > spent
    assert Card.objects.get(pk=card.pk).summary == written
    assert Path(attempt.worktree_path, "a.txt").read_text() == "a\n"
    updated = Event.objects.filter(kind="card.updated").latest("pk")
    assert updated.data["changes"] == ["summary"]


def answer_summary() -> None:
    """Does what a worker does as soon as somebody waits for a summary."""
    try:
        deadline = time.monotonic() + 20
        asked = Event.objects.filter(kind="attempt.summary_asked")
        while (found := asked.first()) is None:
            assert time.monotonic() < deadline, "nobody asked"
            time.sleep(0.02)
        asyncio.run(asides.summarize(ids.decode("sess", found.data["attemptId"])))
    finally:
        connections.close_all()


def test_who_asks_while_it_is_written_waits_for_the_same_summary(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, client_of: ClientOf
) -> None:
    card = make_card()
    run_attempt(ada_starts(card))
    for _ in range(3):
        assert client_of(ada).post(url(card, "summary")).status_code == 200

    assert Event.objects.filter(kind="attempt.summary_asked").count() == 1


def test_without_a_session_there_is_nothing_to_summarize(
    make_card: MakeCard, ada: User, ada_starts: Start, client_of: ClientOf
) -> None:
    card = make_card()
    assert client_of(ada).post(url(card, "summary")).status_code == 409
    ada_starts(card)
    assert client_of(ada).post(url(card, "summary")).status_code == 409


def test_the_summary_of_a_plan_leaves_the_plan(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, columns: dict[str, Column]
) -> None:
    card = make_card("@say Done.")
    attempt = run_attempt(ada_starts(card))
    Attempt.objects.filter(pk=attempt.pk).update(mode="plan", summary="The plan.")

    asyncio.run(asides.summarize(attempt.pk))

    attempt.refresh_from_db()
    assert attempt.summary == "The plan."
    assert Card.objects.get(pk=card.pk).summary.startswith("In 1 prompt this session")
