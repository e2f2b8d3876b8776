"""Whether the SQLite database is known to be up to date, told without loading Django."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from pathlib import Path


def fingerprint(project: Path) -> str:
    """This will give a text that changes with any migration of ours or of a library."""
    digest = hashlib.sha256()
    digest.update((project / "requirements" / "base.txt").read_bytes())
    for path in sorted(project.glob("apps/*/migrations/*.py")):
        digest.update(str(path.relative_to(project)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def applied(database: Path) -> list[int]:
    """This will give the number and the last id of the applied migrations; empty when unknown."""
    if not database.is_file():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT count(*), max(id) FROM django_migrations"
            return list(connection.execute(query).fetchone())
        except sqlite3.Error:
            return []


def is_current(stamp: Path, *, project: Path, database: Path) -> bool:
    """True when the stamp was written for these migrations and this very database."""
    try:
        known = json.loads(stamp.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    found = applied(database)
    return bool(found) and known == {"fingerprint": fingerprint(project), "applied": found}


def write_stamp(stamp: Path, *, project: Path, database: Path) -> None:
    """This will note that the database is up to date."""
    known = {"fingerprint": fingerprint(project), "applied": applied(database)}
    stamp.write_text(json.dumps(known), encoding="ascii")
