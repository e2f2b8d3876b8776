"""REST: the two addresses a browser passes on its way through the identity provider."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import structlog
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import update_last_login
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from apps.accounts import credentials, inputs, operations, queries
from apps.accounts.api.signing_in import Public
from apps.accounts.models import User
from apps.accounts.oidc import client as flow
from apps.accounts.oidc.refusals import Refused
from apps.core import problems, secrets
from apps.core.schema import document
from apps.core.throttling import limit

log = structlog.get_logger(__name__)

FIRST_PAGE = "/"
LOGIN_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def _own_path(text: str) -> str:
    """The path of a page of ours, or the first page; never an address elsewhere."""
    is_path = text.startswith("/") and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    return text if is_path else FIRST_PAGE


def _known_client(text: str) -> str:
    """The address of another client, if its origin is one that may call the API with tokens."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    origin = f"{parts.scheme}://{parts.netloc}"
    if origin not in settings.CORS_ALLOWED_ORIGINS or parts.fragment:
        message = "The origin of this client is not one of KANBANAI_CORS_ORIGINS."
        raise problems.ValidationFailed.of("client", message, "unknown")
    return text


def _fragment(address: str, **values: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{address}#{urlencode(values)}")


def _turned_away(refusal: Refused, then: dict[str, str]) -> HttpResponseRedirect:
    """Back to where the person can read why."""
    log.warning("oidc_refused", code=refusal.code, detail=refusal.detail)
    if then.get("client"):
        return _fragment(then["client"], error=refusal.code)
    query = {"error": refusal.code}
    if then.get("next", FIRST_PAGE) != FIRST_PAGE:
        query["next"] = then["next"]
    return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode(query)}")


class OidcLogin(Public):
    throttle_classes = [limit("oidc-login", "300/min")]

    @document(
        summary="Send the browser to the identity provider",
        description=(
            "`next` is a path of our pages to end on. `client` is the address of another client, "
            "whose origin must be in KANBANAI_CORS_ORIGINS: it gets `#token=…` or `#error=…`."
        ),
        query=inputs.StartSignIn,
        status=302,
        problems=(404, 429),
    )
    def get(self, request: Request) -> HttpResponseRedirect:
        asked = self.read_query(inputs.StartSignIn)
        configuration = queries.find_provider()
        if configuration is None:
            message = "No identity provider is set up."
            raise problems.NotFound(message)
        then = {"next": _own_path(asked["next"]), "client": _known_client(asked["client"])}
        try:
            client = _open(configuration)
        except Refused as refusal:
            return _turned_away(refusal, then)
        return HttpResponseRedirect(
            client.authorization_url(request._request, then=then)  # noqa: SLF001
        )


class OidcCallback(Public):
    throttle_classes = [limit("oidc-callback", "300/min")]

    @document(
        summary="Take the browser back from the identity provider",
        description=(
            "Signs our pages in by cookie, or hands another client its token in the fragment. "
            "Whoever is not let in finds `error` on the login page or in the fragment."
        ),
        query=inputs.FinishSignIn,
        status=302,
        problems=(429,),
    )
    def get(self, request: Request) -> HttpResponseRedirect:
        then: dict[str, str] = {}
        try:
            said = self._said()
            begun = flow.finish(request._request.session, said["state"])  # noqa: SLF001
            then = begun["then"]
            user = self._identified(said, begun)
        except Refused as refusal:
            return _turned_away(refusal, then)
        if then["client"]:
            update_last_login(None, user)  # type: ignore[arg-type]
            return _fragment(then["client"], token=credentials.issue_jwt(user))
        login(request._request, user, backend=LOGIN_BACKEND)  # noqa: SLF001
        return HttpResponseRedirect(quote(then["next"], safe="/?&=%+,;:@~!$'()*-._"))

    def _said(self) -> dict[str, str]:
        try:
            return self.read_query(inputs.FinishSignIn)
        except ValidationError as error:
            raise Refused("oidc_state", "The answer is none of the provider's.") from error

    def _identified(self, said: dict[str, str], begun: dict[str, Any]) -> User:
        if said["error"] or not said["code"]:
            raise Refused("oidc_denied", f"The provider answered {said['error'] or 'nothing'!r}.")
        configuration = queries.find_provider()
        if configuration is None:
            raise Refused("oidc_client", "No identity provider is set up any more.")
        client = _open(configuration)
        if (said["iss"] or client.provider.names_itself) and said["iss"] != client.provider.issuer:
            raise Refused("oidc_token", "The answer came from another provider.")
        claims = client.identify(code=said["code"], begun=begun)
        return operations.sign_in_from_provider(actor=self.visitor, claims=claims)


def _open(configuration: Any) -> flow.Client:
    try:
        return flow.open_client(configuration)
    except secrets.Unreadable as problem:
        raise Refused("oidc_secret", problem.detail) from problem
