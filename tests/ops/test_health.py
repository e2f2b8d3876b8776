"""The two addresses that machines ask."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as product
from django.test import Client
from pytest_django import Settings

from kanbanai import heartbeats
from kanbanai.supervisor import cli

ROOT = Path(__file__).resolve().parents[2]
ALL_WELL = {
    "status": "ok",
    "database": "ok",
    "redis": "ok",
    "workerFast": "ok",
    "workerAgents": "ok",
    "beat": "ok",
}


@pytest.fixture(autouse=True)
def _own_keys(settings: Settings, tmp_path: Path) -> None:
    """Signs of life of other tests are not heard."""
    settings.KANBANAI_REDIS_PREFIX = f"kanbanai.{tmp_path.name}"


def wait_until(holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
    ends_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.05)


def test_a_living_process_says_so(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_it_is_ready_when_every_part_answers(client: Client) -> None:
    for part in heartbeats.PARTS:
        heartbeats.beat(part)
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, ALL_WELL)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("dead", "shown"),
    [("worker-fast", "workerFast"), ("worker-agents", "workerAgents"), ("beat", "beat")],
)
def test_it_says_which_part_is_dead(client: Client, dead: str, shown: str) -> None:
    for part in heartbeats.PARTS:
        if part != dead:
            heartbeats.beat(part)
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {**ALL_WELL, "status": "unavailable", shown: "unavailable"}


@pytest.mark.django_db
def test_a_silent_part_is_dead_soon(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heartbeats.EVERY_SECONDS < heartbeats.ALIVE_SECONDS < 30
    monkeypatch.setattr(heartbeats, "ALIVE_SECONDS", 1)
    for part in heartbeats.PARTS:
        heartbeats.beat(part)
    wait_until(lambda: client.get("/readyz").status_code == 503)


@pytest.mark.django_db
def test_it_is_not_ready_without_redis(client: Client, settings: Settings) -> None:
    settings.KANBANAI_REDIS_URL = "unix:///nowhere/redis.sock"
    response = client.get("/readyz")

    nothing = dict.fromkeys(ALL_WELL, "unavailable")
    assert response.status_code == 503
    assert response.json() == {**nothing, "database": "ok"}


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A real process of the product under the keys of this test."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
        "KANBANAI_DATA_DIR": str(product.TEST_SCRATCH_DIR),
        "REDIS_URL": product.KANBANAI_REDIS_URL,
        "KANBANAI_REDIS_PREFIX": product.KANBANAI_REDIS_PREFIX,
    }
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


PARTS: list[tuple[str, list[str]]] = [
    ("worker-fast", cli.worker("fast", "-P", "threads", "-c", "1")),
    ("worker-agents", cli.worker("agents", "-P", "prefork", "-c", "1")),
    ("beat", cli.beat()),
]


@pytest.mark.workers
@pytest.mark.parametrize(("part", "command"), PARTS, ids=[part for part, _command in PARTS])
def test_a_real_process_beats_while_its_loop_turns(part: str, command: list[str]) -> None:
    def beats() -> bool:
        found: Any = heartbeats.alive()
        return bool(found and found[part])

    with running(command) as process:
        wait_until(beats)
        first = heartbeats.client().ttl(heartbeats._key(part))
        assert first <= heartbeats.ALIVE_SECONDS
        heartbeats.client().delete(heartbeats._key(part))
        # Not only at its start.
        wait_until(beats)
        os.kill(process.pid, signal.SIGSTOP)
        heartbeats.client().delete(heartbeats._key(part))
        assert not beats()
