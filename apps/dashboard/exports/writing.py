"""Writes a project or an organization as one JSON document, row by row into a file.

The file is written before anything is sent: the snapshot of the database is held for as long as
that takes and no longer, and whatever goes wrong is still a proper answer. Each list is read in
one statement; a row is on a line of its own.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import tempfile
import unicodedata
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from apps.boards import files
from apps.core import ids, problems
from apps.core.camel import camelize
from apps.core.moments import moment
from apps.core.readings import one_moment
from apps.dashboard.exports import tables
from apps.orgs import queries as org_queries
from apps.projects import queries as project_queries
from apps.projects.models import Project
from apps.projects.operations.projects import EDITABLE_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apps.orgs.models import Organization

ROWS_AT_ONCE = 1_000
# A multiple of three, so that the pieces of base 64 can be laid side by side.
PIECE = 3 * 64 * 1024
NAME_LENGTH = 60


def spool_project(project: Project, *, with_files: bool = False) -> IO[bytes]:
    """This will write a project's document into a nameless file, to be read from its start.

    Unavailable where the disk is full; nothing is left behind in any case.
    """
    return _spool(lambda out: _project(out, project, with_files=with_files))


def spool_organization(organization: Organization, *, with_files: bool = False) -> IO[bytes]:
    """This will write the document of an organization with all its projects, as `spool_project`."""
    return _spool(lambda out: _organization(out, organization, with_files=with_files))


def file_name(name: str) -> str:
    """This will make a file's name of a project's: letters, digits and hyphens, and the day."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = slugify(plain)[:NAME_LENGTH].strip("-_") or "export"
    return f"{slug}-{timezone.now():%Y-%m-%d}.json"


def _spool(write: Any) -> IO[bytes]:
    with contextlib.ExitStack() as undo:
        try:
            out = tempfile.TemporaryFile(dir=settings.KANBANAI_DATA_DIR)  # noqa: SIM115 - the caller's
            undo.callback(out.close)
            with one_moment():
                write(out)
            out.seek(0)
        except OSError as error:
            raise problems.Unavailable("The server has no room to write the export.") from error
        undo.pop_all()
    return out


def _organization(out: IO[bytes], organization: Organization, *, with_files: bool) -> None:
    _open(out, tables.ORGANIZATION)
    shown = {"id": organization.public_id, "name": organization.name}
    _entry(out, "organization", shown | _times(organization))
    members = (
        {"email": row.user.email, "name": row.user.display_name, "role": row.role}
        for row in org_queries.members_of(organization)
    )
    _list(out, "members", members)
    out.write(b',\n"projects":[')
    projects = Project.objects.filter(organization=organization).order_by("created_at", "pk")
    for number, project in enumerate(projects):
        out.write(b",\n" if number else b"\n")
        _project(out, project, with_files=with_files)
    out.write(b"]}\n")


def _project(out: IO[bytes], project: Project, *, with_files: bool) -> None:
    # Read again: what the caller holds is older than the snapshot.
    there = Project.objects.select_related("owner", "organization", "settings")
    found = there.filter(pk=project.pk).first()
    if found is None:
        message = "Project not found."
        raise problems.NotFound(message)
    project = found
    _open(out, tables.PROJECT)
    _entry(out, "project", _project_facts(project))
    chosen = {camelize(name): getattr(project.settings, name) for name in EDITABLE_SETTINGS}
    _entry(out, "settings", chosen)
    _list(out, "members", _members(project))
    invitations = (
        {"email": row.email, "role": row.role} for row in project_queries.invitations_of(project)
    )
    _list(out, "invitations", invitations)
    labels: dict[str, None] = {}
    for table in tables.TABLES:
        rows = _rows(table, project)
        if table is tables.CARDS:
            rows = _noting_labels(rows, labels)
        if table is tables.ATTACHMENTS and with_files:
            _attachments(out, project)
        else:
            _list(out, table.key, rows)
    _entry(out, "labels", sorted(labels))
    out.write(b"}\n")


def _project_facts(project: Project) -> dict[str, Any]:
    organization = project.organization
    return {
        "id": project.public_id,
        "name": project.name,
        "description": project.description,
        "color": project.color,
        "owner": project.owner.email,
        "organization": organization.name if organization else None,
        "repositoryUrl": project.repository_url or None,
        "nextTicketNumber": project.next_ticket_number,
        **_times(project),
    }


