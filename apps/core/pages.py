"""The base of server-rendered pages: who acts, and what a problem looks like to a person."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseServerError
from django.template.loader import render_to_string

from apps.core import problems
from apps.core.actors import Actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase

    from apps.accounts.models import User

Parameters = ParamSpec("Parameters")


def actor_of(request: HttpRequest) -> Actor:
    """This will be the signed-in person acting through a page."""
    return Actor(
        user=cast("User", request.user),
        origin="page",
        request_id=getattr(request, "request_id", ""),
    )


def page(
    view: Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase]:
    """This will make a page of a view: signed-in people only, problems shown as Django's pages.

    A view that wants to show a problem beside its form catches it itself.
    """

    @login_required
    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except problems.NotFound as problem:
            raise Http404(problem.detail) from problem
        except problems.Forbidden as problem:
            raise PermissionDenied(problem.detail) from problem
        except problems.Problem as problem:
            return HttpResponse(problem.detail, status=problem.status, content_type="text/plain")

    return cast("Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase]", guarded)


def broken(request: HttpRequest) -> HttpResponse:
    """This will say that something broke, without asking anything that may be broken too."""
    shown = {"request_id": getattr(request, "request_id", "")}
    return HttpResponseServerError(render_to_string("500.html", shown))
