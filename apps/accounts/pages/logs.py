"""The log for server admins, and where super admins have it sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts import log_inputs, log_outputs, operations, queries, rules
from apps.accounts.pages import log_forms as forms
from apps.accounts.pages.forms import show_problem
from apps.core import problems
from apps.core.logs import search, trial
from apps.core.logs.store import Found, cursor_of
from apps.core.pages import actor_of, page
from apps.core.rest import field_errors

methods = require_http_methods(["GET", "HEAD", "POST"])

# A page that follows is drawn anew when it has grown past this.
MOST_SHOWN = 1_000
BEGINNING = cursor_of((0, 0))


@require_safe
@never_cache
@page
def lines(request: HttpRequest) -> HttpResponse:
    """Shows the newest lines that fit a search; with `after` only what came since."""
    rules.require_server_admin(actor_of(request))
    asked = {key: value for key, value in request.GET.items() if value}
    reader = log_inputs.SearchLogs(data=asked)
    if not reader.is_valid():
        raise problems.ValidationFailed(errors=field_errors(reader.errors))
    found = search.find(**reader.validated_data)
    context = _context(request, found)
    if "after" not in asked:
        return render(request, "accounts/logs.html", context)
    if not found.entries:
        return HttpResponse(status=204)
    if context["shown"] > MOST_SHOWN:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "accounts/_log_lines.html", context)


def _context(request: HttpRequest, found: Found) -> dict[str, Any]:
    asked = {name: request.GET.get(name, "") for name in ("search", "level", "follow", "requestId")}
    already = request.GET.get("shown", "")
    shown = (int(already) if already.isascii() and already.isdigit() else 0) + len(found.entries)
    here, kept = reverse("logs"), {name: value for name, value in asked.items() if value}
    newer = {**kept, "after": found.newest or BEGINNING, "shown": shown, "limit": 500}
    return {
        **asked,
        "lines": [log_outputs.log_line(entry) for entry in found.entries],
        "shown": shown,
        "newer": f"{here}?{urlencode(newer)}" if asked["follow"] else "",
        "older": f"{here}?{urlencode({**kept, 'cursor': found.cursor, 'follow': ''})}"
        if found.cursor
        else "",
    }


def _read(form: forms.LogExport) -> dict[str, Any]:
    reader = log_inputs.UpdateLogExport(data=form.wire())
    if not reader.is_valid():
        raise problems.ValidationFailed(errors=field_errors(reader.errors))
    return dict(reader.validated_data)


@methods
@never_cache
@sensitive_post_parameters("headers")
@page
def export(request: HttpRequest) -> HttpResponse:
    """Shows, changes and tries where the log is sent; values of headers are never shown."""
    actor = actor_of(request)
    rules.require_super_admin(actor)
    row = queries.log_export()
    saving = request.method == "POST" and "test" not in request.POST
    form = forms.LogExport(
        request.POST if saving else None,
        initial=forms.initial_of(row, queries.log_headers(row)),
    )
    if saving and form.is_valid():
        try:
            operations.update_log_export(actor=actor, changes=_read(form))
        except problems.ValidationFailed as problem:
            show_problem(form, forms.named(problem), {})
        else:
            messages.success(request, "Saved. Every process follows within seconds.")
            return redirect("log_export")
    outcome = trial.try_out(queries.find_log_receiver()) if "test" in request.POST else None
    context = {"form": form, "outcome": outcome, "configured": bool(row.endpoint)}
    return render(request, "accounts/log_export.html", context)
