"""Makes a backup: one archive with the database, the files of cards, and a list of it all.

Files are held by a second name before the database is copied, so that none that the copy speaks of
can go in between; those that came after are added. Keys and repositories are never in it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import json
import os
import shutil
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.utils import timezone

from apps.boards import files
from apps.core import problems
from apps.core.moments import moment
from apps.dashboard.backups import databases, shelf
from apps.projects.models import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)

FORMAT = 1
MANIFEST = "manifest.json"
PIECE = 1024 * 1024
# A name holds seconds: two within one have to wait for the next.
STEP_SECONDS = 0.05


@dataclass
class Archive:
    """An archive under way, and what is in it so far."""

    file: zipfile.ZipFile
    members: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, place: Path, *, packed: bool = True) -> None:
        """This will add a file under a name, with the sum of what was really written."""
        digest, size = hashlib.sha256(), 0
        entry = zipfile.ZipInfo(name, date_time=timezone.now().timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        entry.external_attr = 0o600 << 16
        with place.open("rb") as source, self.file.open(entry, "w", force_zip64=True) as target:
            while piece := source.read(PIECE):
                digest.update(piece)
                size += len(piece)
                target.write(piece)
        self.members.append({"name": name, "size": size, "sha256": digest.hexdigest()})


def make() -> shelf.Backup:
    """This will make a backup while everything goes on, put it on the shelf, and rotate the shelf.

    Conflict while another is being made; Unavailable where the disk is full, with nothing left.
    """
    try:
        with shelf.alone() as scratch:
            _require_room()
            made = _write(scratch)
            backup = _put_away(made)
            shelf.rotate()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            message = "The disk is full: the backup was not made."
        else:
            message = f"The backup could not be written: {error.strerror}."
        raise problems.Unavailable(message) from error
    log.info("backup_made", backup=backup.filename, size=backup.size)
    return backup


def _require_room() -> None:
    """Twice the database (the copy beside its packed form) and the files, as far as is known."""
    needed = 2 * databases.size() + sum(size for _place, size in _stored())
    free = shutil.disk_usage(shelf.folder()).free
    if needed > free:
        megabytes = 1024 * 1024
        message = (
            f"A backup may need {needed // megabytes} MB, and {free // megabytes} MB are free."
        )
        raise problems.Unavailable(message)


def _stored() -> Iterator[tuple[Path, int]]:
    """Every file of a card on the disk, and its size; some go while we look."""
    for folder, _folders, names in os.walk(Path(settings.MEDIA_ROOT) / files.FOLDER):
        for name in names:
            place = Path(folder, name)
            try:
                size = place.stat().st_size
            except FileNotFoundError:
                continue
            yield place, size


def _write(scratch: Path) -> Path:
    held = scratch / "held"
    held.mkdir()
    _hold(held)
    place = scratch / "backup.zip"
    place.touch(mode=0o600)
    with zipfile.ZipFile(place, "w", compresslevel=1) as file:
        archive = Archive(file)
        state = databases.copy(scratch, archive.add)
        _hold(held)
        count = _add_files(archive, held)
        manifest = {
            "format": FORMAT,
            "product": "KanbanAI",
            "version": settings.SPECTACULAR_SETTINGS["VERSION"],
            "createdAt": moment(timezone.now()),
            "database": {"engine": databases.engine(), "migrations": state},
            "attachments": count,
            # Not in here, so that whoever restores knows what to bring.
            "repositories": list(Project.objects.order_by("path").values_list("path", flat=True)),
            "members": archive.members,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        file.writestr(MANIFEST, text, compress_type=zipfile.ZIP_DEFLATED)
    databases.sync_to_disk(place)
    return place


def _hold(held: Path) -> None:
    """Gives every file of a card a second name, under which it stays until the backup is made."""
    root = Path(settings.MEDIA_ROOT)
    for place, _size in _stored():
        name = held / place.relative_to(root)
        name.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            try:
                name.hardlink_to(place)
            except OSError as error:
                if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
                    raise
                # On another disk: then it takes a copy, once.
                if not name.exists():
                    shutil.copyfile(place, name)


def _add_files(archive: Archive, held: Path) -> int:
    """Adds the held files and counts them; one without a row is swept away where it is restored."""
    count = 0
    for place in sorted(held.glob("*/*/*")):
        archive.add(f"files/{place.relative_to(held).as_posix()}", place, packed=False)
        count += 1
    return count


def _put_away(made: Path) -> shelf.Backup:
    while True:
        backup = shelf.put_away(made, timezone.now().astimezone(dt.UTC))
        if backup is not None:
            return backup
        time.sleep(STEP_SECONDS)
