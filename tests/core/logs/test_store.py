"""Lines are kept, found and forgotten, whichever database keeps them."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from apps.core.logs import entries
from apps.core.logs.entries import LEVELS
from apps.core.logs.store import (
    BadCursor,
    PostgresStore,
    Question,
    SqliteStore,
    Unreachable,
    open_store,
    place_of,
)
from tests.logs import NOW, line

ROOT = Path(__file__).resolve().parents[3]


def postgres_url() -> str:
    """The test database, at the address the tests were given: it may name a socket's folder."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def make(tmp_path: Path, *, days: int = 7, most: int = 1000) -> SqliteStore | PostgresStore:
    if connection.vendor == "postgresql":
        return PostgresStore(postgres_url(), days=days, most=most)
    return SqliteStore(tmp_path / "logs.sqlite3", days=days, most=most)


@pytest.fixture
def store(tmp_path: Path, db: None) -> Iterator[SqliteStore | PostgresStore]:
    """An empty store: beside the database of the tests."""
    made = make(tmp_path)
    made.write([])
    with made._reading() as opened:
        opened.execute("DELETE FROM kanbanai_log")
    yield made
    made.close()


def messages(found: Any) -> list[str]:
    return [entry["message"] for entry in found.entries]


def test_lines_come_back_newest_first(store: SqliteStore) -> None:
    store.write([line(1, "one"), line(3, "three", fields={"number": 3})])
    store.write([line(2, "two")])

    found = store.find(Question())

    assert messages(found) == ["three", "two", "one"]
    assert found.entries[0] == {
        "timestamp": entries.moment_of(NOW + 3),
        "level": "info",
        "target": "tests",
        "message": "three",
        "fields": {"number": 3},
    }


def test_a_level_is_the_least_severe_one(store: SqliteStore) -> None:
    store.write([line(number, name, level=name) for number, name in enumerate(LEVELS)])

    assert messages(store.find(Question(level=LEVELS["warn"]))) == ["error", "warn"]
    assert messages(store.find(Question(level=LEVELS["info"]))) == ["error", "warn", "info"]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("größe", ["Die GRÖßE"]),
        ("nested", ["fields"]),
        ("apps.x", ["target"]),
        ("100%", ["100% sure"]),
        ("_", []),
        ("sure 100", ["100% sure"]),
        ("sure 101", []),
    ],
)
def test_each_word_is_looked_for_everywhere(
    store: SqliteStore, search: str, expected: list[str]
) -> None:
    store.write(
        [
            line(1, "Die GRÖßE"),
            line(2, "fields", fields={"a": {"b": "Nested"}}),
            line(3, "target", target="apps.x"),
            line(4, "100% sure"),
        ]
    )

    assert messages(store.find(Question(search=search))) == expected


def test_a_span_of_time_takes_its_start_and_leaves_its_end(store: SqliteStore) -> None:
    store.write([line(number, str(number)) for number in range(5)])

    assert messages(store.find(Question(since=NOW + 1, until=NOW + 3))) == ["2", "1"]


def test_the_lines_of_one_request_are_found(store: SqliteStore) -> None:
    store.write([line(1, "a", fields={"request_id": "r1"}), line(2, "b")])

    assert messages(store.find(Question(request_id="r1"))) == ["a"]


