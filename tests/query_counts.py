"""Stored numbers of SQL statements: exact, one file an app, rewritten by `make query-counts`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

CountQueries = Callable[[str], AbstractContextManager[None]]

NAME = "query_counts.json"


def _stored(path: Path) -> dict[str, dict[str, int]]:
    if not path.exists():
        return {}
    found: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _store(path: Path, name: str, count: int) -> None:
    counts = _stored(path)
    counts.setdefault(name, {})[connection.vendor] = count
    path.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@pytest.fixture
def count_queries(request: pytest.FixtureRequest, db: None) -> CountQueries:
    """`with count_queries("GET /organizations"):` fails when the block takes another number.

    The number is kept for each database in `query_counts.json` beside the test.
    """
    path = request.path.parent / NAME

    @contextmanager
    def counting(name: str) -> Iterator[None]:
        with CaptureQueriesContext(connection) as captured:
            yield
        count = len(captured)
        if "UPDATE_QUERY_COUNTS" in os.environ:
            _store(path, name, count)
        statements = "\n".join(query["sql"] for query in captured.captured_queries)
        expected = _stored(path).get(name, {}).get(connection.vendor)
        assert count == expected, f"{name} took {count} statements, not {expected}:\n{statements}"

    return counting
