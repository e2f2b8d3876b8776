"""REST: what belongs to the signed-in person: tokens, tickets, preferences; and finding others."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import inputs, operations, outputs, queries
from apps.accounts.authentication import proof_of
from apps.core import problems, results
from apps.core.moments import moment
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.core.throttling import limit


class Tokens(Endpoint):
    throttle_classes = [limit("tokens", "60/min")]

    @document(summary="List one's own API tokens", response=list[outputs.Token])
    def get(self, request: Request) -> Response:
        return results.ok([outputs.token(row) for row in queries.tokens_of(self.actor.person)])

    @document(
        summary="Make an API token for scripts",
        description="The secret is shown once. A token cannot make tokens: sign in for that.",
        request=inputs.CreateToken,
        response=outputs.NewToken,
        status=201,
        problems=(429,),
    )
    def post(self, request: Request) -> Response:
        if proof_of(request).kind == "token":
            message = "A token cannot make tokens. Sign in with your password."
            raise problems.Forbidden(message)
        issued = operations.create_token(actor=self.actor, **self.read(inputs.CreateToken))
        return results.created(outputs.new_token(issued.token, issued.secret))


class Token(Endpoint):
    def shown(self, token_id: UUID) -> Response:
        return results.ok(outputs.token(queries.get_token(self.actor.person, token_id)))

    @document(summary="Revoke one of one's own API tokens", status=204)
    def delete(self, request: Request, token_id: UUID) -> Response:
        token = queries.get_token(self.actor.person, token_id)
        operations.revoke_token(actor=self.actor, token=token)
        return results.no_content()


class Tickets(Endpoint):
    throttle_classes = [limit("tickets", "120/min")]

    @document(
        summary="Make a pass for one socket or event stream",
        description="Good once, within 30 seconds, as `?ticket=`.",
        response=outputs.Ticket,
        status=201,
        problems=(429,),
    )
    def post(self, request: Request) -> Response:
        issued = operations.create_ticket(actor=self.actor)
        return results.created(
            outputs.Ticket(ticket=issued.secret, expiresAt=moment(issued.expires_at))
        )


class UserSettings(Endpoint):
    @document(summary="Show one's own preferences", response=outputs.Preferences)
    def get(self, request: Request) -> Response:
        return results.ok(outputs.preferences(queries.preferences_of(self.actor.person)))

    @document(
        summary="Change one's own preferences; keys left out stay",
        request=inputs.UpdatePreferences,
        response=outputs.Preferences,
    )
    def put(self, request: Request) -> Response:
        changes = self.read(inputs.UpdatePreferences)
        preferences = operations.update_preferences(actor=self.actor, changes=changes)
        return results.ok(outputs.preferences(preferences))


class Notifications(Endpoint):
    @document(summary="Show of what one wants to hear", response=outputs.Notifications)
    def get(self, request: Request) -> Response:
        row = queries.preferences_of(self.actor.person)
        return results.ok(outputs.notification_settings(row))

    @document(
        summary="Say of what one wants to hear, and how; keys left out stay",
        request=inputs.UpdateNotifications,
        response=outputs.Notifications,
    )
    def put(self, request: Request) -> Response:
        changes = self.read(inputs.UpdateNotifications)
        row = operations.update_notifications(actor=self.actor, changes=changes)
        return results.ok(outputs.notification_settings(row))


class KeyboardShortcuts(Endpoint):
    @document(summary="Show the keys of every action", response=outputs.Shortcuts)
    def get(self, request: Request) -> Response:
        row = queries.preferences_of(self.actor.person)
        return results.ok(outputs.keyboard_shortcuts(row))

    @document(
        summary="Give actions other keys; null gives the default ones back",
        request=inputs.UpdateShortcuts,
        response=outputs.Shortcuts,
    )
    def put(self, request: Request) -> Response:
        changes = self.read(inputs.UpdateShortcuts)["shortcuts"]
        row = operations.update_shortcuts(actor=self.actor, changes=changes)
        return results.ok(outputs.keyboard_shortcuts(row))


class UserSearch(Endpoint):
    throttle_classes = [limit("user-search", "120/min")]

    @document(
        summary="Find people by a part of their name or e-mail, at most 20",
        query=inputs.SearchUsers,
        response=list[outputs.Person],
        problems=(429,),
    )
    def get(self, request: Request) -> Response:
        text = self.read_query(inputs.SearchUsers)["q"]
        return results.ok([outputs.person(user) for user in queries.suggestions(text)])
