"""Where the lines of all processes are kept and searched: beside the product's database.

With SQLite it is a file of its own, so that no line ever takes the product's write lock; with
PostgreSQL a table of its own in the same database, which several hosts share. Both are made on
first use, written in batches by one thread of each process over a connection of its own, and hold
no more than so many days and so many lines. Django is not needed: the supervisor writes here too.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from apps.core.logs.entries import Entry, Shown, level_name, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FILE = "logs.sqlite3"
BUSY_SECONDS = 5.0
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 10_000
PRUNE_SECONDS = 60.0
DAY = 86_400_000_000

COLUMNS = "at, level, target, message, fields, request_id"
_TABLE = """
    CREATE TABLE IF NOT EXISTS kanbanai_log (
        id {key}, at bigint NOT NULL, level smallint NOT NULL, target text NOT NULL,
        message text NOT NULL, fields text NOT NULL, request_id text NOT NULL
    )
"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS kanbanai_log_at ON kanbanai_log (at, id)",
    """
    CREATE INDEX IF NOT EXISTS kanbanai_log_request ON kanbanai_log (request_id)
    WHERE request_id <> ''
    """,
)
SQLITE_TABLE = (_TABLE.format(key="INTEGER PRIMARY KEY AUTOINCREMENT"), *_INDEXES)
POSTGRES_TABLE = (
    _TABLE.format(key="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    *_INDEXES,
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for; everything left out finds everything."""

    level: int = 0
    search: str = ""
    since: int | None = None
    until: int | None = None
    request_id: str = ""
    before: tuple[int, int] | None = None
    after: tuple[int, int] | None = None
    limit: int = 100


@dataclass(frozen=True)
class Found:
    """Lines, newest first, and where the next older ones begin ("" when there are none)."""

    entries: list[Shown]
    cursor: str
    newest: str


class Unreachable(Exception):
    """The store cannot be written or read at the moment."""


class Store(Protocol):
    """What keeps the lines."""

    def write(self, entries: Sequence[Entry]) -> None:
        """This will keep a batch; Unreachable when it cannot."""

    def find(self, question: Question) -> Found:
        """This will search; Unreachable when it cannot."""

    def close(self) -> None:
        """This will let go of the connection; the next write opens another."""

    busy_seconds: float


class BadCursor(ValueError):
    """A cursor that this store never gave."""


def cursor_of(row: tuple[int, int]) -> str:
    """This will write a place in the log down."""
    return base64.urlsafe_b64encode(f"{row[0]}.{row[1]}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> tuple[int, int]:
    """This will read a place in the log; BadCursor for anything else."""
    try:
        text = base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode("ascii")
        at, _, row = text.partition(".")
        place = int(at), int(row)
    except (ValueError, binascii.Error) as error:
        raise BadCursor(cursor) from error
    if not all(0 <= number < 1 << 62 for number in place):
        raise BadCursor(cursor)
    return place


def open_store(url: str, *, data_dir: Path, days: int, most: int) -> Store:
    """This will give the store that belongs to a DATABASE_URL; nothing is opened yet."""
    if urlsplit(url).scheme == "sqlite":
        return SqliteStore(data_dir / FILE, days=days, most=most)
    return PostgresStore(url, days=days, most=most)


class _SqlStore(ABC):
    """The statements, which both databases understand."""

    mark = "?"
    contains = "instr(lowered(message || ' ' || target || ' ' || fields), lowered(?)) > 0"

    # How long a write waits for another process; the supervisor has less time to spare.
    busy_seconds = BUSY_SECONDS

    def __init__(self, *, days: int, most: int) -> None:
        self.days = days
        self.most = most
        self._lock = threading.Lock()
        self._prune_at = 0.0
        self._connection: Any = None
        self._pid = 0

    def close(self) -> None:
        """This will close the connection."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        # What a parent process opened is not ours to close.
        if connection is not None and self._pid == os.getpid():
            connection.close()

    def _opened(self) -> Any:
        is_mine = self._connection is not None and self._pid == os.getpid()
        if not is_mine or self._is_gone():
            self._forget()
            self._connection = self._open()
            self._pid = os.getpid()
        return self._connection

    @abstractmethod
    def _open(self) -> Any:
        """This will make a connection, and what is missing of the table."""

    @abstractmethod
    def _is_gone(self) -> bool:
        """True where the connection that is open leads nowhere any more."""

    def find(self, question: Question) -> Found:
        """This will search, newest first."""
        where, values = self._conditions(question)
        order = "ASC" if question.after is not None else "DESC"
        sql = (
            f"SELECT id, {COLUMNS} FROM kanbanai_log"  # noqa: S608 - made of constants
            + (f" WHERE {' AND '.join(where)}" if where else "")
            + f" ORDER BY at {order}, id {order} LIMIT {question.limit + 1:d}"
        )
        with self._reading() as connection:
            rows = connection.execute(sql, values).fetchall()
        more = len(rows) > question.limit
        rows = rows[: question.limit]
        if question.after is not None:
            rows.reverse()
        return Found(
            entries=[_shown(row) for row in rows],
            cursor=cursor_of((rows[-1][1], rows[-1][0])) if more and rows else "",
            newest=cursor_of((rows[0][1], rows[0][0])) if rows else "",
        )

    def _conditions(self, question: Question) -> tuple[list[str], list[Any]]:
        parts: list[tuple[str, list[Any]]] = []
        if question.level:
            parts.append(("level >= ?", [question.level]))
        if question.since is not None:
            parts.append(("at >= ?", [question.since]))
        if question.until is not None:
            parts.append(("at < ?", [question.until]))
        if question.request_id:
            parts.append(("request_id = ?", [question.request_id]))
        if question.before is not None:
            parts.append(("(at, id) < (?, ?)", list(question.before)))
        if question.after is not None:
            parts.append(("(at, id) > (?, ?)", list(question.after)))
        # The dear one last: each word of the search must be there.
        parts += [(self.contains, [word]) for word in question.search.split()]
        where = [sql.replace("?", self.mark) for sql, _values in parts]
        return where, [value for _sql, values in parts for value in values]

    @abstractmethod
    def _reading(self) -> contextlib.AbstractContextManager[Any]:
        """This will give a connection to read with; Unreachable when there is none."""

    def _rows(self, entries: Iterable[Entry]) -> list[tuple[Any, ...]]:
        return [
            (
                entry.at,
                entry.level,
                entry.target,
                entry.message,
                json.dumps(entry.fields, ensure_ascii=False),
                entry.request_id,
            )
            for entry in entries
        ]

    def _insert_sql(self) -> str:
        marks = ", ".join([self.mark] * 6)
        return f"INSERT INTO kanbanai_log ({COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants

    def _prune_when_due(self, connection: Any) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_SECONDS
        oldest = int(time.time() * 1_000_000) - self.days * DAY
        sql = (
            "DELETE FROM kanbanai_log WHERE at < ? OR id <= (SELECT max(id) FROM kanbanai_log) - ?"
        )
        connection.execute(sql.replace("?", self.mark), (oldest, self.most))


class SqliteStore(_SqlStore):
    """A SQLite file of its own."""

    def __init__(self, path: Path, *, days: int, most: int) -> None:
        super().__init__(days=days, most=most)
        self.path = path

    def write(self, entries: Sequence[Entry]) -> None:
        """This will keep a batch in one short transaction of the file's own."""
        with self._lock:
            try:
                connection = self._opened()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(self._insert_sql(), self._rows(entries))
                    self._prune_when_due(connection)
            except (sqlite3.Error, OSError) as error:
                self._forget()
                raise Unreachable(str(error)) from error

    def _is_gone(self) -> bool:
        # A file that was put away (restored, cleared) is made anew.
        return not self.path.exists()

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=self.busy_seconds, check_same_thread=False, isolation_level=None
        )
        connection.create_function("lowered", 1, str.casefold, deterministic=True)
        for sql in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", *SQLITE_TABLE):
            connection.execute(sql)
        return connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with contextlib.closing(self._open()) as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise Unreachable(str(error)) from error


class PostgresStore(_SqlStore):
    """A table of its own in the product's PostgreSQL database."""

    mark = "%s"
    contains = "strpos(lower(message || ' ' || target || ' ' || fields), lower(?)) > 0"

    def __init__(self, url: str, *, days: int, most: int) -> None:
        super().__init__(days=days, most=most)
        self.url = url

    def write(self, entries: Sequence[Entry]) -> None:
        """This will keep a batch in one transaction over a connection of its own."""
        import psycopg  # noqa: PLC0415 - only where PostgreSQL is used

        with self._lock:
            try:
                connection = self._opened()
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.executemany(self._insert_sql(), self._rows(entries))
                    self._prune_when_due(cursor)
            except (psycopg.Error, OSError) as error:
                self._forget()
                raise Unreachable(str(error)) from error

    def _is_gone(self) -> bool:
        return bool(self._connection.closed)

    def _open(self) -> Any:
        import psycopg  # noqa: PLC0415 - only where PostgreSQL is used

        connection: Any = psycopg.connect(
            self.url,
            options=f"-c statement_timeout={STATEMENT_MILLISECONDS}",
            connect_timeout=int(min(CONNECT_SECONDS, self.busy_seconds)),
            autocommit=True,
        )
        # Asked first: many processes start at once, and each would else wait for the others.
        if connection.execute("SELECT to_regclass('kanbanai_log')").fetchone()[0] is None:
            self._make(connection)
        return connection

    def _make(self, connection: Any) -> None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(7246530921)")
            for sql in POSTGRES_TABLE:
                connection.execute(sql)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        import psycopg  # noqa: PLC0415 - only where PostgreSQL is used

        try:
            with contextlib.closing(self._open()) as connection:
                yield connection
        except (psycopg.Error, OSError) as error:
            raise Unreachable(str(error)) from error


def _shown(row: tuple[Any, ...]) -> Shown:
    _id, at, level, target, message, fields, _request_id = row
    return {
        "timestamp": moment_of(at),
        "level": level_name(level),
        "target": target,
        "message": message,
        "fields": json.loads(fields),
    }
