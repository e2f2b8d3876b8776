"""Stopping works at every stage, ends as stopped, and leaves nothing running."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.agents import operations, processes
from apps.agents.models import Attempt
from apps.agents.operations import successions
from apps.boards.models import Card, Column
from apps.core.actors import Actor
from apps.core.models import Event
from apps.projects.models import Project, ProjectSettings
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside
from tests.people import actor_of

Start = Callable[..., Attempt]


def stop(attempt: Attempt) -> Attempt:
    return operations.stop_attempt(actor=actor_of(attempt.project.owner), attempt=attempt)


def assert_stopped(attempt: Attempt) -> None:
    attempt.refresh_from_db()
    assert (attempt.status, attempt.reason, attempt.lease_owner) == ("stopped", "", "")
    assert not attempt.turns.exclude(status__in=["done", "cancelled"]).exists()
    assert not attempt.approvals.filter(status="pending").exists()
    assert attempt.public_id not in processes.find_marked()


def test_one_in_line_is_stopped_at_once(make_card: MakeCard, ada_starts: Start) -> None:
    attempt = ada_starts(make_card())

    stop(attempt)

    assert_stopped(attempt)


def test_one_that_was_let_in_does_not_start_any_more(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    attempt = ada_starts(make_card())
    stop(attempt)

    run_attempt(attempt)

    assert_stopped(attempt)
    assert attempt.epoch == 0
    assert not attempt.items.exists()


def test_a_setup_script_is_ended(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, real_project: Project
) -> None:
    ProjectSettings.objects.filter(project=real_project).update(
        setup_script="sleep 300 & sleep 300"
    )
    attempt = ada_starts(make_card())
    beside = run_beside(attempt)
    beside.until(lambda one: one.items.filter(type="automation").exists())

    stop(attempt)
    beside.join()

    assert_stopped(attempt)
    setup = attempt.items.get(type="automation").data
    assert (setup["status"], setup["exitCode"]) == ("failed", None)


@pytest.mark.parametrize("prompt", ["@slow 60", "@run sleep 300", "@hang", "@ignore-term\n@hang"])
def test_an_agent_at_work_is_ended(
    make_card: MakeCard,
    ada_starts: Start,
    run_beside: RunBeside,
    columns: dict[str, Column],
    prompt: str,
) -> None:
    card = make_card(prompt)
    attempt = ada_starts(card)
    beside = run_beside(attempt)
    beside.until(lambda one: one.session_id != "" and one.status != "queued")

    stop(attempt)
    stop(attempt)
    beside.join()

    assert_stopped(attempt)
    assert Card.objects.get(pk=card.pk).column_id == columns["inProgress"].pk
    ends = Event.objects.filter(kind="attempt.completed", data__attemptId=attempt.public_id)
    assert ends.count() == 1


def test_one_that_waits_for_a_person_is_ended(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@run git status"))
    beside = run_beside(attempt)
    beside.until(lambda one: one.status == "waiting")

    stop(attempt)
    beside.join()

    assert_stopped(attempt)
    assert attempt.approvals.get().status == "withdrawn"


def test_a_follow_up_is_ended_as_stopped_too(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, run_beside: RunBeside
) -> None:
    attempt = run_attempt(ada_starts(make_card("@say One.")))
    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text="@slow 60")
    beside = run_beside(attempt)
    beside.until(lambda one: one.items.filter(turn_number=2).count() > 1)

    stop(attempt)
    beside.join()

    assert_stopped(attempt)


def test_what_is_over_stays_as_it_ended(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    ended = run_attempt(ada_starts(make_card()))

    stop(ended)

    ended.refresh_from_db()
    assert ended.status == "succeeded"


def test_messages_in_line_are_dropped_with_a_stop(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@slow 60"))
    beside = run_beside(attempt)
    beside.until(lambda one: one.items.count() > 1)
    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text="@say No.")

    stop(attempt)
    beside.join()

    assert_stopped(attempt)
    assert list(attempt.turns.order_by("number").values_list("status", flat=True)) == [
        "done",
        "cancelled",
    ]


def test_a_stopped_attempt_can_go_on(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, run_attempt: RunAttempt
) -> None:
    attempt = ada_starts(make_card("@write a.txt :: a\n@slow 60"))
    beside = run_beside(attempt)
    beside.until(lambda one: one.items.count() > 2)
    stop(attempt)
    beside.join()

    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text="@say On.")
    again = run_attempt(attempt)

    assert (again.status, again.summary, again.files_changed) == ("succeeded", "On.", 1)


def test_a_relaunch_waits_for_the_end_and_takes_the_worktree(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, system: Actor
) -> None:
    card = make_card("@write a.txt :: a\n@slow 60")
    attempt = ada_starts(card)
    beside = run_beside(attempt)
    beside.until(lambda one: one.items.count() > 2)
    worktree = Attempt.objects.get(pk=attempt.pk).worktree_path

    operations.relaunch_attempt(actor=actor_of(attempt.project.owner), attempt=attempt)
    beside.join()
    successions.follow(actor=system, attempt=attempt)

    new = card.attempts.get(number=2)
    assert (new.status, new.worktree_path, new.session_id) == ("queued", worktree, "")
    assert new.started_by == attempt.started_by
    assert_stopped(attempt)
    assert attempt.worktree_path == ""
