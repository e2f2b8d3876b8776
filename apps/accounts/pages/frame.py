"""What the frame of every page shows: who is here, and how they like it."""

from __future__ import annotations

import json
from typing import Any, TypedDict
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from apps.accounts import outputs, queries
from apps.accounts.models import Theme, User
from apps.accounts.oidc.refusals import SENTENCES
from apps.core import snapshots

# The kinds of tools that agents tell apart, and what people call them.
TOOL_TYPES = {
    "read": "Reading files",
    "edit": "Editing files",
    "delete": "Deleting files",
    "move": "Moving files",
    "search": "Searching",
    "execute": "Running commands",
    "think": "Thinking",
    "fetch": "Fetching from the web",
    "other": "Other tools",
}


class FrameUser(TypedDict):
    """The signed-in person, as the corner of the page shows them."""

    id: str
    name: str
    email: str
    role: str


def frame(request: HttpRequest) -> dict[str, Any]:
    """This will give templates `frame`, built when it is first looked at.

    Higher apps add to it with `snapshots.part("frame", name, function_of_the_user)`.
    """
    return {"frame": SimpleLazyObject(lambda: _frame(request))}


def _frame(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    shown: dict[str, Any] = {
        "user": None,
        "theme": Theme.DARK.value,
        "highContrast": False,
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "registration": queries.registration_policy(),
    }
    if not isinstance(user, User):
        return {**shown, **_entrance(request)}
    row = queries.preferences_of(user)
    preferences = outputs.preferences(row)
    return {
        **shown,
        "user": FrameUser(
            id=user.public_id, name=user.display_name, email=user.email, role=user.role
        ),
        "theme": preferences["theme"],
        "highContrast": preferences["highContrast"],
        "sidebarExpanded": preferences["sidebarExpanded"],
        "hides": " ".join(_hidden(preferences)),
        "unread": queries.unread_count(user),
        "wishes": outputs.notification_settings(row),
        # What differs from the keys that every page knows.
        "shortcuts": json.dumps(row.shortcuts) if row.shortcuts else "",
        **snapshots.parts_of("frame", user),
    }


def _hidden(preferences: outputs.Preferences) -> list[str]:
    """What styles leave out, in their words: `data-hides` of the page."""
    shown = {"reasoning": preferences["agentReasoning"], "status-line": preferences["statusLine"]}
    kinds = [kind for kind in preferences["hiddenToolTypes"] if kind in TOOL_TYPES]
    return [*(name for name, wanted in shown.items() if not wanted), *kinds]


class Provider(TypedDict):
    """The other way in: what its button says and where it leads."""

    name: str
    url: str


def _entrance(request: HttpRequest) -> dict[str, Any]:
    """What the sign-in page shows besides: the identity provider, and why it let nobody in."""
    refusal = SENTENCES.get(request.GET.get("error", ""), "")
    row = queries.find_provider()
    if row is None:
        return {"oidc": None, "refusal": refusal}
    # Under the public origin, where the provider will send the browser back to: a session begun
    # under another name of this server would not be found there.
    url = f"{settings.KANBANAI_PUBLIC_ORIGIN}{reverse('oidc_login')}"
    then = request.GET.get("next")
    if then:
        url += f"?{urlencode({'next': then})}"
    return {"oidc": Provider(name=row.name or "single sign-on", url=url), "refusal": refusal}
