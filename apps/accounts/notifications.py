"""Of what a person wants to hear, and how, unless they chose otherwise. Keys are the wire's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

CHANNELS = {"inApp": True, "browser": False, "sound": False, "email": False}
EVENTS = {
    "agentCompleted": True,
    "agentFailed": True,
    "approvalNeeded": True,
    "inputNeeded": True,
    "scriptFinished": False,
    "invitation": True,
}


class Wishes(TypedDict):
    """All settings of one person."""

    inApp: bool
    browser: bool
    sound: bool
    email: bool
    events: dict[str, bool]


def merged(changes: Mapping[str, Any]) -> Wishes:
    """This will give all settings: what was changed over the defaults."""
    chosen = changes.get("events", {})
    events = {name: bool(chosen.get(name, value)) for name, value in EVENTS.items()}
    return {
        "inApp": bool(changes.get("inApp", CHANNELS["inApp"])),
        "browser": bool(changes.get("browser", CHANNELS["browser"])),
        "sound": bool(changes.get("sound", CHANNELS["sound"])),
        "email": bool(changes.get("email", CHANNELS["email"])),
        "events": events,
    }


def channels_of(wishes: Wishes) -> list[str]:
    """This will name the ways in which a person wants to hear."""
    wanted = {
        "inApp": wishes["inApp"],
        "browser": wishes["browser"],
        "sound": wishes["sound"],
        "email": wishes["email"],
    }
    return [name for name, chosen in wanted.items() if chosen]
