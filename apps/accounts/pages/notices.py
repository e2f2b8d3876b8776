"""What one was told: the list, and the bell that counts what is unread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import operations, outputs, queries
from apps.core import paging
from apps.core.pages import actor_of, page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

AT_ONCE = 50
CURSOR_LENGTH = paging.CURSOR_LENGTH


@require_safe
@never_cache
@page
def notices(request: HttpRequest) -> HttpResponse:
    """The newest first, a part at a time."""
    person = actor_of(request).person
    rows, more = paging.cut(
        queries.notifications_of(person),
        order=("-created_at", "-pk"),
        usual_limit=AT_ONCE,
        cursor=request.GET.get("cursor", "")[:CURSOR_LENGTH] or None,
    )
    context = {"notices": [outputs.notification(row) for row in rows], "more": more}
    return render(request, "accounts/notices.html", context)


@require_safe
@never_cache
@page
def bell(request: HttpRequest) -> HttpResponse:
    """The bell alone: pages ask for it now and then."""
    person = actor_of(request).person
    newest = queries.notifications_of(person, unread=True).order_by("-created_at", "-pk").first()
    wishes = outputs.notification_settings(queries.preferences_of(person))
    context = {
        "unread": queries.unread_count(person),
        "newest": outputs.notification(newest) if newest else None,
        "wishes": wishes,
        # The bell that a page begins with does not know the newest: it costs a statement more.
        "asked": True,
    }
    return render(request, "accounts/_bell.html", context)


@require_POST
@page
def read(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Where a notification leads; it counts as read from now on."""
    actor = actor_of(request)
    row = queries.get_notification(actor.person, notification_id)
    operations.mark_read(actor=actor, notification=row)
    return redirect(row.path)


@require_POST
@page
def read_all(request: HttpRequest) -> HttpResponse:
    """Everything counts as read."""
    operations.mark_all_notifications_read(actor=actor_of(request))
    return redirect("notices")
