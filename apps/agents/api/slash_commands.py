"""REST: the commands one can begin a message with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents import queries
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class SlashCommand(TypedDict):
    """A command; `source` is `project` (a file of the repository), `agent` or `builtin`."""

    name: str
    description: str
    source: str
    argumentHint: str | None


class SlashCommands(Endpoint):
    """The commands of a project."""

    @document(
        summary="List the slash commands of a project",
        description="Command files of the repository (`.claude/commands`, `.codex/prompts`, "
        "`.opencode/command`), what agents offered in their last sessions here, and KanbanAI's "
        "own; of equal names the first of these.",
        response=list[SlashCommand],
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        shown: list[SlashCommand] = [
            {
                "name": command.name,
                "description": command.description,
                "source": command.source,
                "argumentHint": command.argument_hint or None,
            }
            for command in queries.slash_commands_of(project)
        ]
        return results.ok(shown)
