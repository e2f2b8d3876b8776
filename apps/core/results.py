"""The success envelope of the REST API: `{"data": …}`, and `meta` where a list needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import status
from rest_framework.response import Response

if TYPE_CHECKING:
    from collections.abc import Mapping


def ok(data: Any, *, meta: Mapping[str, Any] | None = None) -> Response:
    """This will answer 200 with `{"data": data}`, and `meta` when it is given."""
    return Response(_envelope(data, meta))


def created(data: Any) -> Response:
    """This will answer 201 with `{"data": data}`."""
    return Response(_envelope(data, None), status=status.HTTP_201_CREATED)


def no_content() -> Response:
    """This will answer 204 without a body."""
    return Response(status=status.HTTP_204_NO_CONTENT)


def _envelope(data: Any, meta: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"data": data} if meta is None else {"data": data, "meta": dict(meta)}
