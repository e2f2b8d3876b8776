"""REST: projects and organizations as documents, and back."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from django.http import FileResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser

from apps.boards import queries as board_queries
from apps.core import ids, problems, results
from apps.core.parsers import StrictJSONParser
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.dashboard import inputs, operations, outputs
from apps.dashboard.exports import checking, reading, writing
from apps.orgs import queries as org_queries
from apps.orgs import rules as org_rules
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.core.actors import Actor
    from apps.orgs.models import Organization

ORGANIZATION_HEADER = "X-Organization-Id"
ABOUT = (
    "One JSON document, without an envelope. `attachments=content` puts the files of cards into "
    "it in base 64; otherwise their names are in it. It holds no secrets and nothing of the "
    "repository."
)


def download(file: IO[bytes], name: str) -> FileResponse:
    """This will send a document as a file to keep."""
    response = FileResponse(
        file,
        as_attachment=True,
        filename=writing.file_name(name),
        content_type="application/json",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


class ProjectExport(Endpoint):
    """A project as a document."""

    @document(
        summary="Export a project",
        description=ABOUT,
        query=inputs.Export,
        media_type="application/octet-stream",
        problems=(503,),
    )
    def get(self, request: Request, project_id: UUID) -> HttpResponseBase:
        with_files = self.read_query(inputs.Export)["attachments"] == "content"
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        file = writing.spool_project(project, with_files=with_files)
        return download(file, project.name)


class OrganizationExport(Endpoint):
    """An organization with all its projects as a document."""

    @document(
        summary="Export an organization",
        description=ABOUT,
        request=inputs.ExportOrganization,
        query=inputs.Export,
        media_type="application/octet-stream",
        problems=(404, 503),
    )
    def post(self, request: Request) -> HttpResponseBase:
        with_files = self.read_query(inputs.Export)["attachments"] == "content"
        wanted = self.read(inputs.ExportOrganization).get("organization_id")
        with problems.named("organizationId"):
            organization = _organization(request, self.actor, wanted)
        org_rules.require_admin(self.actor, organization)
        file = writing.spool_organization(organization, with_files=with_files)
        return download(file, organization.name)


def _organization(request: Request, actor: Actor, wanted: UUID | None) -> Organization:
    """The organization of the body, else of the header, else the only one."""
    named = request.headers.get(ORGANIZATION_HEADER, "")
    if wanted is None and named:
        wanted = ids.decode("org", named)
    if wanted is not None:
        return org_queries.get_organization(wanted, actor=actor)
    mine = org_queries.organizations_of(actor.person)
    if len(mine) != 1:
        detail = "Say which organization."
        raise problems.ValidationFailed.of("organizationId", detail, "required")
    return mine[0]


class Import(Endpoint):
    """A document becomes projects."""

    parser_classes = (MultiPartParser, StrictJSONParser)

    @document(
        summary="Import a document",
        description="What an export gave, as the body or as the `file` of a form; a body that is "
        "no form may have 4 MB, a file `KANBANAI_MAX_IMPORT_MB`; at most 500 people are "
        "invited, each by one mail. Options of the import stand in the form, or in the query. All "
        "of it is taken or nothing. The projects are the caller's, with new ids and new "
        "repositories; importing twice makes two.",
        request=inputs.ImportFile,
        query=inputs.ImportOptions,
        response=list[outputs.ImportedProject],
        status=201,
        problems=(413, 415, 503),
    )
    def post(self, request: Request) -> Response:
        found, options = _sent(self)
        # Looked at before the transaction, which is as short as can be.
        contents = checking.contents(found)
        made = operations.import_document(actor=self.actor, contents=contents, **options)
        boards = [board_queries.boards_of(one.project)[0] for one in made]
        person = self.actor.person
        return results.created(
            [outputs.imported(one, board, person) for one, board in zip(made, boards, strict=True)]
        )


def _sent(view: Import) -> tuple[Any, dict[str, Any]]:
    """The document, and the options beside it."""
    try:
        if not view.request.content_type.startswith("multipart/"):
            return view.request.data, view.read_query(inputs.ImportOptions)
        options = view.read(inputs.ImportFile)
    except ParseError as error:
        raise problems.ValidationFailed(str(error.detail)) from error
    return reading.read_document(options.pop("file")), options
