"""REST: the people of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core import ids, results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import inputs, operations, outputs, queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class Members(Endpoint):
    """The people of a project, and those who were invited."""

    @document(summary="List members and invitations", response=list[outputs.Member])
    def get(self, request: Request, project_id: UUID) -> Response:
        """This will list the owner, the members and the open invitations."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(outputs.members(project))

    @document(
        summary="Add a person, or invite an e-mail",
        request=inputs.AddMember,
        response=outputs.Member,
        status=201,
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        """This will add whoever has this e-mail; nobody: it becomes an invitation."""
        values = self.read(inputs.AddMember)
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.created(operations.add_member(actor=self.actor, project=project, **values))


class OneMember(Endpoint):
    """One person in a project."""

    def shown(self, project_id: UUID, user_id: UUID) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        wanted = ids.encode("user", user_id)
        found = [row for row in outputs.members(project) if row["userId"] == wanted]
        return results.ok(found[0] if found else None)

    @document(
        summary="Change a member's role", request=inputs.UpdateMember, response=outputs.Member
    )
    def patch(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """This will give a member another role."""
        role = self.read(inputs.UpdateMember)["role"]
        project = queries.get_project(actor=self.actor, project_id=project_id)
        member = operations.update_member(
            actor=self.actor, project=project, user_id=user_id, role=role
        )
        return results.ok(member)

    @document(summary="Remove a member, or leave", status=204)
    def delete(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """This will take a person out of the project."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        operations.remove_member(actor=self.actor, project=project, user_id=user_id)
        return results.no_content()


class OneInvitation(Endpoint):
    """An invitation nobody has taken yet."""

    def shown(self, project_id: UUID, email: str) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        found = [
            outputs.invitation(row)
            for row in queries.invitations_of(project)
            if row.email.lower() == email.lower()
        ]
        return results.ok(found[0] if found else None)

    @document(summary="Take back an invitation", status=204)
    def delete(self, request: Request, project_id: UUID, email: str) -> Response:
        """This will take the invitation back, whatever the case of the e-mail."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        operations.remove_invitation(actor=self.actor, project=project, email=email)
        return results.no_content()
