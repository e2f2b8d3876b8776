"""`manage.py backup`: make a backup, as the schedule of a machine does."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from apps.core import problems
from apps.core.actors import Actor
from apps.dashboard import operations
from apps.dashboard.backups import shelf


class Command(BaseCommand):
    help = "Make a backup of the database and of the files of cards, while everything goes on."

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        """This will make it and say where it is."""
        try:
            made = operations.make_backup(actor=Actor.system("backup"))
        except problems.Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"{shelf.folder() / made.filename} ({made.size} bytes)")
