"""Which kinds of the journal change a dashboard: it says overviews, and what everybody hears."""

from __future__ import annotations

from apps.agents.live.messages.board import agent_profile, agent_registered
from apps.core.live.catalogue import Channel

DASHBOARD = Channel(
    "dashboard", "Dashboard: WebSocket `/api/v1/ws/dashboard` and event stream `/api/v1/sse`"
)

OVERVIEW = "dashboard_overview"

DASHBOARD.say(["agent.registered"], ["agent_registered"], agent_registered)
DASHBOARD.say(["agent_profile.changed"], ["agent_profile"], agent_profile)
DASHBOARD.announce(
    (
        f"{noun}.{done}"
        for noun, things in {
            "attachment": "created deleted",
            "attempt": "queued started status_changed completed plan_proposed"
            " approval_requested approval_answered",
            "board": "created updated deleted reordered",
            "card": "created updated moved deleted auto_mode_ended",
            "column": "created updated deleted reordered",
            "git": "committed pushed push_failed merged rebased",
            "member": "added updated removed invited uninvited",
            "project": "created updated deleted clone_requested transferred reordered read",
            "pull_request": "created updated",
        }.items()
        for done in things.split()
    ),
    [OVERVIEW],
)
# What changes no number of an overview.
DASHBOARD.leave_unsaid(
    f"{noun}.{done}"
    for noun, things in {
        "attempt": "conversed logged delta todos_updated usage_updated session_recorded"
        " context_filled summary_asked",
        "board_template": "created updated deleted",
        "card": "read",
        "credential": "created updated deleted verified",
        "credentials": "ended",
        "git": "status_changed",
        "log": "entry",
        "membership": "created updated deleted",
        "notification": "created read",
        "organization": "created updated deleted credential_chosen",
        "preferences": "updated",
        "presence": "told asked",
        "script": "created updated deleted reordered started output finished",
        "server": "registration_changed settings_changed",
        "terminal": "opened closed output",
        "token": "created",
        "user": "created updated deleted",
    }.items()
    for done in things.split()
)
