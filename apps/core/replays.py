"""`Idempotency-Key`: a POST that is sent again has its effect once and gets the first answer again.

A key is claimed by one row before the view runs, in a statement of its own, so that whoever comes
with the same key finds it. The row then takes the answer in, encrypted, and is kept for 24 hours.
Refusals and failures are not kept: they left nothing behind, so the key is free again and the same
request may succeed later. A claim whose process died is no longer renewed and ends with its lease.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.utils import timezone

from apps.core import ids, problems
from apps.core.models import KeptAnswer
from apps.core.renewals import LEASE, RENEW_SECONDS, renewals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

log = structlog.get_logger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
# Printable ASCII without spaces; a UUID is the usual one. Quotes, if sent, belong to the key.
KEY = re.compile(r"[\x21-\x7e]{1,255}")
KEPT_FOR = timedelta(hours=24)
# The second of two simultaneous requests waits this long for the first one's answer.
PATIENCE_SECONDS = 10.0
FIRST_LOOK_SECONDS = 0.02
LAST_LOOK_SECONDS = 0.25
# A living process that could not write has renewed its claims so soon after it can again.
RENEWED_WITHIN_SECONDS = RENEW_SECONDS + 1.0
KEPT_HEADERS = ("Content-Type", "ETag", "Location", "Content-Disposition", "Cache-Control")
# Other headers that make the same body another request.
MEANT_BY_HEADERS = ("X-Organization-Id",)

# One statement, so that of two simultaneous requests exactly one gets its claim back.
CLAIM = """
    INSERT INTO core_keptanswer (key, fingerprint, claim, claimed_at, status, headers, body)
    VALUES (%s, %s, %s, %s, NULL, '{}', '')
    ON CONFLICT (key) DO UPDATE SET
        fingerprint = excluded.fingerprint,
        claim = excluded.claim,
        claimed_at = excluded.claimed_at,
        status = NULL,
        headers = '{}',
        body = ''
    WHERE core_keptanswer.claimed_at < %s
        OR (core_keptanswer.status IS NULL AND core_keptanswer.claimed_at < %s)
    RETURNING claim
"""


@dataclass(frozen=True)
class Claim:
    """That this request is the one that does the work of its key."""

    key: str
    claim: str


def key_of(request: Request) -> str | None:
    """This will read the request's key: None without one, ValidationFailed for no good one."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not KEY.fullmatch(key):
        message = "Give 1 to 255 printable ASCII characters without spaces."
        raise problems.ValidationFailed.of(HEADER, message)
    return key


def claim(request: Request, key: str) -> Claim | HttpResponse:
    """This will claim a key for its request, or give the answer that the first one got.

    Conflict for a key that came with another request, and for a first request that is still at
    work after we waited for it; then `Retry-After` says when to come back.
    """
    fingerprint = _fingerprint(request)
    row_key = _row_key(request, key, fingerprint)
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = FIRST_LOOK_SECONDS
    while True:
        _let_others_renew(row_key)
        mine = Claim(key=row_key, claim=ids.uuid7().hex)
        if _take(mine, fingerprint):
            renewals.add(mine.claim)
            return mine
        found = KeptAnswer.objects.filter(pk=row_key).first()
        if found is not None and found.fingerprint != fingerprint:
            message = f"This {HEADER} was used for another request."
            raise problems.Conflict(message)
        if found is not None and found.status is not None:
            return _again(found, found.status)
        if time.monotonic() > deadline:
            message = f"The first request with this {HEADER} is still being worked on."
            raise problems.Conflict(message, headers={"Retry-After": "5"})
        time.sleep(pause)
        pause = min(pause * 2, LAST_LOOK_SECONDS)


