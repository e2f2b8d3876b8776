"""`manage.py export_project`: write a project's document to a file or to the standard output."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from apps.core import ids, problems
from apps.core.actors import Actor
from apps.dashboard.exports import writing
from apps.projects import queries

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Write a project as one JSON document, which `import_project` reads."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        """This will take the project's id and the file."""
        parser.add_argument("project", help="The project's id, proj_…")
        parser.add_argument("file", nargs="?", type=Path, help="Where to; else standard output.")
        parser.add_argument(
            "--attachments", action="store_true", help="With the contents of the cards' files."
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        """This will write the document."""
        try:
            key = ids.decode("proj", options["project"])
            project = queries.get_project(actor=Actor.system("export"), project_id=key)
            with writing.spool_project(project, with_files=options["attachments"]) as document:
                if options["file"] is None:
                    shutil.copyfileobj(document, sys.stdout.buffer)
                else:
                    with options["file"].open("xb") as file:
                        options["file"].chmod(0o600)
                        shutil.copyfileobj(document, file)
        except problems.Problem as problem:
            raise CommandError(problem.detail) from problem
        except OSError as error:
            message = f"{options['file']}: {error.strerror}."
            raise CommandError(message) from error
