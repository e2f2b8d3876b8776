"""`manage.py settings_reference`: every environment variable, as Markdown."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from kanbanai.settings import reference


class Command(BaseCommand):
    help = "Writes the reference of all settings to standard output."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """This will print the page."""
        self.stdout.write(reference.page(), ending="")
