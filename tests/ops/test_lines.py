"""The supervisor's own lines are found among those of all processes."""

from __future__ import annotations

import time
from pathlib import Path

from apps.core.logs.entries import name_of
from apps.core.logs.store import Question, SqliteStore
from kanbanai.supervisor import lines
from kanbanai.supervisor.console import Console
from kanbanai.supervisor.lines import Lines


def said(folder: Path) -> list[str]:
    found = SqliteStore(folder / "logs.sqlite3", days=7, most=100).find(Question())
    return [entry["message"] for entry in found.entries]


def test_what_the_supervisor_says_is_kept_without_secrets(tmp_path: Path) -> None:
    kept = Lines("sqlite:///x", data_dir=tmp_path, days=7, most=100)
    with (tmp_path / "terminal").open("wb") as terminal:
        console = Console(tmp_path, terminal=terminal, keep=kept.keep)
        console.say("web ended (exit code 1);\n  its last words: token=abcdef")

    assert said(tmp_path) == ["web ended (exit code 1); its last words: token=[redacted]"]
    assert (tmp_path / "terminal").read_text().startswith("web ended")


def test_lines_wait_while_the_store_is_away(tmp_path: Path) -> None:
    (tmp_path / "logs.sqlite3").mkdir()
    kept = Lines("sqlite:///x", data_dir=tmp_path, days=7, most=100)
    started = time.monotonic()
    kept.keep("first")
    assert time.monotonic() - started < 2 * lines.BUSY_SECONDS + 3
    (tmp_path / "logs.sqlite3").rmdir()
    kept._try_at = 0
    kept.keep("second")

    assert said(tmp_path) == ["second", "first"]


def test_nothing_is_kept_where_no_lines_are(tmp_path: Path) -> None:
    Lines("sqlite:///x", data_dir=tmp_path, days=7, most=0).keep("said")

    assert list(tmp_path.iterdir()) == []


def test_processes_are_named_by_what_they_do() -> None:
    celery = "/x/site-packages/celery/__main__.py"

    assert name_of(["/x/manage.py", "serve", "--fd", "3"]) == "web"
    assert name_of(["manage.py", "up"]) == "supervisor"
    assert name_of(["manage.py", "migrate"]) == "migrate"
    assert name_of([celery, "-A", "kanbanai.celery", "worker", "-Q", "fast"]) == "worker-fast"
    assert name_of([celery, "-A", "kanbanai.celery", "beat"]) == "beat"
    assert name_of(["/x/bin/pytest"]) == "pytest"
    assert name_of([]) == "python"
