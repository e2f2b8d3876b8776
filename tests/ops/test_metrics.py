"""What the product tells of itself in numbers, and whom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings as product
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from apps.accounts.models import Role, User
from apps.agents.models import Attempt
from apps.core import events, metrics
from apps.core.actors import Actor
from kanbanai.supervisor import cli
from tests import factories
from tests.people import BrowserOf

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = {"REMOTE_ADDR": "192.0.2.7"}

pytestmark = pytest.mark.django_db


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _own_keys(settings: Settings, tmp_path: Path) -> None:
    """Numbers of other tests' processes are not read."""
    settings.KANBANAI_REDIS_PREFIX = f"kanbanai.{tmp_path.name}"


def read(client: Client, **extra: str) -> Samples:
    """This will give every sample by name and labels, as Prometheus reads them."""
    response = client.get("/metrics", **extra)  # type: ignore[arg-type]
    assert response.status_code == 200, response.content
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    """This will add up the samples of a name that have some labels."""
    return sum(
        number
        for (found_name, found_labels), number in found.items()
        if found_name == f"kanbanai_{name}" and frozenset(labels.items()) <= found_labels
    )


def test_requests_are_counted_by_route_and_status(client: Client) -> None:
    def counted() -> float:
        return value(
            read(client),
            "http_requests_total",
            method="GET",
            route="api/v1/projects/<proj_id:project_id>",
            status="401",
        )

    before = counted()
    client.get("/api/v1/projects/proj_01m81f5tbde29a6r2v6wshp90d")
    client.get("/api/v1/projects/proj_01m81f5tbde29a6r2v6wshp90e")

    assert counted() == before + 2


def test_unknown_addresses_share_one_series(client: Client) -> None:
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    found = read(client)

    assert value(found, "http_requests_total", route="unknown") >= 2
    assert not [key for key in found if "nowhere" in str(key)]


def test_the_journal_lag_is_the_age_of_what_nobody_was_told(
    client: Client,
) -> None:
    assert value(read(client), "journal_unpublished") == 0
    events.record(topic="t", kind="card.moved", data={}, actor=Actor.system("test"))
    found = read(client)

    assert value(found, "journal_unpublished") == 1
    assert 0 <= value(found, "journal_lag_seconds") < 60


def test_attempts_and_slots_are_counted(client: Client, settings: Settings) -> None:
    found = read(client)

    assert value(found, "attempt_slots") == settings.KANBANAI_AGENT_SLOTS
    assert value(found, "attempt_slots_taken") == 0
    assert value(found, "attempts", status="queued") == 0
    assert value(found, "attempt_wait_seconds") == 0
    assert Attempt.objects.count() == 0

    factories.Attempt.create(running=True, lease_owner="a worker")
    factories.Attempt.create()
    found = read(client)

    assert value(found, "attempt_slots_taken") == 1
    assert value(found, "attempts", status="running") == 1
    assert value(found, "attempts", status="queued") == 1


def test_queues_are_measured(client: Client, settings: Settings) -> None:
    prefix = "kanbanai.test.queue."
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": prefix}
    redis = metrics._client()
    redis.rpush(f"{prefix}fast", "one", "two")
    try:
        found = read(client)
    finally:
        redis.delete(f"{prefix}fast")

    assert value(found, "queue_length", queue="fast") == 2
    assert value(found, "queue_length", queue="agents") == 0


def test_parts_are_up_or_not(client: Client) -> None:
    found = read(client)

    assert value(found, "part_up", part="database") == 1
    assert value(found, "part_up", part="worker-fast") == 0


def test_numbers_come_although_redis_is_away(client: Client, settings: Settings) -> None:
    settings.KANBANAI_REDIS_URL = "unix:///nowhere/redis.sock"

    assert value(read(client), "part_up", part="redis") == 0


COUNTING = """
import sys, time, django
django.setup()
from apps.core import metrics
metrics.EVENTS.inc(int(sys.argv[1]))
metrics.sharing.begin()
print("begun", flush=True)
time.sleep(600)
"""


def test_the_numbers_of_several_processes_stand_beside_each_other(client: Client) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
        "KANBANAI_DATA_DIR": str(product.TEST_SCRATCH_DIR),
        "REDIS_URL": product.KANBANAI_REDIS_URL,
        "KANBANAI_REDIS_PREFIX": product.KANBANAI_REDIS_PREFIX,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTING, str(10 ** (number + 6))], cwd=ROOT, env=environment
        )
        for number in range(2)
    ]
    try:
        # Other tests of this process count events too; they have not come to a million.
        wait_until(lambda: value(read(client), "live_events_total") >= 11_000_000)
        found = read(client)
        assert sorted(
            number for (name, _labels), number in found.items()
            if name == "kanbanai_live_events_total" and number >= 1_000_000
        ) == [1_000_000, 10_000_000]  # fmt: skip
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_numbers_of_a_dead_process_do_not_stay() -> None:
    redis = metrics._client()
    metrics.share(redis)

    assert 0 < redis.ttl(metrics._key(metrics.process_name())) <= 3 * metrics.SHARE_SECONDS


@pytest.mark.workers
def test_a_real_worker_counts_its_tasks(client: Client) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
        "KANBANAI_DATA_DIR": str(product.TEST_SCRATCH_DIR),
        "REDIS_URL": product.KANBANAI_REDIS_URL,
        "KANBANAI_REDIS_PREFIX": product.KANBANAI_REDIS_PREFIX,
    }
    worker = subprocess.Popen(
        cli.worker("fast", "-P", "threads", "-c", "1"),
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        # Not the current one: tasks of later tests must go where the product sends them.
        app = Celery(broker=product.CELERY_BROKER_URL, set_as_current=False)
        app.conf.broker_transport_options = {
            "global_keyprefix": f"{product.KANBANAI_REDIS_PREFIX}.queue."
        }
        app.send_task("apps.core.tasks.sweep_events", queue="fast")
        wait_until(
            lambda: value(read(client), "tasks_total", task="apps.core.tasks.sweep_events") >= 1
        )
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def wait_until(holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
    ends_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.05)


# --- who may read them ---------------------------------------------------------------------------


def test_others_do_not_find_them(client: Client, browser_of: BrowserOf, ada: User) -> None:
    assert client.get("/metrics", **FOREIGN).status_code == 404  # type: ignore[arg-type]
    assert browser_of(ada).get("/metrics", **FOREIGN).status_code == 404  # type: ignore[arg-type]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SUPER_ADMIN])
def test_server_admins_read_them_from_anywhere(browser_of: BrowserOf, role: Role) -> None:
    user = factories.User.create(role=role)

    assert read(browser_of(user), **FOREIGN)


def test_the_token_opens_them(client: Client, settings: Settings) -> None:
    settings.KANBANAI_METRICS_TOKEN = "a token for the collector"

    assert read(client, **FOREIGN, HTTP_AUTHORIZATION="Bearer a token for the collector")
    for wrong in ("Bearer a token", "Bearer ", "Bearer größe", ""):
        response = client.get("/metrics", **FOREIGN, HTTP_AUTHORIZATION=wrong)  # type: ignore[arg-type]
        assert response.status_code == 404


def test_an_empty_token_opens_nothing(client: Client) -> None:
    response = client.get("/metrics", **FOREIGN, HTTP_AUTHORIZATION="Bearer ")  # type: ignore[arg-type]

    assert response.status_code == 404


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"])
def test_a_proxy_on_this_machine_is_not_this_machine(client: Client, header: str) -> None:
    assert client.get("/metrics", **{header: "192.0.2.7"}).status_code == 404  # type: ignore[arg-type]
