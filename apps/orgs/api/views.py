"""REST: organizations and their members."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.orgs import inputs, operations, outputs, queries


class Organizations(Endpoint):
    @document(summary="List one's own organizations", response=list[outputs.Organization])
    def get(self, request: Request) -> Response:
        rows = queries.organizations_of(self.actor.person)
        return results.ok([outputs.organization(row) for row in rows])

    @document(
        summary="Make an organization and administer it",
        request=inputs.CreateOrganization,
        response=outputs.Organization,
        status=201,
    )
    def post(self, request: Request) -> Response:
        made = operations.create_organization(
            actor=self.actor, **self.read(inputs.CreateOrganization)
        )
        return results.created(outputs.organization(made))


class Organization(Endpoint):
    @document(summary="Show an organization", response=outputs.Organization)
    def get(self, request: Request, organization_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        return results.ok(outputs.organization(found))

    @document(
        summary="Rename an organization",
        request=inputs.UpdateOrganization,
        response=outputs.Organization,
    )
    def patch(self, request: Request, organization_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        changes = self.read(inputs.UpdateOrganization)
        changed = operations.update_organization(actor=self.actor, organization=found, **changes)
        return results.ok(outputs.organization(changed))

    @document(summary="Delete an organization that has no projects", status=204)
    def delete(self, request: Request, organization_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        operations.delete_organization(actor=self.actor, organization=found)
        return results.no_content()


class Members(Endpoint):
    @document(summary="List an organization's members", response=list[outputs.Member])
    def get(self, request: Request, organization_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        return results.ok([outputs.member(row) for row in queries.members_of(found)])

    @document(
        summary="Add somebody who has an account",
        request=inputs.AddMember,
        response=outputs.Member,
        status=201,
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        membership = operations.add_member(
            actor=self.actor, organization=found, **self.read(inputs.AddMember)
        )
        return results.created(outputs.member(membership))


class Member(Endpoint):
    def shown(self, organization_id: UUID, user_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        return results.ok(outputs.member(queries.get_membership(found, user_id)))

    @document(
        summary="Change a member's role",
        request=inputs.ChangeMember,
        response=outputs.Member,
    )
    def patch(self, request: Request, organization_id: UUID, user_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        changed = operations.change_member(
            actor=self.actor,
            organization=found,
            user=queries.get_membership(found, user_id).user,
            **self.read(inputs.ChangeMember),
        )
        return results.ok(outputs.member(changed))

    @document(summary="Remove a member, or leave", status=204)
    def delete(self, request: Request, organization_id: UUID, user_id: UUID) -> Response:
        found = queries.get_organization(organization_id, actor=self.actor)
        user = queries.get_membership(found, user_id).user
        operations.remove_member(actor=self.actor, organization=found, user=user)
        return results.no_content()
