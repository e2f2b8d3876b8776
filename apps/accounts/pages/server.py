"""What super admins set for the whole server: who comes in, and how agents go on."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts import inputs, openness, operations, queries, rules
from apps.accounts.oidc import check, client
from apps.accounts.pages import server_forms as forms
from apps.accounts.pages.forms import show_problem
from apps.core import problems
from apps.core.actors import Actor
from apps.core.pages import actor_of, page
from apps.core.rest import field_errors

methods = require_http_methods(["GET", "HEAD", "POST"])


@methods
@page
def sign_in(request: HttpRequest) -> HttpResponse:
    """Shows and changes whether one must sign in, who may register, and how agents relay."""
    actor = actor_of(request)
    rules.require_super_admin(actor)
    row = queries.server_settings()
    now = {
        "enabled": row.auth_enabled,
        "registration": queries.registration_policy(),
        "relay": row.relay_mode,
        "threshold": row.relay_threshold,
    }
    form = forms.Server(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            _save(actor, form)
        except problems.Conflict as problem:
            show_problem(form, problem, {})
        else:
            messages.success(request, "Saved.")
            return redirect("server_settings")
    context = {"form": form, "private": openness.is_private()}
    return render(request, "accounts/server.html", context)


@transaction.atomic
def _save(actor: Actor, form: forms.Server) -> None:
    values = form.cleaned_data
    operations.update_sign_in(actor=actor, enabled=values["enabled"])
    operations.update_registration(actor=actor, policy=values["registration"])
    operations.update_context_relay(
        actor=actor, mode=values["relay"], threshold=values["threshold"]
    )


@methods
@never_cache
@sensitive_post_parameters("client_secret")
@page
def single_sign_on(request: HttpRequest) -> HttpResponse:
    """Shows, tries, changes and takes away the identity provider; its secret is never shown."""
    actor = actor_of(request)
    rules.require_super_admin(actor)
    row = queries.find_provider()
    if "forget" in request.POST:
        return _forget(request, actor)
    report = check.run(row) if "test" in request.POST else None
    saving = request.method == "POST" and report is None
    form = forms.Provider(request.POST if saving else None, initial=forms.initial_of(row))
    if saving and form.is_valid():
        reader = inputs.ConfigureProvider(data=form.wire())
        if reader.is_valid():
            operations.configure_provider(actor=actor, values=dict(reader.validated_data))
            messages.success(request, "Saved. It counts at once.")
            return redirect("single_sign_on")
        problem = problems.ValidationFailed(errors=field_errors(reader.errors))
        show_problem(form, problem, forms.WIRE_NAMES)
    context = {
        "form": form,
        "configured": row is not None,
        "redirect_uri": client.redirect_uri(),
        "report": report,
    }
    return render(request, "accounts/single_sign_on.html", context)


def _forget(request: HttpRequest, actor: Actor) -> HttpResponse:
    try:
        operations.forget_provider(actor=actor)
    except problems.Conflict as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, "The identity provider is taken away.")
    return redirect("single_sign_on")
