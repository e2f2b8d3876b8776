#!/usr/bin/env python
"""Run one of KanbanAI's commands; `manage.py help` lists them."""

import os
import sys


def main() -> int:
    """This will run the command named on the command line and give its exit code."""
    if sys.argv[1:2] == ["up"]:
        # The supervisor lives as long as the product does, so it is kept free of Django's weight.
        from kanbanai.supervisor import cli  # noqa: PLC0415

        return cli.main(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kanbanai.settings.embedded")
    from django.core import management  # noqa: PLC0415

    management.execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
