"""A consistent copy of the database, and its way back.

SQLite is copied by its own backup, PostgreSQL table by table with COPY within one snapshot: that
needs no program of the right version beside us, and the text it writes is read by every PostgreSQL.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.apps import apps
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from apps.core.readings import one_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FOLDER = "database"
TABLE = re.compile(rf"{FOLDER}/([a-z0-9_]+)\.copy")
SQLITE_FILE = f"{FOLDER}/kanbanai.sqlite3"
MIGRATIONS = "django_migrations"
BUSY_SECONDS = 60
# The names of a table's columns take less.
HEAD_BYTES = 16 * 1024

# App -> the names of its applied migrations, sorted.
State = dict[str, list[str]]


class Broken(Exception):
    """The database could not be copied or put back; the text says why, in one sentence."""


def engine() -> str:
    """This will be `sqlite` or `postgresql`."""
    return connection.vendor


def size() -> int:
    """This will be about how many bytes the database has."""
    if connection.vendor == "sqlite":
        place = Path(str(connection.settings_dict["NAME"]))
        return place.stat().st_size if place.exists() else 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def state() -> State:
    """This will be the applied migrations, by app."""
    found: State = {}
    for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
        found.setdefault(app, []).append(name)
    return found


def unknown(recorded: State) -> list[str]:
    """This will list the migrations of a backup that this version of the product does not know."""
    known = set(MigrationExecutor(connection).loader.disk_migrations)
    # A migration that others took the place of is known to them.
    for migration in MigrationExecutor(connection).loader.disk_migrations.values():
        known |= set(migration.replaces)
    return [
        f"{app}.{name}"
        for app, names in recorded.items()
        for name in names
        if (app, name) not in known
    ]


def tables() -> list[str]:
    """This will list every table of the product that there is now, and Django's own record."""
    named = {
        model._meta.db_table  # noqa: SLF001 - Django's documented API
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy  # noqa: SLF001 - as above
    }
    there = set(connection.introspection.table_names())
    return sorted((named | {MIGRATIONS}) & there)


# --- out ----------------------------------------------------------------------------------------


def copy(scratch: Path, add: Callable[[str, Path], None]) -> State:
    """This will write the database's members with `add(name, file)`; the state they are in.

    `scratch` is an empty folder for the time between.
    """
    if connection.vendor == "sqlite":
        return _copy_sqlite(scratch, add)
    with one_moment():
        found = state()
        for table in tables():
            place = scratch / table
            _copy_table(table, place)
            add(f"{FOLDER}/{table}.copy", place)
            place.unlink()
    return found


def _copy_sqlite(scratch: Path, add: Callable[[str, Path], None]) -> State:
    place = scratch / "copy.sqlite3"
    place.touch(mode=0o600)
    read_only = f"{Path(str(connection.settings_dict['NAME'])).absolute().as_uri()}?mode=ro"
    # In one step: it reads one state of the database, and writers go on beside it in the log.
    with (
        contextlib.closing(sqlite3.connect(read_only, uri=True, timeout=BUSY_SECONDS)) as source,
        contextlib.closing(sqlite3.connect(place)) as target,
    ):
        source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode=DELETE")
        found: State = {}
        rows = target.execute(f"SELECT app, name FROM {MIGRATIONS} ORDER BY app, name")  # noqa: S608 - a constant
        for app, name in rows:
            found.setdefault(app, []).append(name)
    add(SQLITE_FILE, place)
    place.unlink()
    return found


def _copy_table(table: str, place: Path) -> None:
    columns = _columns(table)
    quoted = connection.ops.quote_name(table)
    with place.open("wb") as file, connection.connection.cursor() as cursor:
        file.write(",".join(columns).encode() + b"\n")
        with cursor.copy(f"COPY {quoted} ({','.join(columns)}) TO STDOUT") as rows:
            for piece in rows:
                file.write(piece)


def _columns(table: str) -> list[str]:
    """The quoted names of a table's columns."""
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, table)
    return [connection.ops.quote_name(column.name) for column in described]


# --- back ---------------------------------------------------------------------------------------