def test_pages_follow_each_other_without_gap_or_repetition(store: SqliteStore) -> None:
    store.write([line(number // 3, str(number)) for number in range(10)])
    seen: list[str] = []
    before = None
    while True:
        found = store.find(Question(limit=3, before=before))
        seen += messages(found)
        if not found.cursor:
            break
        before = place_of(found.cursor)

    assert sorted(seen) == sorted(str(number) for number in range(10))


def test_what_came_since_is_found(store: SqliteStore) -> None:
    store.write([line(1, "one")])
    newest = store.find(Question()).newest
    store.write([line(2, "two"), line(3, "three")])

    assert messages(store.find(Question(after=place_of(newest)))) == ["three", "two"]


@pytest.mark.parametrize("text", ["x", "&&&", "MTIz", "MTIzLmFi", "LTEuLTE", "é", "A" * 90])
def test_other_texts_are_no_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        place_of(text)


def test_only_so_many_lines_are_kept(tmp_path: Path, store: SqliteStore) -> None:
    few = make(tmp_path, most=3)
    few.write([line(number, str(number)) for number in range(10)])

    assert messages(few.find(Question())) == ["9", "8", "7"]
    few.close()


def test_old_lines_go(tmp_path: Path, store: SqliteStore) -> None:
    week = make(tmp_path, days=7)
    week.write([line(-8 * 86_400_000_000, "old"), line(1, "new")])

    assert messages(week.find(Question())) == ["new"]
    week.close()


def test_text_that_no_database_takes_is_made_plain(store: SqliteStore) -> None:
    event = {
        "event": "half \ud800 and \x00 nul",
        "field": {"k\x00": ["\udfff \x00", float("nan")]},
        "big": 1 << 70,
    }
    store.write([entries.of_event(event)])

    [kept] = store.find(Question()).entries
    assert kept["message"] == "half ? and \ufffd nul"
    assert kept["fields"]["field"] == {"k\ufffd": ["? \ufffd", "NaN"]}
    assert kept["fields"]["big"] == 1 << 70


def test_a_large_line_is_cut_in_its_middle() -> None:
    entry = entries.of_event({"event": "x" * 20_000, "exception": "b" + "t" * 50_000 + "e"})

    assert len(entry.message) <= entries.MESSAGE_LENGTH
    assert len(entry.fields["exception"]) <= entries.FIELD_LENGTH
    assert entry.fields["exception"][0] + entry.fields["exception"][-1] == "be"


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "new" / "logs.sqlite3", days=1, most=10)
    store.write([line(1)])

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.close()


def test_a_file_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "logs.sqlite3", days=1, most=10)
    store.write([line(1)])
    for path in tmp_path.iterdir():
        path.unlink()
    store.write([line(2, "again")])

    assert messages(store.find(Question())) == ["again"]
    store.close()


def test_a_broken_file_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "logs.sqlite3").write_bytes(b"not a database at all, " * 100)
    store = SqliteStore(tmp_path / "logs.sqlite3", days=1, most=10)

    with pytest.raises(Unreachable):
        store.write([line(1)])
    with pytest.raises(Unreachable):
        store.find(Question())


def test_a_server_that_is_away_is_unreachable(free_port: int) -> None:
    store = PostgresStore(f"postgres://u:p@127.0.0.1:{free_port}/d", days=1, most=10)

    with pytest.raises(Unreachable):
        store.write([line(1)])


def test_a_line_takes_no_lock_of_the_products_database(tmp_path: Path) -> None:
    product = sqlite3.connect(tmp_path / "kanbanai.sqlite3", isolation_level=None)
    product.execute("PRAGMA journal_mode=WAL")
    product.execute("BEGIN IMMEDIATE")
    url = f"sqlite:///{tmp_path / 'kanbanai.sqlite3'}"
    store = open_store(url, data_dir=tmp_path, days=1, most=10)

    store.write([line(1)])

    assert messages(store.find(Question())) == ["said"]
    store.close()
    product.close()


WRITER = """
import os, sys, time
from pathlib import Path
from apps.core.logs.entries import Entry
from apps.core.logs.store import PostgresStore, SqliteStore
where, name = sys.argv[1:]
store = (PostgresStore(where, days=7, most=100_000) if "://" in where
         else SqliteStore(Path(where), days=7, most=100_000))
for batch in range(20):
    at = int(time.time() * 1_000_000)
    store.write([Entry(at, 20, "w", f"{name}-{batch}-{n}", {}) for n in range(10)])
assert "django" not in sys.modules
"""


def test_several_processes_write_at_once_without_django(tmp_path: Path, store: SqliteStore) -> None:
    where = postgres_url() if connection.vendor == "postgresql" else str(tmp_path / "logs.sqlite3")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, where, str(name)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]

    seen: list[str] = []
    before = None
    while before is None or seen:
        found = store.find(Question(limit=500, before=before))
        seen += messages(found)
        if not found.cursor:
            break
        before = place_of(found.cursor)
    assert len(seen) == len(set(seen)) == 600
