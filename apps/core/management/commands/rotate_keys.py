"""`manage.py rotate_keys`: encrypt every stored secret with the first encryption key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from apps.core import secrets


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first of KANBANAI_ENCRYPTION_KEYS."

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        """This will say how many secrets are encrypted anew."""
        try:
            count = secrets.rotate()
        except secrets.Unreadable as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"Encrypted with the first key: {count}.")
