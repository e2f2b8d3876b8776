"""REST: what super admins set for the whole server."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import inputs, operations, outputs, queries, rules
from apps.accounts.oidc import check, client
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.core.throttling import limit


class ContextRelay(Endpoint):
    @document(
        summary="Show when an agent's full context goes on in a fresh session",
        response=outputs.ContextRelay,
    )
    def get(self, request: Request) -> Response:
        return results.ok(outputs.context_relay(queries.server_settings()))

    @document(
        summary="Say when an agent's full context goes on in a fresh session",
        description="`off` never, `manual` when somebody asks, `auto` at the threshold in percent.",
        request=inputs.UpdateContextRelay,
        response=outputs.ContextRelay,
    )
    def put(self, request: Request) -> Response:
        rules.require_server_admin(self.actor)
        asked = self.read(inputs.UpdateContextRelay)
        row = operations.update_context_relay(actor=self.actor, **asked)
        return results.ok(outputs.context_relay(row))


class OidcSettings(Endpoint):
    @document(
        summary="Show the identity provider, or null",
        response=outputs.OidcSettings | None,
    )
    def get(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        row = queries.find_provider()
        uri = client.redirect_uri()
        return results.ok(None if row is None else outputs.oidc_settings(row, redirect_uri=uri))

    @document(
        summary="Set the identity provider, in place of the one before",
        description=(
            "It counts at once. The secret is never shown again: a masked one is refused. Register "
            "`redirectUri` at the provider."
        ),
        request=inputs.ConfigureProvider,
        response=outputs.OidcSettings,
    )
    def post(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        values = self.read(inputs.ConfigureProvider)
        row = operations.configure_provider(actor=self.actor, values=values)
        return results.ok(outputs.oidc_settings(row, redirect_uri=client.redirect_uri()))

    @document(
        summary="Take the identity provider away",
        description="A conflict while nobody who runs the server could sign in without it.",
        status=204,
    )
    def delete(self, request: Request) -> Response:
        operations.forget_provider(actor=self.actor)
        return results.no_content()


class OidcTest(Endpoint):
    throttle_classes = [limit("oidc-test", "30/min")]

    @document(
        summary="Ask the identity provider what it publishes, without signing anybody in",
        response=outputs.OidcTest,
        problems=(429,),
    )
    def post(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        report = check.run(queries.find_provider())
        return results.ok(
            outputs.OidcTest(success=not report.error, issuer=report.issuer, error=report.error)
        )
