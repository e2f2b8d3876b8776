"""The base of every REST view, and the one handler that turns exceptions into problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import structlog
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions, views
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from typing_extensions import override

from apps.core import conditions, problems, replays
from apps.core.actors import Actor
from apps.core.problems import FieldError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from apps.accounts.models import User
    from apps.core.camel import Serializer

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
# What an input or an operation says no with; anything else is a fault of ours.
REFUSALS = (Problem, exceptions.ValidationError)
API_PREFIXES = ("/api/", "/v1/")
READING = ("GET", "HEAD")
CONDITIONAL = ("PUT", "PATCH", "DELETE")
# Methods whose answer shows the object they made or changed; a POST only with 201.
SHOWING = ("POST", "PUT", "PATCH")


class ProblemRenderer(JSONRenderer):
    """JSON under the media type of RFC 9457."""

    media_type = CONTENT_TYPE


class Endpoint(views.APIView):
    """A REST view: it reads an input, makes one call, and shows an output.

    Every answer that shows something has an `ETag`; `If-None-Match` and `If-Match` are honoured by
    every view (`core.conditions`), and `Idempotency-Key` on every POST (`core.replays`).
    """

    renderer_classes = [conditions.Json]
    metadata_class = None
    # Methods whose work waits for processes that use the database themselves (deletions that stop
    # agents): their `If-Match` is checked just before, not in one transaction with the work.
    waits: ClassVar[frozenset[str]] = frozenset()
    claim: replays.Claim | None = None

    def shown(self, *_arguments: Any, **named: Any) -> Response | None:
        """This will show the object that a write is about, to be compared with `If-Match`.

        It is what GET answers; a view without GET says here what its writes answer. Where nothing
        is shown (None) no `If-Match` is ever fulfilled.
        """
        reader: Any = getattr(self, "get", None)
        return reader(self.request, **named) if reader is not None else None

    @override
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """This will answer as DRF does, with conditions and replays around the view's method."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            try:
                self.initial(self.request, *args, **kwargs)
                response: Any = self._answer(self._method())
            except Exception as error:  # noqa: BLE001 - each becomes a problem
                response = self.handle_exception(error)
            self.response = self.finalize_response(self.request, response, *args, **kwargs)
            if self.claim is not None:
                replays.settle(self.claim, self.response)
        except BaseException:
            if self.claim is not None:
                replays.free(self.claim)
            raise
        return self.response

    def _method(self) -> Callable[..., HttpResponseBase]:
        name = str(self.request.method).lower()
        refuse: Callable[..., HttpResponseBase] = self.http_method_not_allowed
        return getattr(self, name, refuse) if name in self.http_method_names else refuse

    def _answer(self, method: Callable[..., HttpResponseBase]) -> HttpResponseBase:
        request, named = self.request, self.kwargs
        if request.method == "POST":
            key = replays.key_of(request)
            claimed = None if key is None else replays.claim(request, key)
            if isinstance(claimed, HttpResponseBase):
                return claimed
            self.claim = claimed
        elif request.method in CONDITIONAL:
            return conditions.guarded(
                request.headers,
                lambda: method(request, **named),
                lambda: self.shown(**named),
                at_once=request.method not in self.waits,
            )
        return method(request, **named)

    @override
    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """This will add the tag of what is shown, and answer 304 to whoever has it already."""
        response = super().finalize_response(request, response, *args, **kwargs)
        reads = request.method in READING
        shows = response.status_code == (201 if request.method == "POST" else 200)
        if not shows or response.headers.get(replays.REPLAYED):
            return response
        if isinstance(response, Response) and (reads or request.method in SHOWING):
            response.render()
            response.headers["ETag"] = conditions.tag_of(response.content)
        if reads and "ETag" in response.headers:
            response.headers.setdefault("Cache-Control", conditions.REVALIDATE)
            wanted = request.headers.get("If-None-Match")
            if wanted is not None:
                return conditions.not_modified(response, wanted)
        return response

    @override
    def options(self, *_request: Any, **_named: Any) -> Response:
        """This will tell the methods of an address, in `Allow`."""
        return Response(status=204)

    @property
    def actor(self) -> Actor:
        """Who calls: the signed-in user through REST."""
        request = self.request
        return Actor(
            user=cast("User", request.user),
            origin="rest",
            request_id=getattr(request, "request_id", ""),
        )

    def read(self, serializer: type[Serializer]) -> dict[str, Any]:
        """This will validate the body against an input and give its snake_case values."""
        data = self.request.data
        if not isinstance(data, dict):
            message = "The body must be a JSON object."
            raise problems.ValidationFailed(message)
        reader = serializer(data=data)
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    def read_query(self, serializer: type[Serializer]) -> dict[str, Any]:
        """This will validate the query string against an input."""
        reader = serializer(data=self.request.query_params.dict())
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)


