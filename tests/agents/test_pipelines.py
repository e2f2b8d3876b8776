"""Cards in auto mode go from step to step, and wait where a person has to look."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from apps.accounts.models import Notification, User
from apps.agents import operations, tasks
from apps.agents.models import Attempt
from apps.boards import operations as board_operations
from apps.boards.models import AgentMode, Board, Card, Column
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.models import Event
from apps.dashboard import notices
from tests import factories, state_equation
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside, wait_for
from tests.people import ClientOf, actor_of

Start = Callable[..., Attempt]
Columns = dict[str, Column]


@pytest.fixture
def plan(columns: Columns) -> Column:
    """A column for planning, between the backlog and the work."""
    return factories.Column.create(
        board=columns["backlog"].board,
        name="Plan",
        column_type="active",
        agent_mode=AgentMode.PLAN,
        rank=columns["backlog"].rank + "V",
    )


@pytest.fixture
def second(columns: Columns) -> Column:
    """A second column for coding, right of the first."""
    return factories.Column.create(
        board=columns["backlog"].board,
        name="Polish",
        column_type="active",
        agent_mode=AgentMode.CODE,
        prompt="Polish it.",
        rank=columns["inProgress"].rank + "V",
    )


def follow_ends() -> None:
    """Lets the reaction to every end run, twice, as a worker and the sweep do."""
    for _ in range(2):
        for event in Event.objects.filter(kind="attempt.completed").order_by("pk"):
            tasks.follow_end(event_id=event.pk)


def fresh(card: Card) -> Card:
    return Card.objects.select_related("project", "board", "column").get(pk=card.pk)


def make_auto(card: Card, **changes: Any) -> Card:
    return board_operations.update_card(
        actor=actor_of(card.project.owner), card=card, changes={"is_auto_mode": True, **changes}
    )


def place(card: Card, column: Column) -> Card:
    """Puts a card where it starts, without anybody's starting an agent."""
    Card.objects.filter(pk=card.pk).update(column=column)
    return fresh(card)


def reasons() -> list[str]:
    ended = Event.objects.filter(kind="card.auto_mode_ended").order_by("pk")
    return [event.data["reason"] for event in ended]


def planned(make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, plan: Column) -> Card:
    """A card in auto mode whose plan waits while no process does."""
    card = make_auto(place(make_card("@exitplan First this."), plan))
    waiting = run_attempt(ada_starts(card))
    assert (waiting.status, waiting.waiting_for) == ("waiting", "plan")
    return fresh(card)


@pytest.fixture
def waiting_card(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    plan: Column,
    settings: Settings,
) -> Card:
    settings.KANBANAI_PERMISSION_WAIT_SECONDS = 0
    return planned(make_card, ada_starts, run_attempt, plan)


# --- success, one step after the other -----------------------------------------------------------


def test_the_next_step_works_on_in_the_same_worktree_and_knows_what_was_done(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, second: Column
) -> None:
    card = make_auto(make_card("@write a.txt :: a\n@say Wrote a."))
    first = run_attempt(ada_starts(card))
    follow_ends()

    after = card.attempts.get(number=2)
    assert (fresh(card).column_id, after.column_id) == (second.pk, second.pk)
    assert (after.worktree_path, after.branch) == (first.worktree_path, first.branch)
    prompt = after.turns.get().prompt
    assert prompt.startswith("Polish it.")
    assert prompt.endswith("## What the step before did\n\nWrote a.")

    run_attempt(after)
    follow_ends()
    assert Path(Attempt.objects.get(pk=after.pk).worktree_path, "a.txt").read_text() == "a\n"
    assert card.attempts.count() == 2


def test_a_column_that_is_not_of_the_cards_way_is_passed_over(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: Columns,
    second: Column,
) -> None:
    card = make_auto(make_card("@say Done."))
    board_operations.set_pipeline(
        actor=actor_of(card.project.owner),
        card=fresh(card),
        steps=[
            {"column_id": columns["inProgress"].pk},
            {"column_id": second.pk, "enabled": False},
            {"column_id": columns["done"].pk},
        ],
    )
    run_attempt(ada_starts(fresh(card)))
    follow_ends()

    done = fresh(card)
    assert (done.column_id, done.is_auto_mode) == (columns["done"].pk, False)
    assert done.completed_at is not None
    assert card.attempts.count() == 1