def settle(mine: Claim, response: HttpResponseBase) -> None:
    """This will keep the answer, or free the key where nothing was done.

    Streams are not kept either: what they send is not known before it is sent.
    """
    renewals.remove(mine.claim)
    held = KeptAnswer.objects.filter(pk=mine.key, claim=mine.claim)
    if response.status_code >= 400 or not isinstance(response, HttpResponse):  # noqa: PLR2004
        held.delete()
        return
    render: Any = getattr(response, "render", None)
    if render is not None:
        render()
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    try:
        held.update(status=response.status_code, headers=headers, body=response.content.decode())
    except DatabaseError as error:
        # The work is done and must be answered; until the lease ends the key answers 409.
        log.warning("answer_not_kept", error=str(error))


def free(mine: Claim) -> None:
    """This will give a key back whose request came to no answer at all."""
    renewals.remove(mine.claim)
    KeptAnswer.objects.filter(pk=mine.key, claim=mine.claim).delete()


def prune() -> int:
    """This will forget the answers that were kept long enough; it gives how many."""
    gone, _by_table = KeptAnswer.objects.filter(claimed_at__lt=timezone.now() - KEPT_FOR).delete()
    return gone


def _let_others_renew(row_key: str) -> None:
    """Waits where a claim may be old only because its process could not write.

    SQLite has one writer: who is long at work in a transaction keeps its own claim from being
    renewed, and whoever waits here must not be faster when it ends.
    """
    old = KeptAnswer.objects.filter(pk=row_key, status=None, claimed_at__lt=timezone.now() - LEASE)
    if connection.vendor != "sqlite" or not old.exists():
        return
    with transaction.atomic():
        # The lock itself is what was waited for.
        pass
    time.sleep(RENEWED_WITHIN_SECONDS)


def _take(mine: Claim, fingerprint: str) -> bool:
    now = timezone.now()
    with connection.cursor() as cursor:
        adapt = connection.ops.adapt_datetimefield_value
        times = [adapt(moment) for moment in (now, now - KEPT_FOR, now - LEASE)]
        cursor.execute(CLAIM, [mine.key, fingerprint, mine.claim, *times])
        return cursor.fetchone() is not None


def _again(found: KeptAnswer, status: int) -> HttpResponse:
    answer = HttpResponse(found.body, status=status)
    del answer.headers["Content-Type"]
    for name, value in found.headers.items():
        answer.headers[name] = value
    answer.headers[REPLAYED] = "true"
    return answer


def _row_key(request: Request, key: str, fingerprint: str) -> str:
    """Keys are each caller's own; without a caller, each request's own.

    What a browser's session was shown once is not shown to a token of the same person.
    """
    person = getattr(request.user, "pk", None)
    if person is None:
        return _digest("nobody", key, fingerprint)
    return _digest("person", str(person), str(getattr(request.auth, "kind", "")), key)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(request: Request) -> str:
    """The hash of what is asked for: address, headers with a meaning, and body."""
    seen = hashlib.sha256()
    path = request.path.replace("/api/v1/", "/api/", 1)
    parts = [path, request.META.get("QUERY_STRING", "")]
    parts += [request.headers.get(name, "") for name in MEANT_BY_HEADERS]
    for part in parts:
        seen.update(_framed(part.encode(errors="surrogateescape")))
    if (request.content_type or "").startswith("multipart/"):
        # The boundary differs each time a form is sent, so it is the fields that count. Files were
        # spooled by the parser and are read in chunks.
        for chunk in _fields(request.data):
            seen.update(chunk)
    else:
        seen.update(request._request.body)  # noqa: SLF001 - DRF reads it from there as well
    return seen.hexdigest()


def _fields(data: Any) -> Iterator[bytes]:
    for name in sorted(data):
        for value in data.getlist(name):
            yield _framed(name.encode())
            if isinstance(value, UploadedFile):
                yield _framed(f"{value.name}\0{value.content_type}\0{value.size}".encode())
                yield from value.chunks()
                value.seek(0)
            else:
                yield _framed(str(value).encode(errors="surrogatepass"))


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big") + part
