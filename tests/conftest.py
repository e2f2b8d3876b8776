"""What every test stands on: a scratch folder and a real, private Redis for each process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import DjangoDbBlocker

from apps.core.live import work
from kanbanai.supervisor import redis_server

FLUSH_TRIES = 8

pytest_plugins = ["tests.people", "tests.query_counts"]


@pytest.fixture(scope="session", autouse=True)
def redis() -> Iterator[str]:
    """The address of the Redis that the channel layer, the cache and the queue use."""
    if "REDIS_URL" in os.environ:
        yield settings.KANBANAI_REDIS_URL
        return
    unix_socket = settings.TEST_SCRATCH_DIR / "run" / "redis.sock"
    process = redis_server.start(unix_socket=unix_socket, output=subprocess.DEVNULL)
    try:
        redis_server.wait(process, unix_socket)
        yield settings.KANBANAI_REDIS_URL
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database; connections that threads have left open do not keep it from going."""
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture(scope="session", autouse=True)
def patient_flush() -> Iterator[None]:
    """Tables are emptied after a test although a server of the tests may be reading them.

    PostgreSQL ends such an encounter by refusing one of the two; ours tries again.
    """
    at_once = DatabaseOperations.execute_sql_flush

    def patiently(self: DatabaseOperations, sql_list: list[str]) -> None:
        for tries_left in reversed(range(FLUSH_TRIES)):
            try:
                return at_once(self, sql_list)
            except OperationalError:
                if not tries_left:
                    raise
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", patiently)
        yield


@pytest.fixture(autouse=True)
def fresh_cache(redis: str) -> Iterator[None]:
    """No test sees what another left in the cache: counters of rate limits above all."""
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def fresh_threads() -> Iterator[None]:
    """No test reads with a connection that another left open, to tables that are not there now."""
    yield
    work.stop()


def pytest_unconfigure() -> None:
    """The scratch folder goes with the process that made it."""
    if settings.configured and "KANBANAI_DATA_DIR" not in os.environ:
        shutil.rmtree(settings.TEST_SCRATCH_DIR, ignore_errors=True)
