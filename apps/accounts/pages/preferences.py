"""What one person wants to hear, and the keys they press."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts import notifications, operations, outputs, queries
from apps.core.pages import actor_of, page

CHANNELS = {
    "inApp": ("In KanbanAI", "The bell at the top of every page."),
    "email": ("By e-mail", "When this server can send mail."),
    "browser": ("As a notification of the browser", "While a page is open; the browser asks once."),
    "sound": ("With a sound", "While a page is open."),
}
EVENTS = {
    "agentCompleted": "An agent is done",
    "agentFailed": "An agent failed",
    "approvalNeeded": "An agent asks for approval",
    "inputNeeded": "An agent waits for an answer",
    "scriptFinished": "A script has ended",
    "invitation": "Somebody invites you",
}


@require_http_methods(["GET", "HEAD", "POST"])
@page
def hearing(request: HttpRequest) -> HttpResponse:
    """Shows and changes of what one hears, and how."""
    actor = actor_of(request)
    if request.method == "POST":
        channels = {name: name in request.POST for name in notifications.CHANNELS}
        events = {name: name in request.POST for name in notifications.EVENTS}
        operations.update_notifications(actor=actor, changes={**channels, "events": events})
        messages.success(request, "Saved.")
        return redirect("notification_settings")
    chosen = outputs.notification_settings(queries.preferences_of(actor.person))
    context = {
        "channels": [
            {"name": name, "label": label, "hint": hint, "checked": dict(chosen)[name]}
            for name, (label, hint) in CHANNELS.items()
        ],
        "events": [
            {"name": name, "label": label, "checked": dict(chosen["events"])[name]}
            for name, label in EVENTS.items()
        ],
    }
    return render(request, "accounts/notifications.html", context)


@require_safe
@page
def keyboard(request: HttpRequest) -> HttpResponse:
    """Shows the keys; the page's script draws them from the table that all pages use."""
    return render(request, "accounts/keyboard.html")
