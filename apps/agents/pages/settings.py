"""The settings of a project, section by section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.agents import inputs, operations
from apps.agents.pages import columns, forms
from apps.boards import queries as board_queries
from apps.core import ids
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS
from apps.projects import inputs as project_inputs
from apps.projects import operations as project_operations
from apps.projects import queries as project_queries
from apps.projects import rules as project_rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.forms import Form
    from django.http import HttpRequest

    from apps.projects.models import Project

SECTIONS = (*forms.SECTIONS, "boards", "members", "danger")
# Sections that save nothing.
SHOWN_ONLY = ("export",)
PROJECT_FIELDS = ("name", "description", "color")


@require_http_methods(["GET", "POST"])
@page
def project(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """One section of a project's settings; each is saved by itself."""
    found = project_queries.get_project(actor=actor_of(request), project_id=project_id)
    if request.method != "POST":
        named = request.GET.get("section", "")
        section = named if named in SHOWN_ONLY else _section(named)
        return _show(request, found, section, None)
    section = _section(request.POST.get("section", ""))
    save: Callable[[HttpRequest, Project], HttpResponse | Form | None]
    save = {"boards": columns.save, "members": _members, "danger": _danger}.get(section, _values)
    outcome = save(request, found)
    if outcome is None:
        messages.success(request, "Saved")
        return redirect(f"{reverse('project_settings', args=[found.pk])}?section={section}")
    if isinstance(outcome, HttpResponse):
        return outcome
    return _show(request, found, section, outcome)


def _section(name: str) -> str:
    return name if name in SECTIONS else SECTIONS[0]


def _show(request: HttpRequest, found: Project, section: str, form: Any) -> HttpResponse:
    actor = actor_of(request)
    settings = project_queries.settings_of(found)
    if form is None and section in forms.SECTIONS:
        form = forms.SECTIONS[section](initial=forms.initial_of(found, settings))
    context = {
        "project": {"id": found.public_id, "name": found.name, "path": found.path},
        "boards": [
            {"id": board.public_id, "name": board.name} for board in board_queries.boards_of(found)
        ],
        "section": section,
        "form": form,
        "members": _people(found) if section == "members" else [],
        "invitations": _invitations(found) if section == "members" else [],
        "canAdmin": project_rules.can_administer(actor, found),
    }
    if section == "boards":
        context["layout"] = columns.shown(request, found, form)
    status = 422 if form is not None and form.is_bound and form.errors else 200
    return render(request, "projects/settings.html", context, status=status)


def _people(found: Project) -> list[dict[str, Any]]:
    owner = found.owner
    people = [(owner, "owner")]
    people += [(member.user, member.role) for member in project_queries.members_of(found)]
    return [
        {
            "id": user.public_id,
            "role": role,
            "user": {"id": user.public_id, "name": user.display_name, "email": user.email},
        }
        for user, role in people
    ]


def _invitations(found: Project) -> list[dict[str, Any]]:
    return [
        {"email": row.email, "role": row.role, "createdAt": row.created_at}
        for row in project_queries.invitations_of(found)
    ]


def _values(request: HttpRequest, found: Project) -> Form | None:
    actor = actor_of(request)
    form = forms.SECTIONS[_section(request.POST.get("section", ""))](request.POST)
    if not form.is_valid():
        return form
    facts = [name for name in form.fields if name in PROJECT_FIELDS]
    settings = [name for name in form.fields if name not in {*PROJECT_FIELDS, "credential_id"}]
    try:
        changes = forms.read(project_inputs.UpdateSettings, form, settings)
        if facts:
            facts_read = forms.read(project_inputs.UpdateProject, form, facts)
            project_operations.update_project(actor=actor, project=found, changes=facts_read)
        operations.update_project_settings(actor=actor, project=found, changes=changes)
        if "credential_id" in form.fields:
            chosen = inputs.ChooseCredential(
                data={"credentialId": form.cleaned_data["credential_id"] or None}
            )
            chosen.is_valid(raise_exception=True)
            operations.choose_for_project(actor=actor, project=found, **chosen.validated_data)
    except REFUSALS as error:
        forms.tell(form, error)
        return form
    return None


def _members(request: HttpRequest, found: Project) -> Form | None:
    actor = actor_of(request)
    action = request.POST.get("action", "role")
    form = forms.Member(request.POST)
    try:
        if action == "withdraw":
            email = request.POST.get("email", "")
            project_operations.remove_invitation(actor=actor, project=found, email=email)
            return None
        if action == "add":
            reader = project_inputs.AddMember(
                data={"email": request.POST.get("email"), "role": request.POST.get("role")}
            )
            reader.is_valid(raise_exception=True)
            project_operations.add_member(actor=actor, project=found, **reader.validated_data)
            return None
        user_id = ids.decode("user", request.POST.get("member", ""))
        if action == "remove":
            project_operations.remove_member(actor=actor, project=found, user_id=user_id)
        else:
            role = project_inputs.UpdateMember(data={"role": request.POST.get("role")})
            role.is_valid(raise_exception=True)
            project_operations.update_member(
                actor=actor, project=found, user_id=user_id, **role.validated_data
            )
    except REFUSALS as error:
        form.is_valid()
        forms.tell(form, error)
        return form
    return None


def _danger(request: HttpRequest, found: Project) -> Form | HttpResponse:
    form = forms.Confirm(request.POST)
    if request.POST.get("confirm", "").strip() != found.name:
        form.is_valid()
        form.add_error("confirm", "This is not the project's name.")
        return form
    try:
        operations.delete_project(actor=actor_of(request), project=found)
    except REFUSALS as error:
        form.is_valid()
        forms.tell(form, error)
        return form
    messages.success(request, f"{found.name} was deleted")
    return redirect("projects")
