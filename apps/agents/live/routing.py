"""The addresses of the sockets of boards and projects; event streams share theirs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.urls import path

from apps.agents.live.api_socket import ApiSocket
from apps.agents.live.socket import BoardSocket

if TYPE_CHECKING:
    from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = [
    path("api/v1/ws", cast("Any", BoardSocket.application)),
    path("api/ws", cast("Any", ApiSocket.application)),
]