def is_empty() -> bool:
    """True where nobody has an account and no project is: nothing can be lost here."""
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for table in ("accounts_user", "projects_project", "orgs_organization"):
            if table in there:
                cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608 - constants
                if cursor.fetchone() is not None:
                    return False
    return True


def require_members(names: Iterable[str]) -> None:
    """This will raise `Broken` for members that are no parts of a database of our engine."""
    found = list(names)
    if connection.vendor == "sqlite":
        odd = [name for name in found if name != SQLITE_FILE]
    else:
        odd = [name for name in found if not TABLE.fullmatch(name)]
    if odd:
        raise Broken(f"{odd[0]} is no part of a database.")
    if not found:
        raise Broken("The backup has no database.")


def table_of(member: str) -> str:
    """This will name the table whose rows a member holds."""
    return member.removeprefix(f"{FOLDER}/").removesuffix(".copy")


def put_back_sqlite(copied: Path) -> None:
    """This will put a copy in the place of the (empty) database; `Broken` where it is damaged."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{copied.as_uri()}?mode=ro", uri=True)
        ) as looked_at:
            [found] = looked_at.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise Broken(f"The copy of the database is damaged: {error}.") from error
    if found != "ok":
        raise Broken(f"The copy of the database is damaged: {found}.")
    connection.close()
    place = Path(str(connection.settings_dict["NAME"]))
    for suffix in ("-wal", "-shm", "-journal"):
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    copied.chmod(0o600)
    copied.replace(place)


def put_back_postgresql(recorded: State, members: Iterator[tuple[str, IO[bytes]]]) -> None:
    """This will rebuild the tables as they were, and fill them, all of it or nothing of the rows.

    `members` gives each table with its rows; the tables here must be empty.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables():
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)} CASCADE")
    executor = MigrationExecutor(connection)
    leaves = [
        (app, name) for app, names in recorded.items() for name in _last(executor, app, names)
    ]
    executor.migrate(leaves)
    with transaction.atomic():
        there = tables()
        quoted = ", ".join(connection.ops.quote_name(table) for table in there)
        with connection.cursor() as cursor:
            # Migrations may have written rows; those of the backup take their place.
            cursor.execute(f"TRUNCATE {quoted} CASCADE")
        for table, rows in members:
            if table not in there:
                raise Broken(f"The backup has a table {table} that its migrations do not make.")
            _fill_table(table, rows)
        _set_sequences()


def _last(executor: MigrationExecutor, app: str, names: list[str]) -> Iterator[str]:
    """The migrations of an app after which none of the recorded ones comes."""
    graph = executor.loader.graph
    recorded = {(app, name) for name in names}
    for node in sorted(recorded & set(graph.nodes)):
        children = {child.key for child in graph.node_map[node].children}
        if not children & recorded:
            yield node[1]


def _fill_table(table: str, rows: IO[bytes]) -> None:
    head = rows.readline(HEAD_BYTES).decode("utf-8", "replace").strip()
    columns, known = head.split(","), set(_columns(table))
    # They become part of a statement: none but those of the table may.
    if len(set(columns)) < len(columns) or not known.issuperset(columns):
        raise Broken(f"The table {table} of the backup has other columns than its migrations make.")
    quoted = connection.ops.quote_name(table)
    with connection.connection.cursor() as cursor:
        statement = f"COPY {quoted} ({','.join(columns)}) FROM STDIN"
        with cursor.copy(statement) as target:
            while piece := rows.read(1024 * 1024):
                target.write(piece)


def _set_sequences() -> None:
    """Counters go on after the highest number there is."""
    from django.core.management.color import no_style  # noqa: PLC0415 - for this one call

    models: list[Any] = list(apps.get_models(include_auto_created=True))
    there = set(tables())
    models = [model for model in models if model._meta.db_table in there]  # noqa: SLF001 - Django's documented API
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
        # Django's own record has no model among the installed ones.
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('django_migrations', 'id'), "
            "(SELECT coalesce(max(id), 1) FROM django_migrations))"
        )


def sync_to_disk(place: Path) -> None:
    """This will see to it that a file survives the machine."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
