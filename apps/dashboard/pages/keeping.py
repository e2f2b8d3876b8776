"""Backups of the server, and projects from documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts import rules
from apps.boards import queries as board_queries
from apps.core import problems
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of
from apps.dashboard import operations, outputs
from apps.dashboard.backups import shelf
from apps.dashboard.exports import checking, reading

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST_SHOWN = 8


class ImportDocument(forms.Form):
    """A document that an export wrote."""

    file = forms.FileField(
        label="Document",
        help_text="The JSON file of a project or of an organization.",
        widget=forms.ClearableFileInput(attrs={"accept": "application/json,.json"}),
    )

    def tell(self, error: Exception) -> None:
        """This will say what is wrong with the document, the first few things of it."""
        problem = problem_of(error)
        for entry in problem.errors[:MOST_SHOWN]:
            self.add_error("file", f"{entry['field']}: {entry['detail']}")
        more = len(problem.errors) - MOST_SHOWN
        if more > 0:
            self.add_error("file", f"And {more} more.")
        if not problem.errors:
            self.add_error("file", problem.detail)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page
def backups(request: HttpRequest) -> HttpResponse:
    """Shows the backups, and makes one."""
    actor = actor_of(request)
    rules.require_super_admin(actor)
    if request.method == "POST":
        try:
            made = operations.make_backup(actor=actor)
        except (problems.Conflict, problems.Unavailable) as problem:
            messages.error(request, problem.detail)
        else:
            messages.success(request, f"{made.filename} was made.")
        return redirect("backups")
    context = {
        "backups": [outputs.backup(one) for one in shelf.backups()],
        "busy": shelf.is_busy(),
        "folder": shelf.folder(),
    }
    return render(request, "dashboard/backups.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def import_document(request: HttpRequest) -> HttpResponse:
    """The form for a document, and the board of the project that came out of it."""
    if request.method != "POST":
        return render(request, "dashboard/import.html", {"form": ImportDocument()})
    form = ImportDocument(request.POST, request.FILES)
    if form.is_valid():
        try:
            contents = checking.contents(reading.read_document(form.cleaned_data["file"]))
            made = operations.import_document(actor=actor_of(request), contents=contents)
        except REFUSALS as error:
            form.tell(error)
        else:
            left_out = sum(one.attachments_left_out for one in made)
            if left_out:
                message = f"{left_out} attached files were not in the document."
                messages.warning(request, message)
            if len(made) != 1:
                return redirect("projects")
            board = board_queries.boards_of(made[0].project)[0]
            return redirect(reverse("board", args=[board.pk]))
    return render(request, "dashboard/import.html", {"form": form}, status=422)
