"""`manage.py doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core.logs import redaction
from kanbanai import doctor

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


class Command(BaseCommand):
    help = "Looks this installation over; the exit code is 1 when there is a problem."
    # A check that fails would end the very command that says what is wrong.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """This will offer an answer for machines."""
        parser.add_argument("--json", action="store_true", help="answer with one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """This will look at everything, tell, and end with 1 when there is a problem."""
        findings = doctor.examine()
        well = not any(finding.state == "problem" for finding in findings)
        if options["json"]:
            shown = {"ok": well, "findings": [finding.as_dict() for finding in findings]}
            self.stdout.write(json.dumps(redaction.redact(shown), indent=2))
        else:
            for finding in findings:
                line = f"{MARKS[finding.state]}  {finding.name}: {finding.said}"
                self.stdout.write(redaction.text(line))
                if finding.advice:
                    self.stdout.write(f"         {finding.advice}")
        if not well:
            sys.exit(1)
