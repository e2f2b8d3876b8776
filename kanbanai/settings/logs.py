"""One log for everything: structlog renders our lines and those of the libraries alike."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import structlog

from apps.core import tracing
from apps.core.logs import redaction
from apps.core.logs.pump import capture
from apps.core.logs.redaction import redact_event

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

LONG_WORD = 12
ACCESS_LOGGER = "kanbanai.access"
ROUTINE_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/settings/logs"})


def without_ballast(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """This will take out what libraries add to their log lines and nobody reads.

    Django adds the request with its whole address; Celery a task's arguments and, once more, the
    traceback.
    """
    event.pop("request", None)
    if str(event.get("logger", "")).startswith("celery."):
        event.pop("data", None)
    return event


def add_place_in_trace(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """This will lead from a line to the trace it belongs to, where there is one."""
    event.update(tracing.place())
    return event


def without_routine(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """This will drop the lines of probes and of pages that follow the log: they fill it alone."""
    if event.get("path") in ROUTINE_PATHS and event.get("logger") == ACCESS_LOGGER:
        status = event.get("status")
        if isinstance(status, int) and status < HTTPStatus.BAD_REQUEST:
            raise structlog.DropEvent
    return event


SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    add_place_in_trace,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    without_ballast,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


def know_secrets(*secrets: str) -> None:
    """This will keep the server's own secrets out of every line, wherever they turn up."""
    # A password that is a mere word would be taken out of every sentence.
    redaction.know(secret for secret in secrets if not secret.isalpha() or len(secret) > LONG_WORD)


def secrets_of_url(url: str) -> str:
    """This will give the password in an address, or nothing."""
    return unquote(urlsplit(url).password or "")


def logging_config(*, level: str, style: str) -> dict[str, Any]:
    """This will set structlog up and give Django's LOGGING; `style` is "json" or "console"."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            without_routine,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendered: Processor
    writer: Processor
    if style == "json":
        # Without the values of variables: passwords and tokens are among them.
        rendered = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        )
        writer = structlog.processors.JSONRenderer()
    else:
        rendered = structlog.processors.format_exc_info
        writer = structlog.dev.ConsoleRenderer(
            colors=False,
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )
    upper = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": list(SHARED),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    # Exceptions become text first: what they say is looked through as well.
                    rendered,
                    redact_event,
                    capture,
                    writer,
                ],
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["console"], "level": upper},
        "loggers": {
            "django": {"handlers": [], "level": upper, "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # These name every frame or every request, addresses with tokens included.
            "daphne": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
            "celery": {"level": "WARNING" if level != "debug" else "DEBUG"},
            "kombu": {"level": "WARNING"},
        },
    }
