"""REST: templates of boards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.boards import inputs, operations, outputs, queries
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class BoardTemplates(Endpoint):
    """The templates everybody may begin a board with."""

    @document(summary="List the templates of boards", response=list[outputs.BoardTemplate])
    def get(self, request: Request) -> Response:
        """This will list those the product brings, then people's, the eldest first."""
        return results.ok(outputs.templates(queries.templates()))

    @document(
        summary="Keep columns as a template",
        request=inputs.CreateTemplate,
        response=outputs.BoardTemplate,
        status=201,
    )
    def post(self, request: Request) -> Response:
        values = self.read(inputs.CreateTemplate)
        template = operations.create_template(actor=self.actor, **values)
        return results.created(outputs.template(template))


class OneBoardTemplate(Endpoint):
    """One template; whoever made it and admins of the server change it."""

    def shown(self, template_id: UUID) -> Response:
        return results.ok(outputs.template(queries.get_template(template_id)))

    @document(
        summary="Change a template",
        request=inputs.UpdateTemplate,
        response=outputs.BoardTemplate,
    )
    def patch(self, request: Request, template_id: UUID) -> Response:
        changes = self.read(inputs.UpdateTemplate)
        template = operations.update_template(
            actor=self.actor, template_id=template_id, changes=changes
        )
        return results.ok(outputs.template(template))

    @document(summary="Delete a template", status=204)
    def delete(self, request: Request, template_id: UUID) -> Response:
        operations.delete_template(actor=self.actor, template_id=template_id)
        return results.no_content()
