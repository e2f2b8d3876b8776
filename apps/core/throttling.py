"""Limits on how often one person or address may call an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from rest_framework.throttling import SimpleRateThrottle
from typing_extensions import override

if TYPE_CHECKING:
    from rest_framework.request import Request

log = structlog.get_logger(__name__)


class Limit(SimpleRateThrottle):
    """Counts calls by person, or by address where nobody is signed in; made by `limit`.

    Without Redis nothing is counted and everybody passes: the product goes on working.
    """

    @override
    def get_cache_key(self, request: Request, view: Any) -> str:
        """This will name the counter."""
        person = getattr(request.user, "pk", None)
        who = str(person) if person is not None else self.get_ident(request)
        return f"throttle.{self.scope}.{who}"

    def allow_request(self, request: Request, view: Any) -> bool:
        """This will count the call and say whether it may go on."""
        try:
            return bool(super().allow_request(request, view))
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("throttle_unavailable", error=str(error))
            return True


def is_outage(error: Exception) -> bool:
    """True where the cache could not be reached; Django passes Redis's errors on as they are."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] == "redis"


def limit(scope: str, rate: str) -> type[Limit]:
    """This will make a throttle class: `throttle_classes = [limit("tickets", "60/min")]`."""
    return type(f"{scope.title()}Limit", (Limit,), {"scope": scope, "rate": rate})