def test_a_skill_column_begins_with_its_skill(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, second: Column
) -> None:
    second.agent_mode, second.skill_name = AgentMode.SKILL, "tidy"
    second.save()
    card = make_auto(make_card("@say Done."))
    run_attempt(ada_starts(card))
    follow_ends()

    after = card.attempts.get(number=2)
    assert after.mode == "skill"
    assert after.turns.get().prompt.startswith("/tidy\n\nPolish it.")


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [("@crash", "failed"), ("@error 401", "failed"), ("@slow 60", "cancelled")],
)
def test_what_did_not_succeed_ends_auto_mode_and_says_so(
    make_card: MakeCard,
    ada_starts: Start,
    run_beside: RunBeside,
    columns: Columns,
    second: Column,
    prompt: str,
    reason: str,
) -> None:
    card = make_auto(make_card(prompt))
    attempt = ada_starts(card)
    beside = run_beside(attempt)
    if reason == "cancelled":
        beside.until(lambda one: one.items.count() > 1)
        operations.cancel_agent(actor=actor_of(card.project.owner), attempt=attempt)
    beside.join()
    follow_ends()

    after = fresh(card)
    assert (after.is_auto_mode, after.column_id) == (False, columns["inProgress"].pk)
    assert reasons() == [reason]


def test_the_third_visit_of_a_column_ends_auto_mode(
    make_card: MakeCard, columns: Columns, ada: User
) -> None:
    card = make_auto(make_card())
    for place_ in ("inProgress", "backlog", "inProgress", "review", "inProgress"):
        assert fresh(card).is_auto_mode
        board_operations.move_card(
            actor=actor_of(ada), card=fresh(card), column_id=columns[place_].pk
        )

    assert not fresh(card).is_auto_mode
    assert reasons() == ["visited_often"]


def test_every_end_of_auto_mode_is_told_by_events(
    board: Board, make_card: MakeCard, columns: Columns, ada: User
) -> None:
    card = make_auto(make_card())
    with state_equation.holds(board, "card.updated", "card.auto_mode_ended"):
        for _ in range(2):
            board_operations.end_auto_mode(
                actor=actor_of(ada), card=fresh(card), reason="failed", detail="It failed."
            )
    make_auto(fresh(card))
    Card.objects.filter(pk=card.pk).update(column_visits={columns["review"].public_id: 2})
    with state_equation.holds(board, "card.moved", "card.auto_mode_ended"):
        board_operations.move_card(
            actor=actor_of(ada), card=fresh(card), column_id=columns["review"].pk
        )


# --- what stands in the way ----------------------------------------------------------------------


def test_a_full_column_keeps_the_card_until_there_is_room(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: Columns,
    second: Column,
) -> None:
    second.wip_limit = 1
    second.save()
    other = factories.Card.create(column=second)
    card = make_auto(make_card("@say Done."))
    run_attempt(ada_starts(card))
    follow_ends()
    assert (fresh(card).column_id, fresh(card).is_auto_mode) == (columns["inProgress"].pk, True)
    assert card.attempts.count() == 1

    Card.objects.filter(pk=other.pk).update(column=columns["done"])
    tasks.dispatch_queue()
    tasks.dispatch_queue()

    assert fresh(card).column_id == second.pk
    assert card.attempts.count() == 2


def test_a_card_that_waits_for_another_stays(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: Columns,
    second: Column,
) -> None:
    card = make_auto(make_card("@say Done."))
    run_attempt(ada_starts(card))
    factories.CardDependency.create(card=card, depends_on=make_card(title="First"))
    follow_ends()

    assert (fresh(card).column_id, fresh(card).is_auto_mode) == (columns["inProgress"].pk, True)
    assert card.attempts.count() == 1


