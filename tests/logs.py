"""A log of a test's own: `with logs.keeping(folder, "said"): …` keeps lines there, one at first."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.test import override_settings

from apps.core.logs import setup
from apps.core.logs.entries import LEVELS, Entry

NOW = int(time.time() * 1_000_000)


def line(
    number: int,
    message: str = "said",
    *,
    level: str = "info",
    target: str = "tests",
    fields: Mapping[str, Any] | None = None,
) -> Entry:
    """This will be a line, `number` microseconds after this module was loaded."""
    return Entry(
        at=NOW + number, level=LEVELS[level], target=target, message=message, fields=fields or {}
    )


def write(*lines: Entry) -> None:
    """This will keep lines where the server keeps its own."""
    store = setup.store()
    store.write(lines)
    store.close()


@contextlib.contextmanager
def keeping(folder: Path, *messages: str) -> Iterator[None]:
    """This will have lines kept in a folder, whichever database the product has."""
    with override_settings(
        KANBANAI_LOG_LINES=1000,
        KANBANAI_LOG_STORE="sqlite:///beside",
        KANBANAI_DATA_DIR=folder,
    ):
        write(*[line(number, message) for number, message in enumerate(messages)])
        yield
