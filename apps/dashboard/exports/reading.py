"""A document as it is sent: one file, which is read whole and therefore may not be any size."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

from django.conf import settings
from rest_framework.exceptions import ParseError

from apps.core import problems
from apps.core.parsers import StrictJSONParser

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile


def read_document(file: UploadedFile[Any]) -> Any:
    """This will read a document; PayloadTooLarge, or ValidationFailed where it is no JSON."""
    most = int(settings.KANBANAI_MAX_IMPORT_BYTES)
    if file.size is None or file.size > most:
        message = f"A document may have at most {most // (1024 * 1024)} MB."
        raise problems.PayloadTooLarge(message)
    try:
        return StrictJSONParser().parse(cast("IO[bytes]", file))
    except ParseError as error:
        raise problems.ValidationFailed(str(error.detail)) from error
