"""Mission control and the inbox; htmx and scripts ask for the middle of the page alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.core.pages import actor_of, page
from apps.dashboard import inbox as inboxes
from apps.dashboard import overview as overviews
from apps.dashboard import queries, ranges

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

# The inbox page shows what waits, however long it has waited.
INBOX_RANGE = "last_90d"


def _is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


@require_safe
@page
def mission_control(request: HttpRequest) -> HttpResponse:
    """Numbers, agents at work, what waits, and how projects do."""
    chosen = ranges.TimeRange.of(request.GET.dict())
    seen = queries.seen_by(actor_of(request).person)
    context = {
        "overview": overviews.overview(seen, chosen),
        "preset": chosen.preset,
        "presets": [
            {"key": key, "label": label} for key, (label, _length, _step) in ranges.PRESETS.items()
        ],
    }
    template = "_overview" if _is_fragment(request) else "mission_control"
    return render(request, f"dashboard/{template}.html", context)


@require_safe
@page
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits for this person."""
    now = timezone.now()
    seen = queries.seen_by(actor_of(request).person)
    window = ranges.TimeRange(preset=INBOX_RANGE).at(now, now)
    shown = inboxes.rows(
        queries.candidates(seen, window),
        queries.pending_approvals(seen),
        now,
        overviews.agent_name,
    )
    total = sum(len(group) for group in (shown["needsYou"], shown["broken"], shown["done"]))
    template = "_inbox" if _is_fragment(request) else "inbox"
    return render(request, f"dashboard/{template}.html", {"inbox": shown, "total": total})
