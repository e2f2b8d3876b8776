"""The folder with the backups: names, order, and how many are kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from django.conf import settings

from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = re.compile(r"backup-(\d{8}-\d{6})\.zip")
STAMP = "%Y%m%d-%H%M%S"
# A backup that is being made, or was when the machine went down.
SCRATCH = ".making"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A finished backup."""

    filename: str
    size: int
    created_at: dt.datetime


def folder() -> Path:
    """This will be the folder of the backups, made on first use for its owner alone."""
    place = Path(settings.KANBANAI_DATA_DIR) / "backups"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def backups() -> list[Backup]:
    """This will list the backups, the newest first."""
    found = []
    for place in folder().iterdir():
        made_at = _moment(place.name)
        if made_at is None or place.is_symlink():
            continue
        with contextlib.suppress(OSError):
            size = place.stat().st_size
            found.append(Backup(filename=place.name, size=size, created_at=made_at))
    return sorted(found, key=lambda one: one.filename, reverse=True)


def _moment(name: str) -> dt.datetime | None:
    matched = NAME.fullmatch(name)
    if matched is None:
        return None
    try:
        return dt.datetime.strptime(matched[1], STAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def get_backup(filename: str) -> Backup:
    """This will find a backup by its name; only what the list shows is ever found."""
    for one in backups():
        if one.filename == filename:
            return one
    message = "Backup not found."
    raise problems.NotFound(message)


def open_backup(backup: Backup) -> IO[bytes]:
    """This will open a backup for reading; NotFound when it has gone meanwhile."""
    try:
        return (folder() / backup.filename).open("rb")
    except OSError as error:
        message = "Backup not found."
        raise problems.NotFound(message) from error


@contextlib.contextmanager
def alone() -> Iterator[Path]:
    """This will keep every other backup out, on this machine, and give an empty folder to work in.

    Conflict while another one is being made.
    """
    handle = _taken()
    if handle is None:
        message = "A backup is being made already."
        raise problems.Conflict(message)
    scratch = folder() / SCRATCH
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(handle)


def is_busy() -> bool:
    """True while a backup is being made."""
    handle = _taken()
    if handle is None:
        return True
    os.close(handle)
    return False


def _taken() -> int | None:
    """The lock, or None while somebody else has it; closing it lets it go."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    handle = os.open(folder() / ".lock", flags, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def put_away(made: Path, now: dt.datetime) -> Backup | None:
    """This will give a finished file its name; None where another backup has it already."""
    place = folder() / f"backup-{now.strftime(STAMP)}.zip"
    try:
        place.hardlink_to(made)
    except FileExistsError:
        return None
    return Backup(
        filename=place.name, size=place.stat().st_size, created_at=now.replace(microsecond=0)
    )


def rotate() -> None:
    """This will remove the oldest backups beyond the number that is kept."""
    for one in backups()[settings.KANBANAI_BACKUPS_KEPT :]:
        with contextlib.suppress(OSError):
            (folder() / one.filename).unlink()