def test_a_deferred_card_does_not_go_on(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: Columns,
    second: Column,
) -> None:
    card = make_auto(make_card("@say Done."))
    run_attempt(ada_starts(card))
    Card.objects.filter(pk=card.pk).update(is_deferred=True)
    follow_ends()
    tasks.dispatch_queue()

    assert fresh(card).column_id == columns["inProgress"].pk
    assert card.attempts.count() == 1


def test_a_step_that_cannot_begin_ends_auto_mode(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: Columns,
    second: Column,
) -> None:
    card = make_auto(make_card("@say Done."))
    run_attempt(ada_starts(card))
    settings = card.project.settings
    settings.default_agent = "unheard-of"
    settings.save()
    follow_ends()

    assert (fresh(card).column_id, fresh(card).is_auto_mode) == (columns["inProgress"].pk, False)
    assert reasons() == ["not_started"]


# --- plans and their approval --------------------------------------------------------------------


def test_a_plan_waits_and_one_approval_takes_the_card_on(
    waiting_card: Card, ada: User, columns: Columns, client_of: ClientOf
) -> None:
    assert waiting_card.awaiting_approval
    answer = client_of(ada).post(url(waiting_card, "approve-auto"))

    assert answer.status_code == 204
    after = fresh(waiting_card)
    assert (after.awaiting_approval, after.column_id) == (False, columns["inProgress"].pk)
    assert after.summary == "First this."
    step = after.attempts.get(number=2)
    assert (step.mode, step.started_by) == ("code", ada)
    assert step.turns.get().prompt.endswith("## The approved plan\n\nFirst this.")
    follow_ends()
    assert after.attempts.count() == 2

    again = client_of(ada).post(url(waiting_card, "approve-auto"))
    assert (again.status_code, again.json()["code"]) == (409, "NOT_AWAITING_APPROVAL")


def test_the_approval_of_the_plan_counts_for_the_step(
    waiting_card: Card, ada: User, columns: Columns, client_of: ClientOf
) -> None:
    answer = client_of(ada).post(
        url(waiting_card, "agent/plan-approve"), {"approved": True, "feedback": "Mind the tests."}
    )
    assert answer.json()["data"]["status"] == "completed"
    follow_ends()

    after = fresh(waiting_card)
    assert (after.awaiting_approval, after.column_id) == (False, columns["inProgress"].pk)
    prompt = after.attempts.get(number=2).turns.get().prompt
    assert prompt.endswith("First this.\n\n## A note on its approval\n\nMind the tests.")
    assert after.attempts.count() == 2


def test_a_refused_plan_is_made_again_and_waits_again(
    waiting_card: Card, ada: User, plan: Column, client_of: ClientOf, run_attempt: RunAttempt
) -> None:
    attempt = waiting_card.attempts.get()
    client_of(ada).post(
        url(waiting_card, "agent/plan-approve"),
        {"approved": False, "feedback": "@exitplan Better."},
    )
    assert not fresh(waiting_card).awaiting_approval
    refused = client_of(ada).post(url(waiting_card, "approve-auto"))
    assert refused.json()["code"] == "NOT_AWAITING_APPROVAL"

    run_attempt(attempt)

    after = fresh(waiting_card)
    assert (after.awaiting_approval, after.column_id) == (True, plan.pk)
    assert after.attempts.get().approvals.get(status="pending").request["text"] == "Better."


def test_a_plan_whose_process_still_waits_is_approved_as_well(
    make_card: MakeCard,
    ada_starts: Start,
    run_beside: RunBeside,
    plan: Column,
    columns: Columns,
) -> None:
    card = make_auto(place(make_card("@exitplan First this."), plan))
    beside = run_beside(ada_starts(card))
    beside.until(lambda one: one.status == "waiting")
    assert fresh(card).awaiting_approval

    operations.approve_auto(actor=actor_of(card.project.owner), card=fresh(card))
    assert beside.join().status == "succeeded"
    follow_ends()

    assert fresh(card).column_id == columns["inProgress"].pk
    assert card.attempts.count() == 2


