"""REST: the overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.dashboard import inputs, outputs, queries
from apps.dashboard.overview import overview
from apps.dashboard.ranges import TimeRange

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class Dashboard(Endpoint):
    """Mission control."""

    @document(
        summary="Read the dashboard",
        query=inputs.ReadOverview,
        response=outputs.DashboardOverview,
    )
    def get(self, request: Request) -> Response:
        chosen = TimeRange.of(request.query_params.dict())
        return results.ok(overview(queries.seen_by(self.actor.person), chosen))
