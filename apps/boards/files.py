"""Attachments on disk: below MEDIA_ROOT, which no web server shows, under random names."""

from __future__ import annotations

import contextlib
import mimetypes
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings

from apps.core import ids, problems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from django.core.files.uploadedfile import UploadedFile

FOLDER = "attachments"
UNKNOWN = "application/octet-stream"
PLAIN = "text/plain"
# What a browser shows by itself without anything in it being able to run.
INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", PLAIN})

_SNIFF = 8192
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,48}/[a-z0-9][a-z0-9.+-]{0,48}")
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b", "application/gzip"),
)
_TEXT_CONTROLS = frozenset({9, 10, 12, 13, 27})


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A file that was taken in: where below MEDIA_ROOT, and what it is; `size` in bytes."""

    path: str
    filename: str
    content_type: str
    size: int


@contextlib.contextmanager
def taken_in(upload: UploadedFile[Any], *, project_id: UUID) -> Iterator[Stored]:
    """This will store an upload piece by piece; where the block fails, it is removed again.

    PayloadTooLarge beyond KANBANAI_MAX_ATTACHMENT_BYTES, Unavailable where the disk is full.
    """
    path = f"{FOLDER}/{ids.encode('proj', project_id)}/{secrets.token_hex(16)}"
    try:
        head, size = _write(upload, place_of(path))
        name = upload.name or "file"
        declared = upload.content_type or ""
        yield Stored(path=path, filename=name, content_type=kind(head, name, declared), size=size)
    except BaseException:
        remove(path)
        raise


def _write(upload: UploadedFile[Any], place: Path) -> tuple[bytes, int]:
    """The first bytes and the size of what was written."""
    head, size = b"", 0
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.touch(mode=0o600, exist_ok=False)
        with place.open("wb") as file:
            for chunk in upload.chunks():
                size += len(chunk)
                _require_small(size)
                head += chunk[: _SNIFF - len(head)]
                file.write(chunk)
    except OSError as error:
        raise problems.Unavailable("The server cannot store files now.") from error
    return head, size


def _require_small(size: int) -> None:
    if size > limit():
        raise too_large()


def limit() -> int:
    """This will be how many bytes an attachment may have."""
    return int(settings.KANBANAI_MAX_ATTACHMENT_BYTES)


def too_large() -> problems.PayloadTooLarge:
    """This will be the refusal of a file beyond the limit."""
    megabytes = limit() // (1024 * 1024)
    return problems.PayloadTooLarge(f"An attachment may have at most {megabytes} MB.")


def kind(head: bytes, name: str, declared: str) -> str:
    """This will tell a file's type: by its first bytes, else by what was said or by its name.

    Nothing is called an image or plain text that is none, since browsers show these.
    """
    known = _signature(head)
    if known is not None:
        return known
    said = declared.lower().partition(";")[0].strip()
    if not _TYPE.fullmatch(said) or said == UNKNOWN:
        said = (mimetypes.guess_type(name)[0] or "").lower()
    if _is_text(head):
        return said if said and said not in INLINE else PLAIN
    return said if said and said not in INLINE and not said.startswith("text/") else UNKNOWN


def _signature(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((found for start, found in _SIGNATURES if head.startswith(start)), None)


def _is_text(head: bytes) -> bool:
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head):  # noqa: PLR2004 - the ASCII control range
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character may be cut in two where we stopped reading.
        return len(head) == _SNIFF and error.end == len(head)
    return True


def place_of(path: str) -> Path:
    """This will be where a stored file lies."""
    return Path(settings.MEDIA_ROOT) / path


def open_stored(path: str) -> IO[bytes]:
    """This will open a stored file; NotFound when it is gone."""
    try:
        return place_of(path).open("rb")
    except OSError as error:
        message = "The file is gone."
        raise problems.NotFound(message) from error


def remove(*paths: str) -> None:
    """This will remove stored files; what is gone already is no error."""
    for path in paths:
        with contextlib.suppress(OSError):
            place_of(path).unlink()


def lost(*, older_than_seconds: float) -> Iterator[str]:
    """This will find stored files of a certain age: candidates for having lost their rows."""
    before = time.time() - older_than_seconds
    root = Path(settings.MEDIA_ROOT)
    for place in (root / FOLDER).glob("*/*"):
        with contextlib.suppress(OSError):
            if place.stat().st_mtime < before:
                yield place.relative_to(root).as_posix()


def remove_unknown(paths: AbstractSet[str], known: AbstractSet[str]) -> int:
    """This will remove the files that no row knows, and count them."""
    unknown = paths - known
    remove(*unknown)
    return len(unknown)
