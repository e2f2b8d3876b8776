"""The page on which super admins keep credentials, and where a provider's login ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts import rules as account_rules
from apps.agents import inputs, keys, operations, outputs
from apps.agents.pages import choices
from apps.agents.providers import registry
from apps.core import ids
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from apps.agents.models import Credential
    from apps.core.actors import Actor

RESULTS = {
    "completed": "The login is complete. The credential can be used now.",
    "failed": "The login did not work. Begin it anew.",
    "expired": "The login took too long. Begin it anew.",
    "unknown": "This login was not begun here, or was finished before.",
}
FIELDS = {"name": "name", "provider": "provider", "apiKey": "api_key", "baseUrl": "base_url"}


class NewCredential(forms.Form):
    """A key of a provider; the inputs of the API check what comes back."""

    name = forms.CharField(max_length=inputs.CREDENTIAL_NAME_LENGTH)
    provider = forms.ChoiceField()
    api_key = forms.CharField(
        label="Key",
        required=False,
        max_length=inputs.KEY_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Encrypted on this server, and never shown again.",
    )
    base_url = forms.CharField(
        label="Address",
        required=False,
        max_length=inputs.ADDRESS_LENGTH,
        help_text="Only for a server of your own. Empty: the provider's.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(one.id, one.label) for one in registry.providers().values()]
        self.fields["provider"] = forms.ChoiceField(choices=known)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("api_key")
@never_cache
@page
def listing(request: HttpRequest) -> HttpResponse:
    """Lists the credentials; makes, checks and deletes them, and begins logins."""
    actor = actor_of(request)
    chosen = choices.organizations(actor)
    if chosen and not actor.person.is_super_admin and request.method != "POST":
        # Who administers an organization chooses for it, and keeps nothing.
        return render(request, "credentials/chosen.html", {"organizations": chosen})
    account_rules.require_super_admin(actor)
    form: forms.Form = NewCredential()
    if request.method == "POST":
        outcome = _do(request, actor)
        if not isinstance(outcome, forms.Form):
            return outcome
        form = outcome
    shown = [
        {**outputs.credential(row), "label": _label(row.provider), "isUsable": keys.is_usable(row)}
        for row in keys.credentials()
    ]
    logins = [one for one in registry.providers().values() if one.oauth is not None]
    context = {
        "credentials": shown,
        "organizations": chosen,
        "form": form,
        "logins": [{"id": one.id, "label": one.label} for one in logins],
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "credentials/list.html", context, status=status)


def _label(provider_id: str) -> str:
    provider = registry.find(provider_id)
    return provider.label if provider is not None else provider_id


def _do(request: HttpRequest, actor: Actor) -> HttpResponse | forms.Form:
    if "login" in request.POST:
        _login, url = operations.begin_login(actor=actor, provider=request.POST["login"])
        return HttpResponseRedirect(url)
    if "create" in request.POST:
        return _create(request, actor)
    try:
        _change(request, actor)
    except REFUSALS as error:
        messages.error(request, problem_of(error).detail)
    return redirect("credentials")


def _found(text: str) -> Credential:
    return keys.get_credential(ids.decode("cred", text))


def _change(request: HttpRequest, actor: Actor) -> None:
    if "verify" in request.POST:
        row, verdict = operations.verify_credential(
            actor=actor, credential=_found(request.POST["verify"])
        )
        if verdict.valid:
            messages.success(request, f"“{row.name}” works.")
        else:
            messages.error(request, f"“{row.name}” does not work: {verdict.error}")
    elif "delete" in request.POST:
        row = _found(request.POST["delete"])
        operations.delete_credential(actor=actor, credential=row)
        messages.success(request, f"Deleted “{row.name}”.")


def _create(request: HttpRequest, actor: Actor) -> HttpResponse | forms.Form:
    form = NewCredential(request.POST)
    if not form.is_valid():
        return form
    reader = inputs.CreateCredential(
        data={wire: form.cleaned_data[name] for wire, name in FIELDS.items()}
    )
    try:
        reader.is_valid(raise_exception=True)
        made = operations.create_credential(actor=actor, **reader.validated_data)
    except REFUSALS as error:
        problem = problem_of(error)
        for entry in problem.errors:
            form.add_error(FIELDS.get(entry["field"]), entry["detail"])
        if not problem.errors:
            form.add_error(None, problem.detail)
        return form
    messages.success(request, f"“{made.name}” is kept. Verify it to see whether it works.")
    return redirect("credentials")


@require_safe
@never_cache
def login_result(request: HttpRequest) -> HttpResponse:
    """Says how a login ended; the browser that comes here may belong to nobody of ours."""
    result = request.GET.get("result", "")
    result = result if result in RESULTS else "unknown"
    context = {"completed": result == "completed", "sentence": RESULTS[result]}
    return render(request, "credentials/login.html", context)
