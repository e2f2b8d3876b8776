"""Fragments of one attempt: its transcript, its new items, its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from apps.agents import checkouts, operations, queries
from apps.agents.pages import changes as change_shapes
from apps.agents.pages import shapes
from apps.core import ids, problems
from apps.core.pages import actor_of, page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from apps.agents.models import Attempt

MODES = ("unified", "split")
MOST_ITEMS = 500
OLDER_ITEMS = 100


def _found(request: HttpRequest, attempt_id: UUID) -> Attempt:
    return queries.get_attempt(actor=actor_of(request), attempt_id=attempt_id)


def mode_of(request: HttpRequest) -> str:
    """This will read how diffs are shown; what is no mode is the first one."""
    wanted = request.GET.get("mode", "")
    return wanted if wanted in MODES else MODES[0]


def scope_of(request: HttpRequest) -> str:
    """This will read what a diff covers; what is no scope is everything."""
    wanted = request.GET.get("scope", "")
    return wanted if wanted in checkouts.SCOPES else checkouts.ALL


def whole_number(request: HttpRequest, name: str) -> int | None:
    """This will read a number of the query string; None when it is missing or none."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - fits the column


@require_safe
@page
def run(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The whole Run tab, after the state changed."""
    row = _found(request, attempt_id)
    position = operations.queue_position(row)
    context = {
        **shapes.run(row),
        "attempt": shapes.attempt(row, queue_position=position),
        "card": {"id": ids.encode("card", row.card_id)},
        "project": {"id": row.project.public_id},
        "canRun": True,
    }
    context |= {"last_seq": context["lastSeq"], "has_older": context["hasOlder"]}
    return render(request, "agents/_run.html", context)


@require_safe
@page
def items(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """Items that changed after a seq (`after`), or stand before a position (`before`)."""
    row = _found(request, attempt_id)
    before = whole_number(request, "before")
    if before is not None:
        rows = queries.newest_items(row, limit=OLDER_ITEMS, before=before)
    else:
        after = whole_number(request, "after") or 0
        rows = list(row.items.filter(seq__gt=after).order_by("position")[:MOST_ITEMS])
    html = "".join(
        render_to_string("agents/_item.html", {"item": item}, request=request)
        for item in shapes.items(rows)
    )
    return HttpResponse(html, headers={"X-Last-Seq": str(row.last_seq)})


@require_safe
@page
def changes(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The Changes tab."""
    row = _found(request, attempt_id)
    shown = change_shapes.changes(row, mode=mode_of(request), scope=scope_of(request))
    return render(request, "agents/_changes.html", changes_context(row, shown))


def changes_context(row: Attempt, shown: change_shapes.Shape) -> change_shapes.Shape:
    """This will be the context of `agents/_changes.html`."""
    return {
        **shown,
        "attempt": shapes.attempt(row),
        "card": {"id": ids.encode("card", row.card_id)},
        "project": {"id": row.project.public_id},
        "canRun": True,
        "can_commit": shown.get("canCommit"),
        "can_merge": shown.get("canMerge"),
        "merge_blocked": shown.get("mergeBlockedReason"),
        "suggested_subject": shown.get("suggestedSubject"),
        "suggested_body": shown.get("suggestedBody"),
    }


@require_safe
@page
def file(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The diff of one file, when it is unfolded."""
    row = _found(request, attempt_id)
    mode, scope = mode_of(request), scope_of(request)
    path = request.GET.get("path", "")
    shown = change_shapes.one_file(row, path=path, mode=mode, scope=scope)
    if shown is None:
        message = "This file does not differ."
        raise problems.NotFound(message)
    context = {
        "file": shown,
        "attempt": shapes.attempt(row),
        "mode": mode,
        "scope": scope,
        "number": whole_number(request, "number") or 0,
    }
    return render(request, "agents/_file_diff.html", context)