def test_full_auto_waits_for_nobody(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    plan: Column,
    columns: Columns,
) -> None:
    card = make_auto(place(make_card("@exitplan First this."), plan), skip_approval=True)
    ended = run_attempt(ada_starts(card))
    assert ended.status == "succeeded"
    follow_ends()

    assert fresh(card).column_id == columns["inProgress"].pk
    assert (card.attempts.count(), fresh(card).awaiting_approval) == (2, False)


def test_columns_that_plan_can_be_passed_over(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    second: Column,
    columns: Columns,
) -> None:
    second.agent_mode = AgentMode.PLAN
    second.save()
    card = make_auto(make_card("@say Done."), skip_plan_columns=True)
    run_attempt(ada_starts(card))
    follow_ends()

    assert fresh(card).column_id == columns["review"].pk


def test_an_approval_after_auto_mode_was_switched_off_moves_one_step(
    waiting_card: Card,
    ada: User,
    columns: Columns,
    client_of: ClientOf,
    run_attempt: RunAttempt,
    second: Column,
) -> None:
    Card.objects.filter(pk=waiting_card.pk).update(is_auto_mode=False)
    assert client_of(ada).post(url(waiting_card, "approve-auto")).status_code == 204
    assert fresh(waiting_card).column_id == columns["inProgress"].pk

    step = waiting_card.attempts.get(number=2)
    step.turns.update(prompt="@say Done.")
    run_attempt(step)
    follow_ends()
    assert waiting_card.attempts.count() == 2
    assert fresh(waiting_card).column_id == columns["review"].pk


