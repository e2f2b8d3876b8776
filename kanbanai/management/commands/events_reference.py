"""`manage.py events_reference`: every live channel and what it says, as Markdown."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.agents.live import api_shapes, messages, shapes
from apps.core.live import reference


class Command(BaseCommand):
    help = "Writes the reference of all events to standard output."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """This will print the page."""
        channels = [messages.BOARD, messages.DASHBOARD, messages.API]
        tables = {
            "Messages of boards and dashboards": shapes.SHAPES,
            "Messages of projects (`/api/ws`)": api_shapes.API_SHAPES,
        }
        self.stdout.write(reference.page(channels, tables), ending="")
