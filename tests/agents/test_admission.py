"""Who starts, who waits, who is refused; however many ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.agents import operations
from apps.agents.models import Attempt
from apps.agents.operations import admission
from apps.agents.states import Status
from apps.boards.models import Card, Column, Priority
from apps.core import problems
from apps.core.actors import Actor
from apps.core.models import Event
from apps.projects.models import Project
from tests import factories
from tests.agents.conftest import MakeCard, RunAttempt
from tests.people import actor_of

Start = Callable[..., Attempt]


def let_in() -> set[str]:
    """The cards whose attempts hold a slot."""
    rows = Attempt.objects.filter(dispatched_at__isnull=False).select_related("card")
    return {row.card.title for row in rows}


def end(attempt: Attempt, to: Status = Status.STOPPED) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(status=to, dispatched_at=None, lease_owner="")


def test_twenty_who_ask_at_once_get_the_slots_there_are(
    make_card: MakeCard, ada: User, settings: Settings, transactional_db: None
) -> None:
    settings.KANBANAI_AGENT_SLOTS = 3
    cards = [make_card(title=f"Card {number}") for number in range(20)]
    together = threading.Barrier(20)

    def start(card: Card) -> None:
        try:
            together.wait()
            operations.start_attempt(actor=actor_of(ada), card=card, agent="demo")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(start, cards))

    assert Attempt.objects.count() == 20
    assert len(let_in()) == 3
    waiting = Attempt.objects.filter(dispatched_at__isnull=True)
    assert set(waiting.values_list("detail", flat=True)) == {admission.SERVER_FULL}


def test_one_card_started_twenty_times_at_once_has_one_attempt(
    make_card: MakeCard, ada: User, transactional_db: None
) -> None:
    card = make_card()
    together = threading.Barrier(20)

    def start(_: int) -> str:
        try:
            together.wait()
            operations.start_attempt(actor=actor_of(ada), card=card, agent="demo")
        except problems.Conflict as problem:
            return problem.code
        finally:
            connection.close()
        return "started"

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(start, range(20)))

    assert answers == ["AGENT_RUNNING"] * 19 + ["started"]
    assert card.attempts.count() == 1


def test_those_who_end_let_the_next_in(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, settings: Settings
) -> None:
    settings.KANBANAI_AGENT_SLOTS = 1
    first = ada_starts(make_card("@say One.", title="One"))
    second = ada_starts(make_card("@say Two.", title="Two"))
    third = ada_starts(make_card("@say Three.", title="Three"))
    assert let_in() == {"One"}
    assert [operations.queue_position(one) for one in (first, second, third)] == [None, 1, 2]

    run_attempt(first)

    assert let_in() == {"Two"}
    told = Event.objects.filter(kind="attempt.queued").order_by("pk")
    assert [
        (event.data["attemptId"], event.data["admitted"], event.data["position"]) for event in told
    ] == [
        (first.public_id, True, 0),
        (second.public_id, False, 1),
        (third.public_id, False, 2),
        (second.public_id, True, 0),
    ]


def test_urgent_cards_come_first_and_nobody_takes_every_slot(
    make_card: MakeCard, bob: User, ada_starts: Start, settings: Settings, system: Actor
) -> None:
    settings.KANBANAI_AGENT_SLOTS = 1
    first = ada_starts(make_card(title="first"))
    ada_starts(make_card(title="ada"))
    operations.start_attempt(actor=actor_of(bob), card=make_card(title="bob"), agent="demo")
    urgent = make_card(title="urgent")
    urgent.priority = Priority.URGENT
    urgent.save()
    ada_starts(urgent)
    assert [one.card.title for one, _why in admission.line().waiting] == ["urgent", "bob", "ada"]

    settings.KANBANAI_AGENT_SLOTS = 3
    operations.dispatch_queue(actor=system)

    assert let_in() == {"first", "urgent", "bob"}
    end(first)


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("KANBANAI_AGENT_SLOTS_PER_PROJECT", admission.PROJECT_FULL),
        ("KANBANAI_AGENT_SLOTS_PER_PERSON", admission.PERSON_FULL),
    ],
)
def test_projects_and_people_have_limits_of_their_own(
    make_card: MakeCard, ada_starts: Start, settings: Settings, limit: str, why: str
) -> None:
    setattr(settings, limit, 1)
    ada_starts(make_card())

    second = ada_starts(make_card())

    assert (second.status, second.dispatched_at, second.detail) == ("queued", None, why)


def refusal_of(actor: Actor, card: Card, agent: str = "demo") -> str:
    with pytest.raises(problems.Problem) as refused:
        operations.start_attempt(actor=actor, card=card, agent=agent)
    assert not card.attempts.exclude(status="running").exists()
    assert not Event.objects.filter(kind="attempt.queued").exists()
    return refused.value.code


def test_a_stranger_starts_nothing(make_card: MakeCard, eve: User) -> None:
    assert refusal_of(actor_of(eve), make_card()) == "FORBIDDEN"


def test_a_done_card_is_locked(make_card: MakeCard, ada: User) -> None:
    assert refusal_of(actor_of(ada), make_card(column="done")) == "CARD_DONE"


def test_a_deferred_card_waits_to_be_activated(make_card: MakeCard, ada: User) -> None:
    card = make_card()
    card.is_deferred = True
    card.save()
    assert refusal_of(actor_of(ada), card) == "CONFLICT"


def test_a_card_that_waits_for_others_is_blocked(make_card: MakeCard, ada: User) -> None:
    card = make_card()
    factories.CardDependency.create(card=card, depends_on=make_card())
    assert refusal_of(actor_of(ada), card) == "CARD_BLOCKED"


def test_a_card_with_an_agent_gets_no_second(make_card: MakeCard, ada: User) -> None:
    card = make_card()
    factories.Attempt.create(card=card, running=True)
    assert refusal_of(actor_of(ada), card) == "AGENT_RUNNING"


def test_a_full_column_takes_no_more_work(
    make_card: MakeCard, ada: User, columns: dict[str, Column]
) -> None:
    columns["inProgress"].wip_limit = 1
    columns["inProgress"].save()
    make_card(column="inProgress")
    assert refusal_of(actor_of(ada), make_card()) == "WIP_LIMIT"


def test_an_agent_that_is_not_installed_is_refused(make_card: MakeCard, ada: User) -> None:
    assert refusal_of(actor_of(ada), make_card(), agent="nobody") == "AGENT_UNAVAILABLE"


def test_a_project_without_repository_has_no_agents(
    make_card: MakeCard, ada: User, real_project: Project
) -> None:
    real_project.path = "/nowhere"
    real_project.save()
    card = make_card()
    card.project.refresh_from_db()
    assert refusal_of(actor_of(ada), card) == "REPOSITORY_NOT_READY"


def test_several_people_run_nothing_unconfined(
    make_card: MakeCard, ada: User, bob: User, settings: Settings
) -> None:
    settings.KANBANAI_SANDBOX = "none"
    assert refusal_of(actor_of(ada), make_card()) == "SANDBOX_UNAVAILABLE"

    settings.KANBANAI_ALLOW_UNSANDBOXED = True
    assert operations.refusal(actor=actor_of(ada), card=make_card(), agent="demo") is None


def test_only_admins_run_scripts_as_an_agent_where_there_are_several_people(
    make_card: MakeCard, ada: User, bob: User
) -> None:
    card = make_card("echo hi")
    assert refusal_of(actor_of(bob), card, agent="command") == "FORBIDDEN"
    assert operations.refusal(actor=actor_of(ada), card=card, agent="command") is None