def test_whoever_was_faster_moved_the_card_and_nothing_is_approved(
    waiting_card: Card, ada: User, columns: Columns
) -> None:
    board_operations.move_card(
        actor=actor_of(ada), card=waiting_card, column_id=columns["backlog"].pk
    )
    with pytest.raises(problems.Conflict) as refused:
        operations.approve_auto(actor=actor_of(ada), card=waiting_card)

    assert refused.value.code == "NOT_AWAITING_APPROVAL"
    assert waiting_card.attempts.get().status == "waiting"


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Calls at the same time; what each gave or raised."""
    found: list[object] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(number: int) -> None:
        start.wait()
        try:
            found[number] = calls[number]()
        except problems.Problem as problem:
            found[number] = problem.code
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_two_approvals_at_once_are_one_step(waiting_card: Card, ada: User) -> None:
    def approve() -> None:
        operations.approve_auto(actor=actor_of(ada), card=fresh(waiting_card))

    answers = at_once(approve, approve, approve)

    assert sorted(str(one) for one in answers) == ["NOT_AWAITING_APPROVAL"] * 2 + ["None"]
    assert waiting_card.attempts.count() == 2


# --- the switch ----------------------------------------------------------------------------------


def url(card: Card, rest: str) -> str:
    project = ids.encode("proj", card.project_id)
    return f"/api/v1/projects/{project}/cards/{card.public_id}/{rest}"


def test_switched_on_in_the_backlog_nothing_starts(
    make_card: MakeCard, ada: User, client_of: ClientOf, transactional_db: None
) -> None:
    card = make_card()
    answer = client_of(ada).patch(url(card, "auto-mode"), {"enabled": True, "skipApproval": True})

    shown = answer.json()["data"]
    assert (shown["isAutoMode"], shown["skipApproval"]) == (True, True)
    assert (shown["skipPlanColumns"], shown["awaitingApproval"]) == (False, False)
    assert not card.attempts.exists()


def test_switched_on_after_a_success_the_card_goes_on_at_once(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_attempt: RunAttempt,
    client_of: ClientOf,
    columns: Columns,
    second: Column,
) -> None:
    card = make_card("@say Done.")
    run_attempt(ada_starts(card))
    place(card, columns["inProgress"])
    answer = client_of(ada).patch(url(card, "auto-mode"), {"enabled": True})

    assert answer.json()["data"]["columnId"] == second.public_id
    assert card.attempts.count() == 2


def test_switched_on_while_a_plan_waits_it_waits_for_the_step(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_attempt: RunAttempt,
    client_of: ClientOf,
    plan: Column,
    settings: Settings,
) -> None:
    settings.KANBANAI_PERMISSION_WAIT_SECONDS = 0
    card = place(make_card("@exitplan First this."), plan)
    run_attempt(ada_starts(card))
    assert not fresh(card).awaiting_approval

    answer = client_of(ada).patch(url(card, "auto-mode"), {"enabled": True})

    assert answer.json()["data"]["awaitingApproval"] is True
    assert fresh(card).column_id == plan.pk


def test_switched_off_nothing_waits_and_the_plan_stays(
    waiting_card: Card, ada: User, client_of: ClientOf
) -> None:
    answer = client_of(ada).patch(url(waiting_card, "auto-mode"), {"enabled": False})

    shown = answer.json()["data"]
    assert (shown["isAutoMode"], shown["awaitingApproval"]) == (False, False)
    assert waiting_card.attempts.get().status == "waiting"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"enabled": None},
        {"enabled": "yes"},
        {"enabled": 1},
        {"enabled": True, "skipApproval": "no"},
        {"enabled": True, "skipPlanColumns": None},
        [],
    ],
)
def test_what_is_no_switch_is_refused(
    make_card: MakeCard, ada: User, client_of: ClientOf, body: Any, transactional_db: None
) -> None:
    card = make_card()
    answer = client_of(ada).patch(url(card, "auto-mode"), body)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert not Event.objects.exists()


# --- deferred, completed, archived ---------------------------------------------------------------


def test_a_deferred_card_in_the_backlog_begins_at_its_first_step(
    make_card: MakeCard, ada: User, client_of: ClientOf, plan: Column, transactional_db: None
) -> None:
    card = make_card()
    Card.objects.filter(pk=card.pk).update(is_deferred=True)
    assert client_of(ada).post(url(card, "activate")).status_code == 204

    after = fresh(card)
    assert (after.is_deferred, after.column_id) == (False, plan.pk)
    assert after.attempts.get().mode == "plan"
    again = client_of(ada).post(url(card, "activate"))
    assert (again.status_code, again.json()["code"]) == (409, "NOT_DEFERRED")


def test_what_refuses_the_agent_refuses_the_activation(
    make_card: MakeCard, ada: User, client_of: ClientOf, transactional_db: None
) -> None:
    card = make_card()
    Card.objects.filter(pk=card.pk).update(is_deferred=True)
    factories.CardDependency.create(card=card, depends_on=make_card(title="First"))
    answer = client_of(ada).post(url(card, "activate"))

    assert (answer.status_code, answer.json()["code"]) == (409, "CARD_BLOCKED")
    assert fresh(card).is_deferred
    assert fresh(card).column.key == "backlog"


def test_completing_a_card_stops_its_agent_and_clears_what_waited(
    waiting_card: Card, ada: User, client_of: ClientOf, columns: Columns
) -> None:
    for _ in range(2):
        assert client_of(ada).post(url(waiting_card, "complete")).status_code == 204

    after = fresh(waiting_card)
    assert (after.column_id, after.is_auto_mode) == (columns["done"].pk, False)
    assert (after.awaiting_approval, after.attempts.get().status) == (False, "stopped")
    assert after.attempts.get().worktree_path != ""


def archive(card: Card, ada: User, columns: Columns) -> Attempt:
    """Moves a card to the archive and lets the reaction run."""
    column = factories.Column.create(
        board=columns["done"].board, column_type="archive", rank=columns["done"].rank + "V"
    )
    board_operations.move_card(actor=actor_of(ada), card=fresh(card), column_id=column.pk)
    moved = Event.objects.filter(kind="card.moved").latest("pk")
    tasks.follow_card(event_id=moved.pk)
    return card.attempts.get()


def test_an_archived_card_keeps_no_clean_worktree(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, columns: Columns
) -> None:
    card = make_card("@say Done.")
    folder = Path(run_attempt(ada_starts(card)).worktree_path)
    assert folder.is_dir()

    assert archive(card, ada, columns).worktree_path == ""
    assert not folder.exists()


def test_an_archived_card_keeps_what_is_nowhere_else(
    make_card: MakeCard, ada: User, ada_starts: Start, run_attempt: RunAttempt, columns: Columns
) -> None:
    card = make_card("@write a.txt :: a")
    folder = Path(run_attempt(ada_starts(card)).worktree_path)

    assert archive(card, ada, columns).worktree_path == str(folder)
    assert (folder / "a.txt").read_text() == "a\n"


def test_a_card_dragged_between_steps_stops_one_agent_before_the_other_begins(
    make_card: MakeCard,
    ada: User,
    ada_starts: Start,
    run_beside: RunBeside,
    second: Column,
) -> None:
    card = make_card("@write a.txt :: a\n@slow 60")
    beside = run_beside(ada_starts(card))
    beside.until(lambda one: one.items.count() > 2)
    board_operations.move_card(actor=actor_of(ada), card=fresh(card), column_id=second.pk)
    moved = Event.objects.filter(kind="card.moved").latest("pk")
    tasks.follow_card(event_id=moved.pk)
    tasks.follow_card(event_id=moved.pk)

    first = beside.join()
    assert first.status == "stopped"
    follow_ends()
    after = wait_for(card.attempts.get(number=2), lambda one: one.status == "queued")
    assert (after.column_id, after.worktree_path != "") == (second.pk, True)
    assert card.attempts.count() == 2


def test_a_cancel_waits_for_the_agent_to_be_gone(
    make_card: MakeCard, ada: User, ada_starts: Start, run_beside: RunBeside, client_of: ClientOf
) -> None:
    card = make_card("@slow 60")
    beside = run_beside(ada_starts(card))
    beside.until(lambda one: one.items.count() > 1)

    for _ in range(2):
        assert client_of(ada).post(url(card, "agent/cancel")).status_code == 204
        assert client_of(ada).get(url(card, "agent")).json()["data"]["status"] == "cancelled"
    beside.join()


# --- the way itself ------------------------------------------------------------------------------


def test_a_deleted_column_is_a_step_of_no_card(
    make_card: MakeCard, ada: User, second: Column, columns: Columns
) -> None:
    card = make_card()
    board_operations.set_pipeline(
        actor=actor_of(ada),
        card=card,
        steps=[{"column_id": second.pk}, {"column_id": columns["done"].pk}],
    )
    board_operations.delete_column(actor=actor_of(ada), column=second)

    assert [step["columnId"] for step in fresh(card).pipeline] == [columns["done"].public_id]


def test_a_card_on_another_board_has_that_boards_way(
    make_card: MakeCard, ada: User, columns: Columns, project: Any
) -> None:
    other = factories.BoardWithColumns.create(project=project, name="Other")
    card = make_card()
    board_operations.set_pipeline(
        actor=actor_of(ada), card=card, steps=[{"column_id": columns["done"].pk}]
    )
    target = other.columns.get(key="backlog")
    board_operations.move_card(actor=actor_of(ada), card=fresh(card), column_id=target.pk)

    assert fresh(card).pipeline == []


def test_people_hear_that_a_card_goes_on_no_longer(make_card: MakeCard, ada: User) -> None:
    card = make_auto(make_card())
    Card.objects.filter(pk=card.pk).update(created_by=ada)
    for reason in ("failed", "visited_often"):
        make_auto(fresh(card))
        board_operations.end_auto_mode(
            actor=Actor.system("pipeline"), card=fresh(card), reason=reason, detail="So it is."
        )
    for event in Event.objects.filter(kind="card.auto_mode_ended"):
        notices.tell(event)

    told = Notification.objects.get(user=ada)
    assert (told.event, told.body) == ("agentFailed", "So it is.")
    assert told.title == f"{card.key} goes on by itself no longer: Note"