def _times(row: Any) -> dict[str, str]:
    return {"createdAt": moment(row.created_at), "updatedAt": moment(row.updated_at)}


def _members(project: Project) -> Iterator[dict[str, Any]]:
    for row in project_queries.members_of(project):
        yield {"email": row.user.email, "name": row.user.display_name, "role": row.role}


def _noting_labels(
    rows: Iterator[dict[str, Any]], labels: dict[str, None]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        labels.update(dict.fromkeys(map(str, row["labels"])))
        yield row


def _rows(table: tables.Table, project: Project) -> Iterator[dict[str, Any]]:
    """A table's rows as the document shows them, in one statement."""
    if table is tables.PIPELINES:
        yield from _pipelines(project)
        return
    columns = [column for column in table.columns if column != table.placed_in]
    read = [f"{column}__email" if table.is_person(column) else column for column in columns]
    parent = table.placed_in
    found = (
        table.model._default_manager.filter(**{table.project: project})  # noqa: SLF001 - as every model has it
        .order_by(*table.order)
        .values_list("pk", F(parent or "pk"), *read)
    )
    names = [table.name(column) for column in columns]
    refers = [table.refers_to(column) for column in columns]
    prefixes = [str(getattr(model, "id_prefix", "")) if model else "" for model in refers]
    before, position = None, 0
    for key, above, *values in found.iterator(chunk_size=ROWS_AT_ONCE):
        row: dict[str, Any] = {"id": ids.encode(table.prefix, key)} if table.prefix else {}
        if parent:
            position = position + 1 if above == before else 0
            before = above
            if parent in table.columns:
                prefix = str(table.refers_to(parent).id_prefix)  # type: ignore[union-attr]
                row[table.name(parent)] = ids.encode(prefix, above)
            row["position"] = position
        for name, prefix, value in zip(names, prefixes, values, strict=True):
            row[name] = _shown(value, prefix)
        yield row


def _pipelines(project: Project) -> Iterator[dict[str, Any]]:
    found = tables.PIPELINES.model._default_manager.filter(project=project)  # noqa: SLF001 - as above
    rows = found.exclude(pipeline=[]).order_by("pk").values_list("pk", "pipeline")
    for key, steps in rows.iterator(chunk_size=ROWS_AT_ONCE):
        yield {"cardId": ids.encode("card", key), "steps": steps}


def _shown(value: Any, prefix: str) -> Any:
    match value:
        case UUID():
            return ids.encode(prefix, value)
        case dt.datetime():
            return moment(value)
        case Decimal():
            return str(value)
    return value


def _attachments(out: IO[bytes], project: Project) -> None:
    """The attachments with what is in them; a file that is gone has null."""
    paths = dict(
        tables.ATTACHMENTS.model._default_manager.filter(card__project=project)  # noqa: SLF001 - as above
        .values_list("pk", "path")
        .iterator(chunk_size=ROWS_AT_ONCE)
    )
    out.write(b',\n"attachments":[')
    for number, row in enumerate(_rows(tables.ATTACHMENTS, project)):
        out.write(b",\n" if number else b"\n")
        out.write(_json(row)[:-1] + b',"content":')
        try:
            file = files.place_of(paths[ids.decode("att", row["id"])]).open("rb")
        except OSError:
            out.write(b"null}")
        else:
            with file:
                _base64(out, file)
    out.write(b"]")


def _base64(out: IO[bytes], file: IO[bytes]) -> None:
    out.write(b'"')
    while piece := file.read(PIECE):
        out.write(base64.b64encode(piece))
    out.write(b'"}')


def _open(out: IO[bytes], kind: str) -> None:
    head = {"version": tables.VERSION, "kind": kind, "exportedAt": moment(timezone.now())}
    out.write(_json(head)[:-1])


def _entry(out: IO[bytes], key: str, value: Any) -> None:
    out.write(b",\n" + _json(key) + b":" + _json(value))


def _list(out: IO[bytes], key: str, rows: Iterator[dict[str, Any]]) -> None:
    out.write(b",\n" + _json(key) + b":[")
    for number, row in enumerate(rows):
        out.write((b",\n" if number else b"\n") + _json(row))
    out.write(b"]")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
