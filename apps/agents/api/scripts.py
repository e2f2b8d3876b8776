"""REST: scripts of projects at work."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents import operations
from apps.core import results
from apps.core.moments import moment
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class ScriptRun(TypedDict):
    """A run that has just begun."""

    runId: str
    scriptId: str
    status: str
    startedAt: str


class ScriptStart(Endpoint):
    """The start of a script."""

    @document(
        summary="Run a script",
        description="In the project's folder, confined like an agent. One run of a script at a "
        "time (409); its output comes live as `script_output`, and with the status.",
        response=ScriptRun,
        status=201,
    )
    def post(self, request: Request, project_id: UUID, script_id: UUID) -> Response:
        script = project_queries.get_script(
            actor=self.actor, project_id=project_id, script_id=script_id
        )
        run = operations.run_script(actor=self.actor, script=script)
        shown: ScriptRun = {
            "runId": run.public_id,
            "scriptId": script.public_id,
            "status": run.status,
            "startedAt": moment(run.created_at),
        }
        return results.created(shown)
