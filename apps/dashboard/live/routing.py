"""Every live address of boards and dashboards, for the ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.urls import path

from apps.agents.live import routing as boards
from apps.dashboard.live import sse
from apps.dashboard.live.socket import DashboardSocket

if TYPE_CHECKING:
    from django.urls import URLPattern

    from apps.core.live.asgi import Application

_dashboard = cast("Any", DashboardSocket.application)

websocket_urlpatterns: list[URLPattern] = [
    *boards.websocket_urlpatterns,
    path("api/v1/ws/dashboard", _dashboard),
    path("api/ws/dashboard", _dashboard),
]
streams: dict[str, Application] = {
    "/api/v1/sse": sse.application,
    "/api/sse": sse.application,
}
