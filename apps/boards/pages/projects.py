"""The list of projects, the first steps, and new projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.boards import operations, queries
from apps.boards.pages import forms
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of
from apps.projects import inputs as project_inputs
from apps.projects import logins
from apps.projects import operations as project_operations
from apps.projects import outputs as project_outputs
from apps.projects import queries as project_queries
from apps.projects.models import Project

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from apps.accounts.models import User

Shape = dict[str, Any]

STATUS = {
    Project.State.CLONE_FAILED: "failed",
    Project.State.CLONE_CANCELLED: "cancelled",
}

TITLES = {
    "running": "Cloning {name}",
    "failed": "{name} could not be cloned",
    "cancelled": "The clone of {name} was stopped",
}


@require_safe
@page
def home(request: HttpRequest) -> HttpResponse:
    """The inbox; before there is a project, the first steps."""
    user = actor_of(request).person
    return redirect("inbox" if project_queries.recent_projects_of(user, limit=1) else "projects")


@require_http_methods(["GET", "HEAD"])
@page
def projects(request: HttpRequest) -> HttpResponse:
    """One's projects, and how far a clone is."""
    user = actor_of(request).person
    rows = project_queries.projects_of(user)
    context = {
        "projects": _cards(rows, user),
        "canCreate": True,
        "demoUrl": reverse("project_demo"),
        "operation": _newest_clone(rows, user),
    }
    return render(request, "projects/list.html", context)


def _cards(rows: list[Project], user: User) -> list[Shape]:
    tallies = queries.tallies_of([row.pk for row in rows])
    shown = []
    for row, project in zip(rows, project_outputs.projects(rows, user), strict=True):
        tally = tallies[row.pk]
        shown.append(
            {
                **project,
                "boardId": tally.board_id,
                "openCards": tally.open,
                "totalCards": tally.total,
                "activeAttempts": tally.active,
            }
        )
    return shown


def _newest_clone(rows: list[Project], user: User) -> Shape | None:
    mine = [row for row in rows if row.state != Project.State.READY and row.owner_id == user.pk]
    return _operation(max(mine, key=lambda row: row.updated_at)) if mine else None


def _operation(row: Project) -> Shape:
    shown = project_outputs.clone(row) or {"percent": 100, "phase": "", "cancellable": False}
    status = STATUS.get(Project.State(row.state), "running")
    return {
        "id": row.public_id,
        "status": status,
        "title": TITLES[status].format(name=row.name),
        "progress": shown["percent"],
        "phase": shown["phase"],
        "message": shown["phase"],
        "cancellable": shown["cancellable"],
        "url": reverse("project_clone", args=[row.pk]),
        "cancelUrl": reverse("project_clone_cancel", args=[row.pk]),
        "retryUrl": reverse("project_clone_retry", args=[row.pk]),
        "discardUrl": reverse("project_clone_discard", args=[row.pk]),
    }


@require_http_methods(["GET", "POST"])
@page
def new(request: HttpRequest) -> HttpResponse:
    """The form for a project of a folder, of a clone, or of nothing yet."""
    wanted = (request.POST if request.method == "POST" else request.GET).get("mode", "")
    mode = wanted if wanted in forms.MODES else "folder"
    if request.method != "POST":
        return render(request, "projects/new.html", {"form": forms.MODES[mode](), "mode": mode})
    form = forms.MODES[mode](request.POST)
    if form.is_valid():
        try:
            project = _make(request, form)
        except REFUSALS as error:
            form.tell(error)
        else:
            return redirect("projects" if mode == "clone" else _board_url(project))
    return render(request, "projects/new.html", {"form": form, "mode": mode}, status=422)


def _make(request: HttpRequest, form: forms.New) -> Project:
    reader = project_inputs.CreateProject(data=form.values())
    reader.is_valid(raise_exception=True)
    values = dict(reader.validated_data)
    login = logins.read({key: values.pop(key, "") for key in ("username", "password")})
    return operations.open_repository(actor=actor_of(request), login=login, **values)


def _board_url(project: Project) -> str:
    board = queries.first_board_of(project.pk)
    return reverse("board", args=[board.pk]) if board else reverse("projects")


@require_POST
@page
def demo(request: HttpRequest) -> HttpResponse:
    """The demo project, and its board at once."""
    return redirect(_board_url(operations.open_demo(actor=actor_of(request))))


@require_safe
@page
def clone(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """How far a clone is, asked for each second; the board when it is there."""
    row = project_queries.get_project(actor=actor_of(request), project_id=project_id)
    if request.headers.get("HX-Request") != "true":
        return redirect("projects")
    if row.state == Project.State.READY:
        return HttpResponse(headers={"HX-Redirect": _board_url(row)})
    return render(request, "projects/_operation.html", {"operation": _operation(row)})


@require_POST
@page
def cancel_clone(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """The end of a clone."""
    actor = actor_of(request)
    row = project_queries.get_project(actor=actor, project_id=project_id)
    row = project_operations.cancel_clone(actor=actor, project=row)
    return render(request, "projects/_operation.html", {"operation": _operation(row)})


@require_POST
@page
def retry_clone(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Another try, with a login when one is filled in."""
    actor = actor_of(request)
    row = project_queries.get_project(actor=actor, project_id=project_id)
    reader = project_inputs.Login(
        data={key: value for key in ("username", "password") if (value := request.POST.get(key))}
    )
    try:
        reader.is_valid(raise_exception=True)
    except REFUSALS as error:
        shown = {**_operation(row), "message": problem_of(error).detail}
        return render(request, "projects/_operation.html", {"operation": shown}, status=422)
    login = logins.read(reader.validated_data)
    row = project_operations.retry_clone(actor=actor, project=row, login=login)
    return render(request, "projects/_operation.html", {"operation": _operation(row)})


@require_POST
@page
def discard_clone(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """The end of a project that never got a repository."""
    actor = actor_of(request)
    row = project_queries.get_project(actor=actor, project_id=project_id)
    project_operations.discard_clone(actor=actor, project=row)
    messages.success(request, f"{row.name} was removed")
    return redirect("projects")
