"""REST: scripts of projects. The agents app runs them, since that takes a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import inputs, operations, outputs, queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class Scripts(Endpoint):
    """The scripts of a project."""

    @document(summary="List a project's scripts", response=list[outputs.Script])
    def get(self, request: Request, project_id: UUID) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(outputs.scripts(queries.scripts_of(project)))

    @document(
        summary="Add a script",
        request=inputs.CreateScript,
        response=outputs.Script,
        status=201,
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        values = self.read(inputs.CreateScript)
        project = queries.get_project(actor=self.actor, project_id=project_id)
        script = operations.create_script(actor=self.actor, project=project, **values)
        return results.created(outputs.script(script, queries.script_position(script)))


class ScriptOrder(Endpoint):
    """The order of a project's scripts."""

    def shown(self, project_id: UUID) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(outputs.scripts(queries.scripts_of(project)))

    @document(
        summary="Reorder a project's scripts",
        request=inputs.ReorderScripts,
        response=list[outputs.Script],
    )
    def put(self, request: Request, project_id: UUID) -> Response:
        script_ids = self.read(inputs.ReorderScripts)["ids"]
        project = queries.get_project(actor=self.actor, project_id=project_id)
        scripts = operations.reorder_scripts(
            actor=self.actor, project=project, script_ids=script_ids
        )
        return results.ok(outputs.scripts(scripts))


class ScriptStatus(Endpoint):
    """What the scripts of a project do."""

    @document(
        summary="Show the newest run of each script",
        description="`idle` for a script that never ran; `output` is the end of what was printed.",
        response=list[outputs.ScriptStatus],
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        runs = queries.newest_runs_of(project)
        return results.ok(
            [
                outputs.script_status(script.pk, runs.get(script.pk))
                for script in queries.scripts_of(project)
            ]
        )


class OneScript(Endpoint):
    """One script."""

    def shown(self, project_id: UUID, script_id: UUID) -> Response:
        script = queries.get_script(actor=self.actor, project_id=project_id, script_id=script_id)
        return results.ok(outputs.script(script, queries.script_position(script)))

    @document(summary="Change a script", request=inputs.UpdateScript, response=outputs.Script)
    def put(self, request: Request, project_id: UUID, script_id: UUID) -> Response:
        changes = self.read(inputs.UpdateScript)
        script = queries.get_script(actor=self.actor, project_id=project_id, script_id=script_id)
        script = operations.update_script(actor=self.actor, script=script, changes=changes)
        return results.ok(outputs.script(script, queries.script_position(script)))

    @document(summary="Delete a script", status=204)
    def delete(self, request: Request, project_id: UUID, script_id: UUID) -> Response:
        script = queries.get_script(actor=self.actor, project_id=project_id, script_id=script_id)
        operations.delete_script(actor=self.actor, script=script)
        return results.no_content()


class ScriptRuns(Endpoint):
    """What a script did."""

    @document(
        summary="List the last runs of a script",
        description="The newest first, twenty at most.",
        response=list[outputs.ScriptStatus],
    )
    def get(self, request: Request, project_id: UUID, script_id: UUID) -> Response:
        script = queries.get_script(actor=self.actor, project_id=project_id, script_id=script_id)
        return results.ok(
            [outputs.script_status(script.pk, run) for run in queries.runs_of(script)]
        )


class ScriptCancellation(Endpoint):
    """The end of a run that somebody does not want any more."""

    @document(
        summary="Cancel a script's run",
        description="Its processes are ended, all of them. Without a run nothing happens.",
        status=204,
    )
    def post(self, request: Request, project_id: UUID, script_id: UUID) -> Response:
        script = queries.get_script(actor=self.actor, project_id=project_id, script_id=script_id)
        operations.cancel_script(actor=self.actor, script=script)
        return results.no_content()
