"""`manage.py up`, for those who look for it among the commands."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from kanbanai.supervisor import cli


class Command(BaseCommand):
    help = "Starts the web server, the workers, the schedule and, if needed, Redis and a database."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """This will run until Ctrl-C or SIGTERM."""
        sys.exit(cli.main([]))
