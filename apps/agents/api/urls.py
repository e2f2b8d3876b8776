"""REST addresses of agents, mounted under /api/v1/ and /api/.

Cards, boards and projects themselves are here too, since deleting one ends its agents.
"""

from __future__ import annotations

from django.urls import path

from apps.agents.api import (
    assistant,
    attempts,
    cards,
    credentials,
    git,
    pipelines,
    presessions,
    projects,
    scripts,
    slash_commands,
)

PROJECT = "projects/<proj_id:project_id>"
CARD = f"{PROJECT}/cards/<card_id:card_id>"
PRESESSION = f"{PROJECT}/pre-session/<pre_id:session_id>"
ATTEMPT = "attempts/<sess_id:attempt_id>"
CREDENTIAL = "credentials/<cred_id:credential_id>"

urlpatterns = [
    path("agents", attempts.Agents.as_view()),
    path("credentials", credentials.Credentials.as_view()),
    path("credentials/oauth/init", credentials.LoginStart.as_view()),
    path("credentials/oauth/callback", credentials.LoginReturn.as_view()),
    path(CREDENTIAL, credentials.OneCredential.as_view()),
    path(f"{CREDENTIAL}/verify", credentials.CredentialCheck.as_view()),
    path(f"{CREDENTIAL}/usage", credentials.CredentialUsage.as_view()),
    path(f"{CREDENTIAL}/oauth/status", credentials.LoginState.as_view()),
    path(
        "organizations/<org_id:organization_id>/default-credential",
        credentials.OrganizationChoice.as_view(),
    ),
    path(f"{PROJECT}/credential", credentials.ProjectChoice.as_view()),
    path(f"{CARD}/credential", credentials.CardChoice.as_view()),
    path(PROJECT, projects.OneProject.as_view()),
    path(f"{PROJECT}/settings", projects.ProjectSettings.as_view()),
    path(f"{PROJECT}/boards/<board_id:board_id>", projects.OneBoard.as_view()),
    path(f"{PROJECT}/columns/<col_id:column_id>/clean-all", projects.ColumnCleaning.as_view()),
    path(f"{PROJECT}/scripts/<scr_id:script_id>/run", scripts.ScriptStart.as_view()),
    path(f"{PROJECT}/slash-commands", slash_commands.SlashCommands.as_view()),
    path(f"{PROJECT}/active-agents", cards.ActiveAgents.as_view()),
    path(f"{PROJECT}/assistant", assistant.Assistant.as_view()),
    path(f"{PROJECT}/assistant/message", assistant.AssistantMessage.as_view()),
    path(f"{PROJECT}/assistant/stop", assistant.AssistantStop.as_view()),
    path(f"{PROJECT}/pre-session", presessions.PreSessions.as_view()),
    path(PRESESSION, presessions.OnePreSession.as_view()),
    path(f"{PRESESSION}/message", presessions.PreSessionMessage.as_view()),
    path(f"{PRESESSION}/messages", presessions.PreSessionMessages.as_view()),
    path(f"{PRESESSION}/accept", presessions.PreSessionAcceptance.as_view()),
    path(f"{PRESESSION}/cancel", presessions.PreSessionCancel.as_view()),
    path(CARD, cards.OneCard.as_view()),
    path(f"{CARD}/activate", cards.CardActivation.as_view()),
    path(f"{CARD}/auto-mode", pipelines.CardAutoMode.as_view()),
    path(f"{CARD}/approve-auto", pipelines.StepApproval.as_view()),
    path(f"{CARD}/complete", pipelines.CardCompletion.as_view()),
    path(f"{CARD}/summary", pipelines.CardSummary.as_view()),
    path(f"{CARD}/diff", cards.CardDiff.as_view()),
    path(f"{CARD}/attempt", attempts.CardAttempt.as_view()),
    path(f"{CARD}/attempts", attempts.CardAttempts.as_view()),
    path(f"{CARD}/agent", cards.CardAgent.as_view()),
    path(f"{CARD}/agent/cancel", cards.AgentStop.as_view()),
    path(f"{CARD}/agent/sessions", cards.AgentSessions.as_view()),
    path(f"{CARD}/agent/history", cards.AgentHistory.as_view()),
    path(f"{CARD}/agent/messages", cards.AgentMessages.as_view()),
    path(f"{CARD}/agent/message", cards.AgentMessage.as_view()),
    path(f"{CARD}/agent/retry", cards.AgentRetry.as_view()),
    path(f"{CARD}/agent/relaunch", cards.AgentRelaunch.as_view()),
    path(f"{CARD}/agent/relay", pipelines.AgentRelay.as_view()),
    path(f"{CARD}/agent/plan-approve", cards.PlanApproval.as_view()),
    path("cards/<card_id:card_id>", cards.FlatCard.as_view()),
    path(ATTEMPT, attempts.OneAttempt.as_view()),
    path(f"{ATTEMPT}/logs", attempts.AttemptLogs.as_view()),
    path(f"{ATTEMPT}/messages", attempts.AttemptMessages.as_view()),
    path(f"{ATTEMPT}/retry", attempts.AttemptRetry.as_view()),
    path(f"{ATTEMPT}/relaunch", attempts.AttemptRelaunch.as_view()),
    path(f"{ATTEMPT}/relay", attempts.AttemptRelay.as_view()),
    path(f"{ATTEMPT}/approvals/<appr_id:approval_id>", attempts.OneApproval.as_view()),
    path(f"{ATTEMPT}/git/status", git.Status.as_view()),
    path(f"{ATTEMPT}/git/diff", git.OneDiff.as_view()),
    path(f"{ATTEMPT}/git/file", git.File.as_view()),
    path(f"{ATTEMPT}/git/commit", git.Commit.as_view()),
    path(f"{ATTEMPT}/git/merge", git.Merge.as_view()),
    path(f"{ATTEMPT}/git/restore", git.Restoration.as_view()),
]
