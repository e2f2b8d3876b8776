"""What agents ask: answered while the process waits, or long after it has gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from apps.agents import operations
from apps.agents.models import Approval, Attempt
from apps.boards.models import AgentMode, Column
from apps.core import problems
from apps.core.models import Event
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside
from tests.people import actor_of

Start = Callable[..., Attempt]


def answer(approval: Approval, decision: str, **values: Any) -> Approval:
    attempt = Attempt.objects.select_related("project__owner").get(pk=approval.attempt_id)
    return operations.answer_approval(
        actor=actor_of(attempt.project.owner),
        approval=approval,
        decision=decision,
        **values,
    )


def test_an_allowed_command_runs_in_the_process_that_asked(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@run echo hi > out.txt"))
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")
    assert (waiting.waiting_for, waiting.lease_owner != "") == ("permission", True)
    asked = waiting.approvals.get()
    assert (asked.kind, asked.request["command"]) == ("permission", "echo hi > out.txt")

    answer(asked, "allow_once")
    ended = beside.join()

    assert (ended.status, ended.epoch) == ("succeeded", 1)
    assert Path(ended.worktree_path, "out.txt").read_text() == "hi\n"
    statuses = [
        event.data["state"]
        for event in Event.objects.filter(kind="attempt.status_changed").order_by("pk")
    ]
    assert [one for one in statuses if one != "running"] == ["waiting", "succeeded"]


def test_a_refused_command_does_not_run(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@run echo hi > out.txt\n@say Then not."))
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")

    answer(waiting.approvals.get(), "deny")
    ended = beside.join()

    assert not Path(ended.worktree_path, "out.txt").exists()
    assert ended.approvals.get().decision == "deny"


def test_what_is_always_allowed_is_not_asked_again(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@run echo one\n@run echo two"))
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")

    answer(waiting.approvals.get(), "allow_always")
    ended = beside.join()

    assert (ended.status, ended.approvals.count()) == ("succeeded", 1)
    assert ended.remembered_permissions == ["execute:echo"]


def test_the_same_answer_twice_is_one_and_another_is_refused(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@run echo one"))
    beside = run_beside(attempt)
    asked = beside.until(lambda one: one.status == "waiting").approvals.get()
    answer(asked, "allow_once")
    answer(asked, "allow_once")

    with pytest.raises(problems.Conflict) as refused:
        answer(asked, "deny")

    assert refused.value.code == "NOT_AWAITING_APPROVAL"
    assert beside.join().status == "succeeded"
    assert Event.objects.filter(kind="attempt.approval_answered").count() == 1


def test_an_answer_after_the_process_has_gone_continues_the_session(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, settings: Settings
) -> None:
    settings.KANBANAI_PERMISSION_WAIT_SECONDS = 0
    waiting = run_attempt(ada_starts(make_card("@run echo hi > out.txt")))
    assert (waiting.status, waiting.waiting_for) == ("waiting", "permission")
    assert (waiting.lease_owner, waiting.dispatched_at) == ("", None)
    session = waiting.session_id

    answer(waiting.approvals.get(), "allow_once", feedback="@say It was allowed.")
    waiting.refresh_from_db()
    assert waiting.status == "queued"
    ended = run_attempt(waiting)

    assert (ended.status, ended.session_id, ended.summary) == (
        "succeeded",
        session,
        "It was allowed.",
    )
    note = ended.items.get(turn_number=2, data__role="system")
    assert note.data["text"].startswith("Your request “")


def test_a_question_is_answered_in_words(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@ask Which colour?"))
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")
    asked = waiting.approvals.get()
    assert (waiting.waiting_for, asked.title) == ("question", "Which colour?")

    name = next(iter(asked.request["schema"]["properties"]))
    answer(asked, "allow_once", answer={name: "blue"})
    ended = beside.join()

    assert ended.status == "succeeded"
    assert "blue" in ended.summary


def test_a_plan_ends_a_planning_step_well_and_is_kept(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, columns: dict[str, Column]
) -> None:
    columns["inProgress"].agent_mode = AgentMode.PLAN
    columns["inProgress"].save()
    card = make_card("@exitplan First this, then that.")
    attempt = ada_starts(card)
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")
    assert waiting.waiting_for == "plan"
    assert Event.objects.get(kind="attempt.plan_proposed").data["plan"] == (
        "First this, then that."
    )

    operations.approve_plan(actor=actor_of(attempt.project.owner), attempt=waiting, approved=True)
    ended = beside.join()

    assert (ended.status, ended.summary) == ("succeeded", "First this, then that.")
    card.refresh_from_db()
    assert card.summary == "First this, then that."


def test_a_message_revises_the_plan_that_waits(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, columns: dict[str, Column]
) -> None:
    columns["inProgress"].agent_mode = AgentMode.PLAN
    columns["inProgress"].save()
    attempt = ada_starts(make_card("@exitplan First."))
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")

    operations.send_message(
        actor=actor_of(attempt.project.owner),
        attempt=waiting,
        text="@exitplan Better.",
    )
    beside.until(lambda one: one.status == "waiting" and one.approvals.count() == 2)
    second = attempt.approvals.get(status="pending")
    assert second.request["text"] == "Better."
    answer(second, "allow_once")
    ended = beside.join()

    assert (ended.status, ended.summary) == ("succeeded", "Better.")


def test_without_a_plan_that_waits_there_is_nothing_to_approve(
    make_card: MakeCard, ada_starts: Start
) -> None:
    attempt = ada_starts(make_card())
    with pytest.raises(problems.Conflict) as refused:
        operations.approve_plan(
            actor=actor_of(attempt.project.owner),
            attempt=attempt,
            approved=True,
        )
    assert refused.value.code == "NO_PENDING_PLAN"
