"""What a process of the product does with its lines: keep them, send them on, tell listeners."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from apps.core import metrics
from apps.core.logs import live
from apps.core.logs.exporter import Exporter
from apps.core.logs.pump import StoreSink, pump
from apps.core.logs.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from apps.core.logs.receivers import Receiver

log = structlog.get_logger("kanbanai.crash")


def store() -> Store:
    """This will give the store of this installation, to be searched."""
    return open_store(
        settings.KANBANAI_LOG_STORE,
        data_dir=Path(settings.KANBANAI_DATA_DIR),
        days=settings.KANBANAI_LOG_DAYS,
        most=settings.KANBANAI_LOG_LINES,
    )


def begin(read_receiver: Callable[[], Receiver | None]) -> None:
    """This will keep, send on and publish what this process logs from now on."""
    if not settings.KANBANAI_LOG_LINES:
        return
    kept, exporter = StoreSink(store()), Exporter(read_receiver)
    pump.begin([kept, exporter, live.Publisher()])
    metrics.gauge("log_lines_dropped", "Lines the log lost.", lambda: pump.dropped + kept.dropped)
    metrics.gauge("log_export_dropped", "Lines export lost.", lambda: exporter.dropped)
    metrics.gauge("log_export_refused", "Lines the receiver refused.", lambda: exporter.refused)
    metrics.gauge("log_export_waiting", "Lines that wait for export.", lambda: exporter.queued)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tells of an exception that ends the process, without the secrets it may carry."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("process_failed", exc_info=(kind, error, trace))


def _thread_crashed(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is SystemExit or arguments.exc_value is None:
        return
    information = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    name = arguments.thread.name if arguments.thread is not None else ""
    log.error("thread_failed", thread=name, exc_info=information)
