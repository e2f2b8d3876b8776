"""REST: files of cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import FileResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser

from apps.boards import files, inputs, operations, outputs, queries
from apps.boards.api.cards import card_in
from apps.core import conditions, problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.boards.models import Attachment

# What a multipart body has around its one file.
AROUND_BYTES = 64 * 1024


class Attachments(Endpoint):
    """The files of a card."""

    parser_classes = (MultiPartParser,)

    @document(summary="List a card's attachments", response=list[outputs.Attachment])
    def get(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        card = card_in(self, project_id, card_id)
        return results.ok(outputs.attachments(queries.attachments_of(card)))

    @document(
        summary="Attach a file to a card",
        description="At most `KANBANAI_MAX_ATTACHMENT_MB`.",
        request=inputs.UploadAttachment,
        response=outputs.Attachment,
        status=201,
        problems=(413, 415),
    )
    def post(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        card = card_in(self, project_id, card_id)
        _refuse_too_long(request)
        try:
            upload = self.read(inputs.UploadAttachment)["file"]
        except ParseError as error:
            raise problems.ValidationFailed("The body is not valid multipart form data.") from error
        with files.taken_in(upload, project_id=card.project_id) as stored:
            attachment = operations.add_attachment(actor=self.actor, card=card, stored=stored)
        return results.created(outputs.attachment(attachment))


def _refuse_too_long(request: Request) -> None:
    """Before anything is read: what is far too long need not be sent to its end."""
    length = str(request.META.get("CONTENT_LENGTH") or "")
    if length.isdigit() and int(length) > files.limit() + AROUND_BYTES:
        raise files.too_large()


class OneAttachment(Endpoint):
    """One file."""

    @document(
        summary="Download an attachment",
        description="Images and plain text may be shown in place, everything else is a download.",
        media_type="application/octet-stream",
    )
    def get(self, request: Request, attachment_id: UUID) -> HttpResponseBase:
        return download(queries.get_attachment(actor=self.actor, attachment_id=attachment_id))

    def shown(self, attachment_id: UUID) -> Response:
        attachment = queries.get_attachment(actor=self.actor, attachment_id=attachment_id)
        return results.ok(outputs.attachment(attachment))

    @document(summary="Delete an attachment", status=204)
    def delete(self, request: Request, attachment_id: UUID) -> Response:
        attachment = queries.get_attachment(actor=self.actor, attachment_id=attachment_id)
        operations.delete_attachment(actor=self.actor, attachment=attachment)
        return results.no_content()


def download(attachment: Attachment) -> FileResponse:
    """This will send a file so that no browser runs anything that is in it."""
    content_type = attachment.content_type
    response = FileResponse(
        files.open_stored(attachment.path),
        as_attachment=content_type not in files.INLINE,
        filename=attachment.filename,
        content_type=f"{files.PLAIN}; charset=utf-8"
        if content_type == files.PLAIN
        else content_type,
    )
    # A file never changes, so whatever is said of it tags its bytes as well.
    response.headers["ETag"] = conditions.tag_of_data({"data": outputs.attachment(attachment)})
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "private, no-cache"
    return response
