"""One answer in the place of another, before either was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

_Answer = TypeVar("_Answer", bound="HttpResponseBase")


def replace(whole: HttpResponseBase, answer: _Answer) -> _Answer:
    """This will give `answer` what `whole` would have closed at its end: files, above all.

    Closing the replaced answer itself would end the request before its time, and with it the
    database connection that others may still need.
    """
    before: Any = whole
    after: Any = answer
    # Each once, and before those of its own.
    after._resource_closers[:0] = before._resource_closers  # noqa: SLF001
    before._resource_closers = []  # noqa: SLF001
    return answer
