"""`manage.py serve`: one web process."""

from __future__ import annotations

import contextlib
import gc
import resource
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.metrics import sharing
from kanbanai.settings import variables
from kanbanai.supervisor import orphans

MOST_FILES = 65_536


class Command(BaseCommand):
    help = "Answers requests, sockets and event streams until it is told to stop."
    # What could be checked was checked when the product was built and started.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """This will take an address to listen on, or a socket that a parent opened."""
        parser.add_argument("--host", default=None)
        parser.add_argument("--port", type=int, default=None)
        parser.add_argument("--fd", type=int, default=None, help="an open, listening socket")
        parser.add_argument(
            "--beside", action="store_true", help="share the port with processes started like this"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """This will serve until SIGTERM or SIGINT."""
        # Both choose Twisted's event loop for the process, so no other command may import them.
        from kanbanai.web import server  # noqa: PLC0415, I001
        from kanbanai import asgi  # noqa: PLC0415

        if options["fd"] is not None:
            listener = server.adopted_listener(options["fd"])
        else:
            host = options["host"] or variables.HOST.read()
            port = options["port"] or variables.PORT.read()
            try:
                listener = server.open_listener(host, port, beside=options["beside"])
            except OSError as error:
                message = f"Cannot listen on {host}:{port}: {error.strerror}."
                raise CommandError(message) from error
        # Whether sign-in may be off depends on where the server really listens.
        settings.KANBANAI_HOST = listener.getsockname()[0]
        orphans.end_with_supervisor()
        open_many_files()
        sharing.begin()
        settle()
        server.WebServer(
            asgi.application,
            bridge=asgi.bridge,
            listener=listener,
            behind_proxy=settings.KANBANAI_BEHIND_PROXY,
            streams=asgi.streams,
        ).run()


def settle() -> None:
    """This will load every view, and keep the collector from going through all that ever again.

    Without this, what a large answer is made of lets it look at the whole program several times.
    """
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()


def open_many_files() -> None:
    """This will let the process have many connections: each is a file, and few are given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
