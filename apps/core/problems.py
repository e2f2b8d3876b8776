"""Problems: every refusal the product gives, as RFC 9457 `application/problem+json`.

`CODES` is the closed list; a test fails for a problem whose code is not in it.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

CODES = frozenset(
    {
        "VALIDATION_ERROR",
        "UNAUTHORIZED",
        "FORBIDDEN",
        "NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "NOT_ACCEPTABLE",
        "CONFLICT",
        "PRECONDITION_FAILED",
        "PAYLOAD_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE",
        "RATE_LIMITED",
        "INTERNAL_ERROR",
        "UPSTREAM_ERROR",
        "UNAVAILABLE",
        "WORKTREE_DIRTY",
        "AGENT_RUNNING",
        "NOT_AWAITING_APPROVAL",
        "NO_PENDING_PLAN",
        "NOT_DEFERRED",
        "CARD_BLOCKED",
        "CARD_DONE",
        "WIP_LIMIT",
        "BUDGET_EXHAUSTED",
        "LAST_SUPER_ADMIN",
        "ORGANIZATION_NOT_EMPTY",
        "SETUP_DONE",
        "MERGE_CONFLICT",
        "STALE",
        "REPOSITORY_NOT_READY",
        "SANDBOX_UNAVAILABLE",
        "AGENT_UNAVAILABLE",
        "CREDENTIAL_REQUIRED",
        "CREDENTIAL_INVALID",
        "NOTHING_TO_COMMIT",
        "PASSWORD_CHANGE_REQUIRED",
    }
)


class FieldError(TypedDict):
    """One wrong field: its path in the request (`columns.0.name`), a code and a sentence."""

    field: str
    code: str
    detail: str


class ProblemBody(TypedDict):
    """The body of every error answer (RFC 9457), and the payload of `error` frames on sockets."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: NotRequired[str]
    errors: NotRequired[list[FieldError]]


class Problem(Exception):
    """A refusal with a status, a code from `CODES` and one sentence for a person."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "INTERNAL_ERROR"
    default_detail: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.detail = detail or self.default_detail
        self.code = code or self.default_code
        self.errors = errors or []
        self.headers = headers or {}
        self.extra = extra
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        """The HTTP reason phrase of the status."""
        return HTTPStatus(self.status).phrase

    def as_dict(self, instance: str = "") -> dict[str, Any]:
        """This will give the problem's body; `instance` is the path that was asked for."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if instance:
            body["instance"] = instance
        if self.errors:
            body["errors"] = self.errors
        return body | self.extra


class ValidationFailed(Problem):
    """400: the request does not have the right shape or values."""

    status = 400
    default_code = "VALIDATION_ERROR"
    default_detail = "The request has fields that are not valid."

    @classmethod
    def of(cls, field: str, detail: str, code: str = "invalid") -> ValidationFailed:
        """This will be the problem of one wrong field."""
        return cls(detail, errors=[{"field": field, "code": code, "detail": detail}])


class Unauthorized(Problem):
    """401: nobody is signed in, or the credentials are wrong or have ended."""

    status = 401
    default_code = "UNAUTHORIZED"
    default_detail = "Sign in to continue."


class Forbidden(Problem):
    """403: the object may be seen, but the role is too small."""

    status = 403
    default_code = "FORBIDDEN"
    default_detail = "You may not do this."


class NotFound(Problem):
    """404: missing, or not yours; the two are told apart by nobody."""

    status = 404
    default_code = "NOT_FOUND"
    default_detail = "Not found."


@contextmanager
def named(field: str) -> Iterator[None]:
    """This will name the field of the body whose id stands for nothing that can be found."""
    try:
        yield
    except NotFound as problem:
        problem.errors = [{"field": field, "code": "not_found", "detail": problem.detail}]
        raise


class MethodNotAllowed(Problem):
    """405: the address exists, the method does not."""

    status = 405
    default_code = "METHOD_NOT_ALLOWED"
    default_detail = "This method is not allowed here."


class NotAcceptable(Problem):
    """406: the client takes no kind of content that this address has."""

    status = 406
    default_code = "NOT_ACCEPTABLE"
    default_detail = "Only JSON is offered here."


class Conflict(Problem):
    """409: the state of things does not allow it now."""

    status = 409
    default_code = "CONFLICT"
    default_detail = "The current state does not allow this."


class PreconditionFailed(Problem):
    """412: the version the client knows is not the current one."""

    status = 412
    default_code = "PRECONDITION_FAILED"
    default_detail = "It has changed meanwhile."


class PayloadTooLarge(Problem):
    """413: more bytes than this address takes."""

    status = 413
    default_code = "PAYLOAD_TOO_LARGE"
    default_detail = "The request is too large."


class UnsupportedMediaType(Problem):
    """415: a kind of content this address does not take or show."""

    status = 415
    default_code = "UNSUPPORTED_MEDIA_TYPE"
    default_detail = "This kind of content is not supported."


class RateLimited(Problem):
    """429: too many requests; `Retry-After` says when to come back."""

    status = 429
    default_code = "RATE_LIMITED"
    default_detail = "Too many requests. Try again later."


class Upstream(Problem):
    """502: a service we depend on failed or answered nonsense."""

    status = 502
    default_code = "UPSTREAM_ERROR"
    default_detail = "A service this depends on did not answer."


class Unavailable(Problem):
    """503: a part of the product is not running now."""

    status = 503
    default_code = "UNAVAILABLE"
    default_detail = "This is not available right now."
