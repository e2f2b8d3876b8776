"""Real Celery workers that are killed, shut down and replaced in the middle of the work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from pytest_django.fixtures import Settings

from apps.agents import operations, processes, tasks
from apps.agents.models import Attempt
from apps.boards.models import Card, Column
from apps.core.models import Event
from tests import factories
from tests.agents.conftest import PATIENCE, MakeCard, wait_for
from tests.live import database_url
from tests.people import actor_of

pytestmark = pytest.mark.workers

Start = Callable[..., Attempt]
ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """A `celery worker` with two children."""

    def __init__(self, data: Path, log: Path) -> None:
        command = [sys.executable, "-m", "celery", "-A", "kanbanai", "worker"]
        command += ["-Q", "agents,fast", "-P", "prefork", "-c", "2", "-l", "INFO"]
        command += ["-n", f"test{time.monotonic_ns()}@%h", "--without-gossip", "--without-mingle"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment(data),
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @staticmethod
    def _environment(data: Path) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
            "DATABASE_URL": database_url(),
            "REDIS_URL": django_settings.KANBANAI_REDIS_URL,
            "KANBANAI_DATA_DIR": str(data),
            "KANBANAI_AGENT_LEASE_SECONDS": "3",
            "KANBANAI_PERMISSION_WAIT_SECONDS": "60",
        }

    def terminate(self) -> None:
        """SIGTERM to the parent alone, as a deployment does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        """SIGKILL to the parent and all its children."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


StartWorker = Callable[[], Worker]


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers on the database and the queue of this test alone."""
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    client.flushall()
    (tmp_path / "data" / "run").mkdir(parents=True)
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(tmp_path / "data", tmp_path / f"worker{len(workers)}.log"))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


def reap_until(attempt: Attempt, what: Callable[[Attempt], bool]) -> Attempt:
    """Lets the reaper look again and again, as the schedule does."""

    def looked(one: Attempt) -> bool:
        tasks.reap()
        return what(one)

    return wait_for(attempt, looked)


def working(one: Attempt) -> bool:
    return one.items.filter(type="tool").exists() and one.items.count() > 2


def say(attempt: Attempt, text: str) -> None:
    operations.send_message(actor=actor_of(attempt.project.owner), attempt=attempt, text=text)


