"""REST addresses of projects, mounted under /api/v1/ and /api/.

`/projects` itself is the boards app's, since a new project gets its first board; one project is the
agents app's, since agents may be at work when it is deleted.
"""

from __future__ import annotations

from django.urls import path

from apps.projects.api import filesystem, members, projects, scripts

PROJECT = "projects/<proj_id:project_id>"
SCRIPT = f"{PROJECT}/scripts/<scr_id:script_id>"

urlpatterns = [
    path("filesystem/browse", filesystem.Browse.as_view()),
    path("filesystem/read", filesystem.Read.as_view()),
    path("projects/reorder", projects.ProjectOrder.as_view()),
    path(f"{PROJECT}/last-opened", projects.LastOpened.as_view()),
    path(f"{PROJECT}/mark-all-read", projects.AllRead.as_view()),
    path(f"{PROJECT}/files", projects.Files.as_view()),
    path(f"{PROJECT}/git/branches", projects.GitBranches.as_view()),
    path(f"{PROJECT}/clone/cancel", projects.CloneCancellation.as_view()),
    path(f"{PROJECT}/clone/retry", projects.CloneRetry.as_view()),
    path(f"{PROJECT}/members", members.Members.as_view()),
    path(f"{PROJECT}/members/<user_id:user_id>", members.OneMember.as_view()),
    path(f"{PROJECT}/invitations/<str:email>", members.OneInvitation.as_view()),
    path(f"{PROJECT}/scripts", scripts.Scripts.as_view()),
    path(f"{PROJECT}/scripts/reorder", scripts.ScriptOrder.as_view()),
    path(f"{PROJECT}/scripts/status", scripts.ScriptStatus.as_view()),
    path(SCRIPT, scripts.OneScript.as_view()),
    path(f"{SCRIPT}/runs", scripts.ScriptRuns.as_view()),
    path(f"{SCRIPT}/cancel", scripts.ScriptCancellation.as_view()),
    path(f"{PROJECT}/panel-states", projects.PanelStates.as_view()),
    path(f"{PROJECT}/panel-states/<card_id:card_id>", projects.PanelState.as_view()),
]
