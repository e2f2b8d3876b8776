"""A database of the measurement's own on a PostgreSQL server, where there is one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from bench.report import Report


@contextlib.contextmanager
def postgres(report: Report) -> Iterator[str | None]:
    """The address of an empty database, which is dropped afterwards; None without a server."""
    server = os.environ.get("BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    name = f"kanbanai_bench_{os.getpid()}"
    try:
        _run(server, f"CREATE DATABASE {name}")
    except RuntimeError as error:
        report.say(f"PostgreSQL is left out (BENCH_POSTGRES_URL): {error}")
        yield None
        return
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _run(server, f"DROP DATABASE {name} WITH (FORCE)")


def _run(server: str, statement: str) -> None:
    import psycopg  # noqa: PLC0415 - only where there is a server

    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=3) as connection:
            connection.execute(statement.encode())
    except psycopg.Error as error:
        raise RuntimeError(str(error).strip().splitlines()[0]) from error
