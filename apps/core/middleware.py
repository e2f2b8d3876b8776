"""What surrounds every request: its id in answers and logs, and problems instead of HTML."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.http import HttpResponse
from django.template import loader
from structlog.contextvars import bind_contextvars, clear_contextvars

from apps.core import ids, problems, replacing, rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    GetResponse = Callable[[HttpRequest], HttpResponseBase]

log = structlog.get_logger("kanbanai.requests")

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_BY_STATUS: dict[int, type[problems.Problem]] = {
    kind.status: kind
    for kind in (
        problems.ValidationFailed,
        problems.Unauthorized,
        problems.Forbidden,
        problems.NotFound,
        problems.MethodNotAllowed,
        problems.PayloadTooLarge,
        problems.UnsupportedMediaType,
        problems.RateLimited,
        problems.Unavailable,
    )
}


class RequestId:
    """Gives every request an id: the client's `X-Request-Id` if it is a plain one, else a new one.

    The id is `request.request_id`, stands on every log line of the request, and goes back.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """This will run the request under its id."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else ids.uuid7().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response


class Problems:
    """Sees to it that every refusal is told in the language of whoever asked.

    Under an API address Django answers unknown addresses, wrong methods, forged cookies and crashes
    with HTML; a client of the API gets RFC 9457 instead. Bodies beyond the limit are refused before
    they are parsed. A problem raised by a page is shown as one of our error pages, or as a toast
    where htmx asked for a fragment.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """This will answer the request, with a problem where it fails."""
        if not rest.is_api(request):
            return self.get_response(request)
        if _is_too_large(request):
            return rest.problem_response(problems.PayloadTooLarge(), request.path)
        response = self.get_response(request)
        kind = response.headers.get("Content-Type", "")
        is_refusal = response.status_code >= HTTPStatus.BAD_REQUEST
        if not is_refusal or kind.startswith(rest.CONTENT_TYPE):
            return response
        problem = _problem_of_status(response.status_code)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in response.headers:
                problem.headers[name] = response.headers[name]
        return replacing.replace(response, rest.problem_response(problem, request.path))

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """This will show a problem that a view raised; other exceptions go on."""
        if not isinstance(exception, problems.Problem):
            return None
        if rest.is_api(request):
            return rest.problem_response(exception, request.path)
        if request.headers.get("HX-Request"):
            toast = {"toast": {"text": exception.detail, "variant": "bad"}}
            return HttpResponse(
                exception.detail,
                status=exception.status,
                content_type="text/plain; charset=utf-8",
                headers={"HX-Trigger": json.dumps(toast), "HX-Reswap": "none"},
            )
        page = loader.select_template([f"{exception.status}.html", "400.html"])
        context = {"problem": exception.as_dict()}
        return HttpResponse(page.render(context, request), status=exception.status)


def _is_too_large(request: HttpRequest) -> bool:
    """True for a body that is no file upload and exceeds what JSON may take."""
    if request.content_type == "multipart/form-data":
        return False
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return False
    return length > int(settings.KANBANAI_MAX_JSON_BYTES)


def _problem_of_status(status: int) -> problems.Problem:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        found = _BY_STATUS.get(status)
        return found() if found else problems.Problem()
    if status == HTTPStatus.BAD_REQUEST:
        return problems.ValidationFailed("The request is not valid.")
    return _BY_STATUS.get(status, problems.ValidationFailed)()
