"""`manage.py import_project`: make the projects of a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import ParseError
from typing_extensions import override

from apps.accounts.models import User
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.parsers import StrictJSONParser
from apps.dashboard import operations
from apps.dashboard.exports import checking

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Make new projects of a document that an export wrote, with new ids."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        """This will take the file, whose the projects are, and where they go."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--owner", required=True, help="The owner's e-mail.")
        parser.add_argument("--organization", help="The organization's id, org_…")
        parser.add_argument("--path", default="", help="A repository that is there already.")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        """This will import the document, or say what is wrong with it."""
        owner = User.objects.filter(email=options["owner"].lower(), is_active=True).first()
        if owner is None:
            raise CommandError(f"Nobody here has the e-mail {options['owner']}.")
        try:
            with options["file"].open("rb") as file:
                document = StrictJSONParser().parse(file)
            named = options["organization"]
            made = operations.import_document(
                actor=Actor(user=owner, origin="command"),
                contents=checking.contents(document),
                organization_id=ids.decode("org", named) if named else None,
                path=options["path"],
            )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from error
        except ParseError as error:
            raise CommandError(str(error.detail)) from error
        except problems.Problem as problem:
            found = [f"  {error['field']}: {error['detail']}" for error in problem.errors]
            raise CommandError("\n".join([problem.detail, *found])) from problem
        for one in made:
            left_out = one.attachments_left_out
            said = f", without {left_out} attachments" if left_out else ""
            self.stdout.write(f"{one.project.public_id} {one.project.name}{said}")
