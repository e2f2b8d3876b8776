"""Conditional requests (RFC 9110, section 13): entity tags, 304 for readers, 412 for writers.

A tag is a hash of what was answered, so it changes whenever anything shown changes, and it costs no
statement. A write with `If-Match` reads the object first, the way its own view shows it, in the
same transaction as the write. There nothing can come between: SQLite gives that transaction the one
write lock at its beginning, and PostgreSQL refuses, as SERIALIZABLE, whichever of two such writes
would not have seen the other; it is begun again, sees the new object, and answers 412.
"""

from __future__ import annotations

import hashlib
import random
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.db import OperationalError, connection, transaction
from django.http import HttpResponseNotModified
from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from typing_extensions import override

from apps.core import problems, replacing, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http.response import HttpResponseBase
    from rest_framework.response import Response

    Show = Callable[[], Response | None]

_Given = TypeVar("_Given")

# How long a conditional write is begun again when others write the same rows.
PATIENCE_SECONDS = 5.0
# PostgreSQL's words for "begin again": serialization failure, deadlock.
COLLISIONS = {"40001", "40P01"}
# What a 304 repeats of the answer it stands for.
KEPT_BY_304 = ("ETag", "Cache-Control", "Content-Location", "Vary")
REVALIDATE = "private, no-cache"


class Json(JSONRenderer):
    """JSON in one form: the same object is the same bytes, and so the same tag."""

    @override
    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> bytes:
        """This will never indent, whatever the client's `Accept` says."""
        return b"" if data is None else wire.dumps(data)


def tag_of(body: bytes) -> str:
    """This will give the strong entity tag of an answer's body."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def tag_of_data(data: Any) -> str:
    """This will give the tag of an answer that was not rendered yet."""
    return tag_of(Json().render(data))


def not_modified(response: HttpResponseBase, wanted: str) -> HttpResponseBase:
    """This will answer 304 in place of what the reader has already (`If-None-Match`)."""
    tag = response.headers["ETag"]
    known = parse_etags(wanted)
    # Readers compare weakly: a proxy that compressed the answer has marked the tag as weak.
    if known != ["*"] and tag not in {one.removeprefix("W/") for one in known}:
        return response
    short: Any = HttpResponseNotModified()
    for name in KEPT_BY_304:
        if name in response.headers:
            short.headers[name] = response.headers[name]
    return cast("HttpResponseBase", replacing.replace(response, short))


def require_match(wanted: str, show: Show) -> None:
    """This will refuse a write whose `If-Match` is not the tag of what there is.

    PreconditionFailed carries the object as it is (`current`) and its tag. An object that is shown
    nowhere matches nothing. Writers compare strongly: a weak tag never matches.
    """
    found = show()
    body = found.data if found is not None else None
    current = body.get("data") if isinstance(body, dict) else body
    if current is None:
        raise problems.PreconditionFailed(current=None)
    tag = tag_of_data(body)
    known = parse_etags(wanted)
    if known != ["*"] and tag not in known:
        raise problems.PreconditionFailed(headers={"ETag": tag}, current=current)


def guarded(
    headers: Mapping[str, str],
    write: Callable[[], _Given],
    show: Show,
    *,
    at_once: bool,
) -> _Given:
    """This will write if the request's `If-Match` allows it; without one it just writes.

    `at_once` makes check and write one transaction, so that of two writers with the same tag
    exactly one succeeds. Without it (the write waits for processes, which need the database
    themselves) the check comes shortly before.
    """
    wanted = headers.get("If-Match")
    if wanted is None:
        return write()
    if not at_once:
        require_match(wanted, show)
        return write()

    def both() -> _Given:
        require_match(wanted, show)
        return write()

    return alone(both)


def alone(work: Callable[[], _Given]) -> _Given:
    """This will run reads and writes as if nobody else wrote, from the beginning where needed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        outermost = not connection.in_atomic_block
        try:
            with transaction.atomic():
                if outermost and connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                return work()
        except OperationalError as error:
            if not outermost or getattr(error.__cause__, "sqlstate", None) not in COLLISIONS:
                raise
            if time.monotonic() > deadline:
                message = "Others are writing the same. Try again."
                raise problems.Unavailable(message, headers={"Retry-After": "1"}) from error
        time.sleep(random.uniform(0.002, 0.03))  # noqa: S311 - spreads writers out
