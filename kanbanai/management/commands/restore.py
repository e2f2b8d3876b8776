"""`manage.py restore`: put a backup back into an empty server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from typing_extensions import override

from apps.dashboard.backups import restoring
from apps.dashboard.backups.databases import Broken
from kanbanai.supervisor import preflight

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Put a backup back into an empty server; it must not run meanwhile."
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        """This will take the file."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        """This will look at everything, ask, and restore."""
        lock = None
        try:
            preflight.require_data_dir(settings.KANBANAI_DATA_DIR)
            lock = preflight.lock_data_dir(settings.KANBANAI_DATA_DIR)
            restoring.require_empty()
            plan = restoring.look(options["file"].absolute())
            self.stdout.write(f"A whole backup of {plan.created_at}, {len(plan.members)} members.")
            if not options["yes"] and input("Restore it here? [y/N] ").strip().lower() != "y":
                raise CommandError("Nothing was changed.")
            report = restoring.restore(plan)
        except (preflight.NotReady, Broken) as error:
            raise CommandError(str(error)) from error
        except (Error, OSError) as error:
            raise CommandError(f"The backup could not be restored: {error}") from error
        finally:
            if lock is not None:
                os.close(lock)
        self._tell(report)

    def _tell(self, report: restoring.Report) -> None:
        say = self.stdout.write
        say(f"Restored: the database and {report.attachments} files of cards.")
        if report.unreadable_secrets:
            say(
                f"{report.unreadable_secrets} of {report.secrets} stored secrets cannot be read "
                "with the encryption keys of this server. Bring the keys of the former server "
                "(the file `encryption-keys`, or KANBANAI_ENCRYPTION_KEYS)."
            )
        elif report.secrets:
            say(f"All {report.secrets} stored secrets can be read with the keys of this server.")
        else:
            say("There are no stored secrets; the encryption keys are in no backup.")
        for path in report.missing_repositories:
            say(f"Bring the repository {path}; it is in no backup.")
