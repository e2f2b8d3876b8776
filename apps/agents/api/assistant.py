"""REST: one's own assistant in a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents import conversation_queries as queries
from apps.agents import inputs, operations, outputs, registry
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.projects.models import Project

NEWEST = 50


def project_in(endpoint: Endpoint, project_id: UUID) -> Project:
    """This will find the project in the address."""
    return project_queries.get_project(actor=endpoint.actor, project_id=project_id)


class Assistant(Endpoint):
    """One's own assistant."""

    @document(
        summary="Read your assistant of a project",
        description=f"With the newest {NEWEST} messages, oldest first. Nobody else sees them.",
        response=outputs.Assistant,
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        project = project_in(self, project_id)
        found = queries.find_assistant(actor=self.actor, project=project)
        items = queries.newest_items(found, limit=NEWEST) if found else []
        return results.ok(outputs.assistant(found, items))


class AssistantMessage(Endpoint):
    """A word to one's assistant."""

    @document(
        summary="Send your assistant a message",
        description="It reads the project's code, and lists, creates and moves cards with your"
        " rights. The answer is streamed (`assistant.message`) and listed.",
        request=inputs.SendWords,
        response=outputs.AgentMessage,
        status=201,
        problems=(409,),
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        text = self.read(inputs.SendWords)["content"]
        project = project_in(self, project_id)
        registry.agents()
        item = operations.say_to_assistant(actor=self.actor, project=project, text=text)
        return results.created(outputs.conversation_message(item.conversation, item))


class AssistantStop(Endpoint):
    """That it is enough."""

    @document(summary="Stop your assistant, and what waits for it", status=204)
    def post(self, request: Request, project_id: UUID) -> Response:
        operations.stop_assistant(actor=self.actor, project=project_in(self, project_id))
        return results.no_content()
