"""Setup, profile, appearance, tokens, password."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts import inputs, operations, outputs, queries
from apps.accounts.models import AuthProvider
from apps.accounts.pages import forms
from apps.accounts.pages.frame import TOOL_TYPES
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.pages import actor_of

FIRST_PAGE = "/projects"
LOGIN_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"

page = require_http_methods(["GET", "HEAD", "POST"])


@page
@never_cache
@sensitive_post_parameters()
def setup(request: HttpRequest) -> HttpResponse:
    """Makes the first account, then signs it in."""
    if queries.has_users():
        return redirect("account_login")
    form = forms.SetUp(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = operations.set_up(
                actor=Actor(user=None, origin="page", name="visitor"),
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password"],
                display_name=form.cleaned_data["name"],
            )
        except problems.Conflict:
            return redirect("account_login")
        except problems.ValidationFailed as problem:
            forms.show_problem(form, problem, {})
        else:
            login(request, user, backend=LOGIN_BACKEND)
            return redirect(FIRST_PAGE)
    return render(request, "accounts/setup.html", {"form": form})


@page
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Shows and changes one's name."""
    actor = actor_of(request)
    initial = {"display_name": actor.person.display_name}
    form = forms.Profile(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        operations.update_profile(actor=actor, display_name=form.cleaned_data["display_name"])
        messages.success(request, "Saved.")
        return redirect("profile")
    return render(request, "accounts/profile.html", {"form": form})


@page
@login_required
def appearance(request: HttpRequest) -> HttpResponse:
    """Shows and changes theme, contrast, and how much of an agent's work is shown."""
    actor = actor_of(request)
    if request.method == "POST":
        chosen = {
            "theme": request.POST.get("theme", ""),
            "highContrast": "highContrast" in request.POST,
            "agentReasoning": "agentReasoning" in request.POST,
            "statusLine": "statusLine" in request.POST,
            "hiddenToolTypes": [kind for kind in TOOL_TYPES if kind not in request.POST],
        }
        reader = inputs.UpdatePreferences(data=chosen)
        if not reader.is_valid():
            raise problems.ValidationFailed.of("theme", "There is no such theme.")
        operations.update_preferences(actor=actor, changes=dict(reader.validated_data))
        messages.success(request, "Saved.")
        return redirect("appearance")
    preferences = outputs.preferences(queries.preferences_of(actor.person))
    tools = [
        {"kind": kind, "label": label, "shown": kind not in preferences["hiddenToolTypes"]}
        for kind, label in TOOL_TYPES.items()
    ]
    return render(request, "accounts/appearance.html", {**preferences, "tools": tools})


@page
@never_cache
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """Lists one's tokens, makes and revokes them; a new secret is in this one answer alone."""
    actor = actor_of(request)
    if "revoke" in request.POST:
        token = queries.get_token(actor.person, ids.decode("tok", request.POST["revoke"]))
        operations.revoke_token(actor=actor, token=token)
        messages.success(request, f"Revoked “{token.name}”.")
        return redirect("tokens")
    form = forms.Token(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["expires"]
        try:
            issued = operations.create_token(
                actor=actor,
                name=form.cleaned_data["name"],
                scope=form.cleaned_data["scope"],
                expires_in_days=int(days) if days else None,
            )
        except problems.Conflict as problem:
            forms.show_problem(form, problem, {})
        else:
            secret = issued.secret
            form = forms.Token()
    shown = [outputs.token(row) for row in queries.tokens_of(actor.person)]
    context = {"tokens": shown, "form": form, "secret": secret}
    return render(request, "accounts/tokens.html", context)


@page
@never_cache
@login_required
@sensitive_post_parameters()
def change_password(request: HttpRequest) -> HttpResponse:
    """Changes one's password and keeps this browser signed in, and no other."""
    actor = actor_of(request)
    if actor.person.auth_provider != AuthProvider.LOCAL:
        message = "You sign in with the identity provider and have no password here."
        raise problems.Conflict(message)
    form = forms.ChangePassword(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = operations.change_password(
                actor=actor,
                current_password=form.cleaned_data["current_password"],
                new_password=form.cleaned_data["new_password"],
            )
        except problems.ValidationFailed as problem:
            names = {"currentPassword": "current_password", "newPassword": "new_password"}
            forms.show_problem(form, problem, names)
        else:
            update_session_auth_hash(request, user)
            messages.success(request, "Your password is changed.")
            return redirect("profile")
    context = {"form": form, "forced": actor.person.must_change_password}
    return render(request, "accounts/change_password.html", context)
