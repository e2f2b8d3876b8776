"""`manage.py wiring`: which task follows which event, and who adds what to whose snapshot."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.core import events, snapshots


class Command(BaseCommand):
    help = "Print all reactions to events and all parts of snapshots."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """This will print one line for each reaction and each part."""
        self.stdout.write("Reactions (event -> task)")
        for kind, tasks in events.wiring().items():
            for task in tasks:
                self.stdout.write(f"  {kind} -> {task}")
        self.stdout.write("Parts (snapshot: part)")
        for snapshot, parts in snapshots.wiring().items():
            for part in parts:
                self.stdout.write(f"  {snapshot}: {part}")
