"""Traces, where an installation has OpenTelemetry and wants them; else nothing at all.

Without `OTEL_EXPORTER_OTLP_ENDPOINT`, or without the packages of requirements/otel.txt, every
function here does nothing and costs next to nothing.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADER = "traceparent"
EXPORT_SECONDS = 3

_tracer: Any = None


def begin(process: str) -> bool:
    """This will trace this process from now on, if that is wanted and possible; True if it is."""
    global _tracer  # noqa: PLW0603 - one tracer per process is the point
    if not os.environ.get(ENDPOINT) or _tracer is not None:
        return _tracer is not None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        return False
    resource = Resource.create({"service.name": "kanbanai", "service.instance.id": process})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_SECONDS)))
    _tracer = provider.get_tracer("kanbanai")
    return True


def is_on() -> bool:
    """True when this process is traced."""
    return _tracer is not None


@contextlib.contextmanager
def span(
    name: str, *, parent: str = "", kind: str = "INTERNAL", **attributes: Any
) -> Iterator[Any]:
    """This will make a span of what happens inside; `parent` is what `carried` gave elsewhere.

    It gives the span, or None where nothing is traced. An exception is noted by its type alone: its
    text may hold a secret.
    """
    if _tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415 - an extra

    with _tracer.start_as_current_span(
        name,
        context=_context(parent) if parent else None,
        kind=SpanKind[kind],
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except Exception as error:
            made.set_attribute("error.type", type(error).__name__)
            made.set_status(StatusCode.ERROR)
            raise


def carried() -> str:
    """This will give the place in the trace, to be carried to another process; else nothing."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an extra
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(HEADER, "")


def _context(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an extra
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract({HEADER: parent})


def place() -> dict[str, str]:
    """This will give the ids of the current trace and span, for lines of the log."""
    if _tracer is None:
        return {}
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra

    found = get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    return {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"}


def end() -> None:
    """This will send what was not sent yet and trace no more."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.span_processor.shutdown()
