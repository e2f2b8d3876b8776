"""What is traced: requests, operations, publishing, delivery, tasks."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core import tracing
from apps.core.metrics import process_name

APPS = ("accounts", "orgs", "projects", "boards", "agents", "dashboard")


def begin() -> None:
    """This will trace this process, if an address is set and the packages are there."""
    if tracing.begin(process_name()):
        for app in APPS:
            _trace_operations(app)


def _trace_operations(app: str) -> None:
    """Callers reach operations through their module, so that is where each gets its span."""
    try:
        module = importlib.import_module(f"apps.{app}.operations")
    except ModuleNotFoundError:
        return
    for name in getattr(module, "__all__", ()):
        operation = getattr(module, name)
        if inspect.isfunction(operation) and not hasattr(operation, "is_traced"):
            setattr(module, name, _traced(f"{app}.{name}", operation))


def _traced(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def traced(*arguments: Any, **given: Any) -> Any:
        with tracing.span(name):
            return operation(*arguments, **given)

    traced.is_traced = True  # type: ignore[attr-defined]
    return traced


class Traced:
    """Makes each request a span, under the caller's own where it sent one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """This will name the span after the route, never after the address."""
        if not tracing.is_on():
            return self.get_response(request)
        method = request.method or ""
        parent = request.headers.get(tracing.HEADER, "")
        with tracing.span(
            method, parent=parent, kind="SERVER", http__request__method=method
        ) as span:
            response = self.get_response(request)
            match = request.resolver_match
            if match is not None:
                span.update_name(f"{method} /{match.route}")
                span.set_attribute("http.route", match.route)
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("kanbanai.request_id", getattr(request, "request_id", ""))
            return response


# --- tasks ---------------------------------------------------------------------------------------

_running: dict[str, ExitStack] = {}


@before_task_publish.connect
def carry(*, headers: dict[str, Any] | None = None, **_: object) -> None:
    """This will carry the place in the trace to the worker."""
    place = tracing.carried()
    if place and headers is not None:
        headers[tracing.HEADER] = place


@task_prerun.connect
def begin_task(*, task_id: str = "", task: Any = None, **_: object) -> None:
    """This will make a task a span of the trace that queued it."""
    if not tracing.is_on():
        return
    request = getattr(task, "request", None)
    # A worker finds a message's headers on the request itself, an eager call among its headers.
    given = getattr(request, "headers", None) or {}
    parent = getattr(request, tracing.HEADER, None) or given.get(tracing.HEADER, "")
    stack = _running[task_id] = ExitStack()
    stack.enter_context(tracing.span(task.name, parent=parent, kind="CONSUMER"))


@task_postrun.connect
def end_task(*, task_id: str = "", **_: object) -> None:
    """This will end a task's span."""
    stack = _running.pop(task_id, None)
    if stack is not None:
        stack.close()