def test_an_attempt_goes_through_the_queue(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    start_worker()

    attempt = ada_starts(make_card("@write a.txt :: a\n@say Done."))

    ended = wait_for(attempt, lambda one: one.ended_at is not None)
    assert (ended.status, ended.summary) == ("succeeded", "Done.")


def test_a_stop_reaches_another_process_at_once(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    start_worker()
    attempt = ada_starts(make_card("@write a.txt :: a\n@slow 60"))
    wait_for(attempt, working)

    asked = time.monotonic()
    operations.stop_attempt(actor=actor_of(attempt.project.owner), attempt=attempt)
    wait_for(attempt, lambda one: one.status == "stopped")

    assert time.monotonic() - asked < 20
    assert attempt.public_id not in processes.find_marked()


def test_a_killed_runner_is_noticed_and_nothing_shown_is_lost(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    start_worker()
    attempt = ada_starts(make_card("@write a.txt :: a\n@slow 60"))
    seen = wait_for(attempt, working)
    seen.refresh_from_db()
    before = list(seen.items.order_by("position").values_list("source_id", "position"))
    runner = int(seen.lease_owner.split("/")[1])

    os.kill(runner, signal.SIGKILL)
    lost = reap_until(attempt, lambda one: one.status == "interrupted")

    assert (lost.reason, lost.lease_owner, lost.epoch) == ("host_lost", "", 2)
    after = list(lost.items.order_by("position").values_list("source_id", "position"))
    assert after[: len(before)] == before
    assert attempt.public_id not in processes.find_marked()
    assert not lost.turns.filter(status="running").exists()

    say(lost, "@say Going on.")
    ended = wait_for(attempt, lambda one: one.status in {"succeeded", "failed"})
    assert (ended.status, ended.summary, ended.session_id) == (
        "succeeded",
        "Going on.",
        seen.session_id,
    )
    assert Path(ended.worktree_path, "a.txt").read_text() == "a\n"


def test_a_runner_killed_before_the_first_tool_is_made_up_for_once(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    start_worker()
    attempt = ada_starts(make_card("@slow 4\n@say Done."))
    seen = wait_for(attempt, lambda one: one.items.count() > 1)

    os.kill(int(seen.lease_owner.split("/")[1]), signal.SIGKILL)
    ended = reap_until(
        attempt, lambda one: one.status in {"succeeded", "interrupted"} and one.epoch > 2
    )

    assert (ended.status, ended.auto_retried) == ("succeeded", True)
    assert list(ended.turns.order_by("number").values_list("number", "status")) == [
        (1, "done"),
        (2, "done"),
    ]


def test_a_worker_that_is_shut_down_ends_politely_and_the_next_one_goes_on(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    worker = start_worker()
    attempt = ada_starts(make_card("@write a.txt :: a\n@slow 60"))
    seen = wait_for(attempt, working)

    worker.terminate()

    ended = Attempt.objects.get(pk=attempt.pk)
    assert (ended.status, ended.reason, ended.then) == ("interrupted", "host_lost", "resume")
    assert attempt.public_id not in processes.find_marked()

    start_worker()
    again = wait_for(attempt, lambda one: one.status in {"succeeded", "failed"})
    assert (again.status, again.summary) == ("succeeded", "I went on where I had stopped.")
    assert (again.session_id, again.auto_retried, again.then) == (seen.session_id, True, "")
    assert list(again.turns.order_by("number").values_list("number", "is_continuation")) == [
        (1, False),
        (2, True),
    ]


def test_a_worker_that_is_shut_down_twice_leaves_it_to_people(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    attempt = ada_starts(make_card("@write a.txt :: a\n@slow 60"))
    Attempt.objects.filter(pk=attempt.pk).update(auto_retried=True)
    worker = start_worker()
    wait_for(attempt, working)
    worker.terminate()
    start_worker()
    other = ada_starts(make_card("@say Done.", title="Other"))
    wait_for(other, lambda one: one.status == "succeeded")

    ended = Attempt.objects.get(pk=attempt.pk)
    assert (ended.status, ended.then) == ("interrupted", "")
    say(ended, "@say Going on.")
    again = wait_for(attempt, lambda one: one.status in {"succeeded", "failed"})
    assert (again.status, again.summary) == ("succeeded", "Going on.")


def test_a_card_in_auto_mode_goes_all_its_way_through_the_workers(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker, columns: dict[str, Column]
) -> None:
    second = factories.Column.create(
        board=columns["review"].board,
        column_type="active",
        agent_mode="code",
        rank=columns["inProgress"].rank + "V",
    )
    columns["review"].delete()
    card = make_card("@say Done.")
    Card.objects.filter(pk=card.pk).update(is_auto_mode=True)
    start_worker()

    ada_starts(card)

    deadline = time.monotonic() + PATIENCE
    while Card.objects.get(pk=card.pk).column_id != columns["done"].pk:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    steps = card.attempts.order_by("number").values_list("column", "status")
    assert list(steps) == [(columns["inProgress"].pk, "succeeded"), (second.pk, "succeeded")]


def test_a_worker_writes_the_summary_that_somebody_waits_for(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker, settings: Settings
) -> None:
    settings.KANBANAI_SUMMARY_WAIT_SECONDS = 40
    start_worker()
    attempt = ada_starts(make_card("@say Done.", title="Engine"))
    ended = wait_for(attempt, lambda one: one.status == "succeeded")

    text = operations.summarize(actor=actor_of(attempt.project.owner), attempt=ended)

    assert text == "In 1 prompt this session was about “Engine”. It ended with: Done."


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_question_outlives_the_worker_that_asked(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker, end: str
) -> None:
    worker = start_worker()
    attempt = ada_starts(make_card("@run echo hi > out.txt"))
    wait_for(attempt, lambda one: one.status == "waiting")

    getattr(worker, end)()
    waiting = reap_until(attempt, lambda one: one.lease_owner == "")
    assert (waiting.status, waiting.waiting_for) == ("waiting", "permission")

    start_worker()
    operations.answer_approval(
        actor=actor_of(attempt.project.owner),
        approval=waiting.approvals.get(),
        decision="allow_once",
        feedback="@say It was allowed.",
    )
    ended = wait_for(attempt, lambda one: one.status in {"succeeded", "failed"})
    assert (ended.status, ended.summary) == ("succeeded", "It was allowed.")


def test_twenty_attempts_never_take_more_slots_than_there_are(
    make_card: MakeCard, ada_starts: Start, start_worker: StartWorker
) -> None:
    start_worker()
    attempts = [ada_starts(make_card("@say Done.", title=f"Card {n}")) for n in range(8)]

    most = 0
    deadline = time.monotonic() + PATIENCE
    while Attempt.objects.active().exists():
        most = max(most, Attempt.objects.filter(lease_owner__gt="").count())
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert most <= 2
    assert {one.status for one in Attempt.objects.all()} == {"succeeded"}
    assert Event.objects.filter(kind="attempt.completed").count() == len(attempts)
