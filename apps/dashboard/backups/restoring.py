"""Puts a backup back into an empty server. Nothing is written before all of it was looked at."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from apps.core import secrets
from apps.dashboard.backups import databases
from apps.dashboard.backups.databases import Broken
from apps.dashboard.backups.making import FORMAT, MANIFEST, PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

# A list of members of a million files has less.
MANIFEST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """One file in the archive, as the manifest tells of it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A backup that was found whole, and fits here."""

    file: Path
    created_at: str
    version: str
    migrations: databases.State
    members: tuple[Member, ...]
    repositories: tuple[str, ...]

    def beneath(self, folder: str) -> list[Member]:
        """This will list the members of a folder."""
        return [member for member in self.members if member.name.startswith(f"{folder}/")]


@dataclass
class Report:
    """What was put back, and what is still to be brought."""

    attachments: int = 0
    secrets: int = 0
    unreadable_secrets: int = 0
    missing_repositories: list[str] = field(default_factory=list)


def look(file: Path) -> Plan:
    """This will read a backup to its end: its list, every sum, and whether it can be used here.

    `Broken` says in one sentence why not.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive)
            members = _members(manifest)
            _require_same_names(archive, members)
            _require_room(members)
            for member in members:
                _require_sum(archive, member)
    except FileNotFoundError as error:
        raise Broken(f"There is no file {file}.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, zlib.error) as error:
        raise Broken(f"{file.name} is no backup, or is damaged: {error}.") from error
    except OSError as error:
        raise Broken(f"{file} cannot be read: {error.strerror or error}.") from error
    plan = _plan(file, manifest, members)
    newer = databases.unknown(plan.migrations)
    if newer:
        raise Broken(
            f"The backup was made by a newer version of the product ({newer[0]} is not known here)."
        )
    return plan


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        info = archive.getinfo(MANIFEST)
    except KeyError as error:
        raise Broken(f"There is no {MANIFEST} in the archive: it is no backup.") from error
    if info.file_size > MANIFEST_BYTES:
        raise Broken(f"{MANIFEST} is too large.")
    try:
        manifest = json.loads(archive.read(info))
    except (ValueError, RecursionError) as error:
        raise Broken(f"{MANIFEST} is no JSON.") from error
    if not isinstance(manifest, dict) or manifest.get("product") != "KanbanAI":
        raise Broken(f"{MANIFEST} is not that of a backup.")
    if manifest.get("format") != FORMAT:
        raise Broken(f"This version reads backups of format {FORMAT}.")
    return manifest


def _members(manifest: dict[str, Any]) -> list[Member]:
    try:
        found = [
            Member(str(one["name"]), int(one["size"]), str(one["sha256"]))
            for one in manifest["members"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise Broken(f"{MANIFEST} has no proper list of members.") from error
    for member in found:
        path = PurePosixPath(member.name)
        known = path.parts[:1] in {(databases.FOLDER,), ("files",)}
        if path.is_absolute() or ".." in path.parts or not known or "\\" in member.name:
            raise Broken(f"The backup has a member with the name {member.name!r}.")
    return found


def _require_same_names(archive: zipfile.ZipFile, members: list[Member]) -> None:
    there = sorted(info.filename for info in archive.infolist())
    listed = sorted([MANIFEST, *(member.name for member in members)])
    if there != listed:
        odd = sorted(set(there) ^ set(listed)) or ["one of them twice"]
        raise Broken(f"The archive does not hold what its list says: {odd[0]}.")


def _require_room(members: list[Member]) -> None:
    place = Path(settings.KANBANAI_DATA_DIR)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    needed, free = sum(member.size for member in members), shutil.disk_usage(place).free
    if needed > free:
        raise Broken(f"{needed} bytes are needed in {place}, and {free} are free.")


def _require_sum(archive: zipfile.ZipFile, member: Member) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(member.name) as source:
        while piece := source.read(PIECE):
            digest.update(piece)
            size += len(piece)
            if size > member.size:
                break
    if size != member.size or digest.hexdigest() != member.sha256:
        raise Broken(f"{member.name} is not what it was when the backup was made.")


def _plan(file: Path, manifest: dict[str, Any], members: list[Member]) -> Plan:
    database = manifest.get("database")
    if not isinstance(database, dict) or not isinstance(database.get("migrations"), dict):
        raise Broken(f"{MANIFEST} does not tell of the database.")
    if database.get("engine") != databases.engine():
        raise Broken(
            f"The backup is of {database.get('engine')}, this server uses {databases.engine()}; "
            "export the projects there and import them here."
        )
    databases.require_members(
        member.name for member in members if member.name.startswith(f"{databases.FOLDER}/")
    )
    return Plan(
        file=file,
        created_at=str(manifest.get("createdAt")),
        version=str(manifest.get("version")),
        migrations={
            str(app): [str(name) for name in names] for app, names in database["migrations"].items()
        },
        members=tuple(members),
        repositories=tuple(str(path) for path in manifest.get("repositories") or ()),
    )


def require_empty() -> None:
    """This will raise `Broken` where this server has accounts, projects or files already."""
    stored = Path(settings.MEDIA_ROOT)
    if not databases.is_empty() or (stored.is_dir() and any(stored.rglob("*"))):
        raise Broken("This server is not empty. Restore into a new data folder or a new database.")


def restore(plan: Plan) -> Report:
    """This will put back what was looked at, bring its tables up to date, and tell what is missing.

    Nobody may use the database meanwhile; the caller sees to that.
    """
    report = Report()
    scratch = Path(settings.KANBANAI_DATA_DIR) / ".restoring"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)
    try:
        with zipfile.ZipFile(plan.file) as archive:
            for member in plan.beneath("files"):
                _extract(archive, member, scratch / member.name)
                report.attachments += 1
            _database(plan, archive)
        _move_files(scratch / "files")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    report.secrets, report.unreadable_secrets = _count_secrets()
    report.missing_repositories = [
        path for path in plan.repositories if not (Path(path) / ".git").exists()
    ]
    return report


def _database(plan: Plan, archive: zipfile.ZipFile) -> None:
    if connection.vendor == "sqlite":
        place = Path(str(connection.settings_dict["NAME"]))
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Beside its place to be, so that it can be put there in one go.
        copied = place.with_name(f".{place.name}.restoring")
        [member] = plan.beneath(databases.FOLDER)
        _extract(archive, member, copied)
        try:
            databases.put_back_sqlite(copied)
        finally:
            copied.unlink(missing_ok=True)
    else:
        databases.put_back_postgresql(plan.migrations, _rows(plan, archive))


def _rows(plan: Plan, archive: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in plan.beneath(databases.FOLDER):
        with archive.open(member.name) as rows:
            yield databases.table_of(member.name), rows


def _extract(archive: zipfile.ZipFile, member: Member, place: Path) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as target, archive.open(member.name) as source:
        shutil.copyfileobj(source, target, PIECE)


def _move_files(found: Path) -> None:
    if not found.is_dir():
        return
    root = Path(settings.MEDIA_ROOT)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in found.iterdir():
        shutil.move(place, root / place.name)


def _count_secrets() -> tuple[int, int]:
    """The stored secrets, and how many of them no key of this server opens."""
    count, unreadable = 0, 0
    for model, column in secrets.encrypted_fields():
        table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - Django's documented API
        name = connection.ops.quote_name(column.column or column.name)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {name} FROM {table} WHERE {name} <> ''")  # noqa: S608 - quoted
            for [stored] in cursor.fetchall():
                count += 1
                try:
                    secrets.cipher().decrypt(stored)
                except InvalidToken:
                    unreadable += 1
    return count, unreadable
