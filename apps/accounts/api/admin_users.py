"""REST: what server admins do with people and with the server's sign-in."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import admission, inputs, operations, outputs, queries, rules
from apps.core import paging, results
from apps.core.rest import Endpoint
from apps.core.schema import document


class AdminUsers(Endpoint):
    @document(
        summary="List people, a page at a time",
        query=inputs.ListUsers,
        response=outputs.AdminUserPage,
        meta=paging.Paged,
    )
    def get(self, request: Request) -> Response:
        rules.require_server_admin(self.actor)
        asked = self.read_query(inputs.ListUsers)
        found = queries.users_matching(asked.pop("search"))
        page, meta = paging.cut(found, order=("created_at", "pk"), **asked)
        return results.ok(
            outputs.AdminUserPage(
                users=[outputs.admin_user(user) for user in page], total=found.count()
            ),
            meta=meta,
        )

    @document(
        summary="Make an account with a generated password",
        request=inputs.CreateUser,
        response=outputs.NewUser,
        status=201,
    )
    def post(self, request: Request) -> Response:
        rules.require_server_admin(self.actor)
        made = operations.create_user(actor=self.actor, **self.read(inputs.CreateUser))
        return results.created(
            outputs.NewUser(user=outputs.admin_user(made.user), generatedPassword=made.password)
        )


class AdminUser(Endpoint):
    def shown(self, user_id: UUID) -> Response:
        rules.require_server_admin(self.actor)
        return results.ok(outputs.admin_user(queries.get_user(user_id)))

    @document(
        summary="Change a person's name or role",
        request=inputs.UpdateUser,
        response=outputs.AdminUser,
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        rules.require_server_admin(self.actor)
        user = operations.update_user(
            actor=self.actor, user=queries.get_user(user_id), **self.read(inputs.UpdateUser)
        )
        return results.ok(outputs.admin_user(user))

    @document(
        summary="Delete an account; what it owns goes to a super admin",
        status=204,
    )
    def delete(self, request: Request, user_id: UUID) -> Response:
        rules.require_server_admin(self.actor)
        operations.delete_user(actor=self.actor, user=queries.get_user(user_id))
        return results.no_content()


class ResetPassword(Endpoint):
    @document(
        summary="Give a person a generated password",
        response=outputs.GeneratedPassword,
    )
    def post(self, request: Request, user_id: UUID) -> Response:
        rules.require_server_admin(self.actor)
        password = operations.reset_password(actor=self.actor, user=queries.get_user(user_id))
        return results.ok(outputs.GeneratedPassword(generatedPassword=password))


class CheckDelete(Endpoint):
    @document(
        summary="Count what deleting an account would hand over",
        response=outputs.Departure,
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        rules.require_server_admin(self.actor)
        count = admission.owned_by(queries.get_user(user_id))
        return results.ok(outputs.Departure(ownedProjectsCount=count))


class AuthSettings(Endpoint):
    @document(summary="Show who may come in", response=outputs.AuthSettings)
    def get(self, request: Request) -> Response:
        rules.require_server_admin(self.actor)
        return results.ok(_auth_settings())

    @document(
        summary="Say whether one must sign in, and who may register",
        description=(
            "Sign-in can be off only while the server listens on its own machine alone; without it "
            "every request is one implicit local user's."
        ),
        request=inputs.UpdateAuth,
        response=outputs.AuthSettings,
    )
    def put(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        asked = self.read(inputs.UpdateAuth)
        with transaction.atomic():
            operations.update_sign_in(actor=self.actor, enabled=asked["enabled"])
            if "registration" in asked:
                operations.update_registration(actor=self.actor, policy=asked["registration"])
        return results.ok(_auth_settings())


def _auth_settings() -> outputs.AuthSettings:
    return {
        "enabled": queries.server_settings().auth_enabled,
        "registration": queries.registration_policy(),
    }
