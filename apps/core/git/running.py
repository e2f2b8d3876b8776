"""The commands every caller uses: run, text, records, succeeds, identity, version."""

import functools
import os
import random
import re
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from apps.core.git import processes
from apps.core.git.errors import GitMissing, Locked, OutputTooLarge, explain, shown
from apps.core.git.places import DEFAULT_IDENTITY, Finished, Identity, Login, Place, Watch

MINIMUM_VERSION = (2, 38, 0)
"""`git merge-tree --write-tree`, which merges without any checkout, came with 2.38."""

TIMEOUT = 120.0
OUTPUT_LIMIT = 16 * 1024 * 1024
PATIENCE = 10.0
PROTOCOLS = ("https", "http", "ssh", "git")

Argument: TypeAlias = str | bytes | os.PathLike[str]


def run(
    *arguments: Argument,
    at: Path | Place,
    codes: Collection[int] = (0,),
    stdin: bytes = b"",
    timeout: float = TIMEOUT,
    limit: int = OUTPUT_LIMIT,
    truncate: bool = False,
    patient: bool = False,
    environment: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    login: Login | None = None,
    protocols: Collection[str] = PROTOCOLS,
    watch: Watch | None = None,
) -> Finished:
    """Run git at a place and give what it left.

    An exit code outside `codes` raises the fitting `GitError`. More than `limit` bytes of output
    raise `OutputTooLarge`, or are cut when `truncate`. `timeout` is in seconds; `patient` waits
    up to `PATIENCE` seconds for locks held by others.
    """
    place = at if isinstance(at, Place) else Place(at)
    values = [*processes.SETTINGS.items(), *(settings or {}).items()]
    extra = dict(environment or {})
    if login is not None:
        values += login.settings()
        extra |= login.environment()
    command = [processes.program(), *(os.fsdecode(argument) for argument in arguments)]
    full = processes.environment(place, values, protocols) | extra
    until = time.monotonic() + (PATIENCE if patient else 0)
    pause = 0.02
    while True:
        finished = processes.finish(command, place, full, stdin, timeout, limit, watch)
        if finished.truncated and not truncate:
            raise OutputTooLarge(
                f"The answer of git {arguments[0]!s} is larger than {limit} bytes."
            )
        if finished.code in codes or (finished.truncated and truncate):
            return finished
        failure = explain(finished.stderr, at=place.directory, code=finished.code)
        if not isinstance(failure, Locked) or time.monotonic() > until:
            raise failure
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, no secret
        pause = min(pause * 2, 0.5)


def text(*arguments: Argument, at: Path | Place) -> str:
    """Run git and give its output as text without the last line end."""
    return shown(run(*arguments, at=at).stdout).removesuffix("\n")


def find_text(*arguments: Argument, at: Path | Place) -> str | None:
    """Run git and give its output as text, or None when it answers with exit code 1."""
    finished = run(*arguments, at=at, codes=(0, 1))
    return None if finished.code else shown(finished.stdout).removesuffix("\n")


def records(*arguments: Argument, at: Path | Place) -> list[bytes]:
    """Run git with a NUL-separated output and give its records."""
    return run(*arguments, at=at).stdout.split(b"\0")[:-1]


def succeeds(*arguments: Argument, at: Path | Place) -> bool:
    """Run git and say whether it answers 0 (True) or 1 (False); anything else raises."""
    return run(*arguments, at=at, codes=(0, 1)).code == 0


def require_version() -> tuple[int, ...]:
    """Give git's version; raise `GitMissing` when there is none or it is too old."""
    found = version()
    if found < MINIMUM_VERSION:
        asked, have = (".".join(map(str, part)) for part in (MINIMUM_VERSION, found))
        raise GitMissing(f"Git {asked} or newer is needed, but {have} is installed.")
    return found


@functools.cache
def version() -> tuple[int, ...]:
    """Give git's version as three numbers."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text("version", at=Path("/")))
    if match is None:
        raise GitMissing("Git does not tell its version.")
    return tuple(int(part or 0) for part in match.groups())


def identity(at: Path | Place, preferred: Identity | None = None) -> Identity:
    """Give who commits: the preferred one, else git's configuration, else the product."""
    if preferred is not None and preferred.name.strip() and preferred.email.strip():
        clean = re.compile(r"[\x00-\x1f\x7f<>]")
        return Identity(
            clean.sub("", preferred.name).strip() or DEFAULT_IDENTITY.name,
            clean.sub("", preferred.email).strip() or DEFAULT_IDENTITY.email,
        )
    name = find_text("config", "--get", "user.name", at=at)
    email = find_text("config", "--get", "user.email", at=at)
    return Identity(name, email) if name and email else DEFAULT_IDENTITY
