"""Pages that show agents at work."""

from __future__ import annotations

from django.urls import path

from apps.agents.pages import attempts, boards, choices, credentials, settings, steps, talks

BOARD = "boards/<board_id:board_id>"
CARD = "cards/<card_id:card_id>"
PROJECT = "projects/<proj_id:project_id>"
PRESESSION = f"{CARD}/pre-session/<pre_id:session_id>"
ATTEMPT = "attempts/<sess_id:attempt_id>"

urlpatterns = [
    path(BOARD, boards.board, name="board"),
    path(f"{BOARD}/cards/new", boards.new_card, name="card_new"),
    path(f"{BOARD}/cards/fragments", boards.fragments, name="cards_fragments"),
    path(f"{BOARD}/cards/<card_id:card_id>", boards.card, name="card"),
    path(f"{BOARD}/cards/<card_id:card_id>/drawer", boards.drawer, name="card_drawer"),
    path(f"{CARD}/auto-mode", steps.auto_mode, name="card_auto_mode"),
    path(f"{CARD}/approve", steps.approve, name="card_approve"),
    path(f"{CARD}/summary", steps.summary, name="card_summary"),
    path(f"{CARD}/relay", steps.relay, name="card_relay"),
    path(f"{ATTEMPT}/run", attempts.run, name="attempt_run"),
    path(f"{ATTEMPT}/items/fragments", attempts.items, name="attempt_items"),
    path(f"{ATTEMPT}/changes", attempts.changes, name="attempt_changes"),
    path(f"{ATTEMPT}/changes/file", attempts.file, name="attempt_file"),
    path(f"{CARD}/pre-session", talks.presession, name="presession"),
    path(f"{PRESESSION}/talk", talks.presession_talk, name="presession_talk"),
    path(f"{PRESESSION}/end", talks.presession_end, name="presession_end"),
    path(f"{PROJECT}/assistant", talks.assistant, name="assistant"),
    path(f"{PROJECT}/assistant/talk", talks.assistant_talk, name="assistant_talk"),
    path(f"{PROJECT}/assistant/stop", talks.assistant_stop, name="assistant_stop"),
    path("settings/credentials", credentials.listing, name="credentials"),
    path(f"{CARD}/credential", choices.card, name="card_credential"),
    path(
        "organizations/<org_id:organization_id>/credential",
        choices.organization,
        name="organization_credential",
    ),
    path("settings/credentials/login", credentials.login_result, name="credential_login"),
    path("projects/<proj_id:project_id>/settings", settings.project, name="project_settings"),
]
