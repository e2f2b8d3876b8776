"""REST: is setup done, set up, sign in, register, who am I, change my password."""

from __future__ import annotations

from django.contrib.auth import logout, update_session_auth_hash
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import credentials, entrance, inputs, openness, operations, outputs, queries
from apps.accounts.authentication import Nobody, proof_of
from apps.accounts.models import User
from apps.core import results
from apps.core.actors import Actor
from apps.core.rest import Endpoint
from apps.core.schema import document


class Public(Endpoint):
    """The base of endpoints that anybody may call."""

    authentication_classes = [Nobody]
    permission_classes = [AllowAny]

    @property
    def visitor(self) -> Actor:
        """Somebody without an account yet."""
        return Actor(
            user=None,
            origin="rest",
            name="visitor",
            request_id=getattr(self.request, "request_id", ""),
        )


def _signed_in(user: User) -> outputs.SignedIn:
    return {"token": credentials.issue_jwt(user), "user": outputs.me(user)}


class Health(Public):
    @document(summary="Tell that the API answers", response=outputs.Health)
    def get(self, request: Request) -> Response:
        return results.ok(outputs.Health(status="ok"))


class AuthStatus(Public):
    @document(summary="Tell whether anybody may sign in yet", response=outputs.AuthStatus)
    def get(self, request: Request) -> Response:
        return results.ok(
            outputs.auth_status(
                auth=not openness.is_open(),
                oidc=queries.find_provider() is not None,
                has_users=queries.has_users(),
            )
        )


class Setup(Public):
    @document(
        summary="Make the first account, a super admin",
        request=inputs.SetUp,
        response=outputs.SignedIn,
        status=201,
    )
    def post(self, request: Request) -> Response:
        user = operations.set_up(actor=self.visitor, **self.read(inputs.SetUp))
        return results.created(_signed_in(user))


class Login(Public):
    @document(
        summary="Sign in with e-mail and password",
        description="The token holds for 24 hours, or until the password changes.",
        request=inputs.SignIn,
        response=outputs.SignedIn,
        problems=(401, 429),
    )
    def post(self, request: Request) -> Response:
        user = entrance.sign_in(request=request._request, **self.read(inputs.SignIn))  # noqa: SLF001
        return results.ok(_signed_in(user))


class Register(Public):
    @document(
        summary="Make an account, as far as the server's registration policy allows it",
        request=inputs.Register,
        response=outputs.SignedIn,
        status=201,
        problems=(403, 429),
    )
    def post(self, request: Request) -> Response:
        entrance.count_registration(request._request)  # noqa: SLF001
        user = operations.register(actor=self.visitor, **self.read(inputs.Register))
        return results.created(_signed_in(user))


class Logout(Endpoint):
    """Ends the cookie of a page; signed tokens end with their time or with the password."""

    before_password_change = True

    @document(summary="End the session of the cookie this came with", status=204)
    def post(self, request: Request) -> Response:
        logout(request._request)  # noqa: SLF001
        return results.no_content()


class Me(Endpoint):
    before_password_change = True

    @document(summary="Show the signed-in person", response=outputs.Me)
    def get(self, request: Request) -> Response:
        return results.ok(outputs.me(self.actor.person))


class ChangePassword(Endpoint):
    before_password_change = True

    @document(
        summary="Change one's own password",
        description=(
            "Ends every session and every token of a sign-in; the answer holds a fresh token, and "
            "the session this came with goes on. Personal API tokens stay."
        ),
        request=inputs.ChangePassword,
        response=outputs.SignedIn,
    )
    def post(self, request: Request) -> Response:
        user = operations.change_password(actor=self.actor, **self.read(inputs.ChangePassword))
        if proof_of(request).kind == "session":
            update_session_auth_hash(request._request, user)  # noqa: SLF001
        return results.ok(_signed_in(user))
