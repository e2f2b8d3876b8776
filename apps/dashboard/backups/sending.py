"""Sends a backup to a browser, all of it or the part that was asked for."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import IO, TYPE_CHECKING

from django.http import FileResponse, StreamingHttpResponse

from apps.dashboard.backups import shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpResponseBase

PIECE = 256 * 1024
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def send(backup: shelf.Backup, asked: str) -> HttpResponseBase:
    """This will answer a download; `asked` is the header `Range`, which may name one part."""
    file = shelf.open_backup(backup)
    matched = RANGE.fullmatch(asked)
    part = _part(matched[1], matched[2], backup.size) if matched else None
    if part is None:
        response: HttpResponseBase = FileResponse(file, content_type="application/zip")
    else:
        response = StreamingHttpResponse(
            _pieces(file, *part), status=HTTPStatus.PARTIAL_CONTENT, content_type="application/zip"
        )
        response.headers["Content-Range"] = f"bytes {part[0]}-{part[1]}/{backup.size}"
        response.headers["Content-Length"] = str(part[1] - part[0] + 1)
    response.headers["Content-Disposition"] = f'attachment; filename="{backup.filename}"'
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _part(first: str, last: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte; None where there is no such part, and all of it is sent."""
    if not first and not last:
        return None
    # Without a first byte the last so many are meant.
    begin = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    return (begin, end) if begin <= end else None


def _pieces(file: IO[bytes], begin: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(begin)
        left = end - begin + 1
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece
