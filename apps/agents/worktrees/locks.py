"""Locks between our own processes; git's own locks do not cover everything git does.

Two ``git worktree add`` trip over each other's half-made entries, and two merges into one checkout
take each other's files for a person's changes.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from apps.core import git

PATIENCE = 60.0


@contextlib.contextmanager
def held(path: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Hold a directory or file for ourselves; raise `git.Locked` after `patience` seconds."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + patience
        while not _taken(handle):
            if time.monotonic() >= until:
                raise git.Locked(f"Another process of the server is at work in {path}.")
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