def field_errors(detail: Any, path: str = "") -> list[FieldError]:
    """This will flatten DRF's nested error detail into a list of fields with dotted paths."""
    if isinstance(detail, dict):
        return [
            error
            for key, value in detail.items()
            for error in field_errors(
                value, _join(path, "" if key == "non_field_errors" else str(key))
            )
        ]
    if isinstance(detail, list):
        found: list[FieldError] = []
        for index, value in enumerate(detail):
            if isinstance(value, exceptions.ErrorDetail):
                found.append({"field": path, "code": value.code or "invalid", "detail": str(value)})
            else:
                found.extend(field_errors(value, _join(path, str(index))))
        return found
    code = getattr(detail, "code", "invalid")
    return [{"field": path, "code": code, "detail": str(detail)}]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


def problem_of(error: BaseException) -> Problem:
    """This will find the problem an exception stands for, INTERNAL_ERROR for an unknown one."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.ValidationError):
        return problems.ValidationFailed(errors=field_errors(error.detail))
    if isinstance(error, (Http404, exceptions.NotFound)):
        return problems.NotFound()
    if isinstance(error, (PermissionDenied, exceptions.PermissionDenied)):
        return problems.Forbidden(getattr(error, "detail", None))
    if isinstance(error, RequestDataTooBig):
        return problems.PayloadTooLarge()
    return _framework_problem(error)


def _framework_problem(error: BaseException) -> Problem:  # noqa: C901, PLR0911 - a table
    match error:
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return problems.Unauthorized(headers={"WWW-Authenticate": "Bearer"})
        case exceptions.ParseError():
            return problems.ValidationFailed("The body is not valid JSON.")
        case SuspiciousOperation():
            return problems.ValidationFailed("The request is not valid.")
        case exceptions.MethodNotAllowed():
            return problems.MethodNotAllowed()
        case exceptions.NotAcceptable():
            return problems.NotAcceptable()
        case exceptions.UnsupportedMediaType():
            return problems.UnsupportedMediaType()
        case exceptions.Throttled():
            wait = str(int(getattr(error, "wait", None) or 1))
            return problems.RateLimited(headers={"Retry-After": wait})
        case OperationalError() if "locked" in str(error) or "deadlock" in str(error):
            return problems.Unavailable("The database is busy. Try again.")
        case IntegrityError():
            return problems.Conflict("Somebody else changed this at the same time. Try again.")
        case ObjectDoesNotExist():
            # Found, and gone by the time its row was locked: somebody deleted it just now.
            log.warning("gone_meanwhile", exc_info=error)
            return problems.NotFound()
    log.error("unhandled_error", exc_info=error)
    return Problem()


def handle_exception(error: Exception, context: dict[str, Any]) -> Response:
    """This will answer any exception of a REST view with a problem (DRF's EXCEPTION_HANDLER)."""
    views.set_rollback()
    problem = problem_of(error)
    request = context.get("request")
    response = Response(
        problem.as_dict(request.path if request is not None else ""),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )
    response.exception = True
    if request is not None:
        request.accepted_renderer = ProblemRenderer()
        request.accepted_media_type = CONTENT_TYPE
    return response


def problem_response(problem: Problem, path: str = "") -> JsonResponse:
    """This will answer outside DRF (middleware, unknown routes) with the same body."""
    return JsonResponse(
        problem.as_dict(path),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def is_api(request: HttpRequest) -> bool:
    """True for addresses where every answer must be JSON."""
    return request.path.startswith(API_PREFIXES)
