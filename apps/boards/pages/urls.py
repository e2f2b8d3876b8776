"""Pages of projects; the board itself is the agents app's, since it shows agents at work."""

from __future__ import annotations

from django.urls import path

from apps.boards.pages import brief, projects

CARD = "cards/<card_id:card_id>"
PROJECT = "projects/<proj_id:project_id>"

urlpatterns = [
    path("", projects.home, name="home"),
    path("projects", projects.projects, name="projects"),
    path("projects/new", projects.new, name="project_new"),
    path("projects/demo", projects.demo, name="project_demo"),
    path(f"{CARD}/assignees", brief.assignees, name="card_assignees"),
    path(f"{CARD}/dependencies", brief.dependencies, name="card_dependencies"),
    path(f"{CARD}/others", brief.others, name="card_others"),
    path(f"{PROJECT}/clone", projects.clone, name="project_clone"),
    path(f"{PROJECT}/clone/cancel", projects.cancel_clone, name="project_clone_cancel"),
    path(f"{PROJECT}/clone/retry", projects.retry_clone, name="project_clone_retry"),
    path(f"{PROJECT}/clone/discard", projects.discard_clone, name="project_clone_discard"),
]
