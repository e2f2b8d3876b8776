"""REST: projects, and what one person does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from apps.core import git, ids, problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import inputs, logins, models, operations, outputs, queries, repositories

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class FilesMeta(TypedDict):
    """How many files match, and whether the page ends before them."""

    total: int
    hasMore: bool


class Branches(TypedDict):
    """The branches of a repository: the checked-out one first."""

    branches: list[repositories.Branch]
    defaultBranch: str | None


class ProjectOrder(Endpoint):
    """The order of one's own projects."""

    def shown(self) -> Response:
        user = self.actor.person
        return results.ok(outputs.projects(queries.projects_of(user), user))

    @document(
        summary="Order one's projects",
        request=inputs.ReorderProjects,
        response=list[outputs.Project],
    )
    def patch(self, request: Request) -> Response:
        """This will order the projects named; the others follow as they were."""
        project_ids = self.read(inputs.ReorderProjects)["ids"]
        projects = operations.reorder_projects(actor=self.actor, project_ids=project_ids)
        return results.ok(outputs.projects(projects, self.actor.person))


class LastOpened(Endpoint):
    """When one last opened a project."""

    def shown(self, project_id: UUID) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(outputs.project(project, self.actor.person))

    @document(summary="Note that the project was opened", status=204)
    def patch(self, request: Request, project_id: UUID) -> Response:
        """This will note the moment."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        operations.open_project(actor=self.actor, project=project)
        return results.no_content()


class AllRead(Endpoint):
    """What one has read in a project."""

    @document(summary="Count everything in the project as read", status=204)
    def post(self, request: Request, project_id: UUID) -> Response:
        """This will count everything until now as read."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        operations.mark_all_read(actor=self.actor, project=project)
        return results.no_content()


class Files(Endpoint):
    """The tracked files of a project's repository."""

    @document(
        summary="List the files that git tracks",
        query=inputs.ListFiles,
        response=list[str],
        meta=FilesMeta,
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        """This will list paths in git's order, a page of them."""
        query = self.read_query(inputs.ListFiles)
        project = queries.get_project(actor=self.actor, project_id=project_id)
        wanted = query["search"].lower()
        paths = [
            path for path in _of_repository(project, repositories.files) if wanted in path.lower()
        ]
        end = query["offset"] + query["limit"]
        meta: FilesMeta = {"total": len(paths), "hasMore": end < len(paths)}
        return results.ok(paths[query["offset"] : end], meta=meta)


class GitBranches(Endpoint):
    """The branches of a project's repository."""

    @document(summary="List the branches", response=Branches)
    def get(self, request: Request, project_id: UUID) -> Response:
        """This will list local and remote branches, the checked-out one first."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        shown: Branches = {
            "branches": _of_repository(project, repositories.branches),
            "defaultBranch": _of_repository(project, repositories.default_branch),
        }
        return results.ok(shown)


def _of_repository(project: models.Project, read: Any) -> Any:
    if project.state != project.State.READY:
        message = "The project's repository is not here yet."
        raise problems.Conflict(message, code="REPOSITORY_NOT_READY")
    try:
        return read(Path(project.path))
    except git.GitMissing as error:
        raise problems.Unavailable(error.message) from error
    except git.GitError as error:
        raise problems.Conflict(error.message, code="REPOSITORY_NOT_READY") from error


class PanelStates(Endpoint):
    """One's open panels in a project."""

    @document(summary="Show one's panel states", response=dict[str, Any])
    def get(self, request: Request, project_id: UUID) -> Response:
        """This will show the states by card id."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(queries.panel_states_of(project, self.actor.person))

    @document(
        summary="Save panel states",
        description="An object keyed by card id; cards that are not sent keep their state. "
        "A state is any JSON of at most 4 KB.",
        response=dict[str, Any],
        problems=(400,),
    )
    def put(self, request: Request, project_id: UUID) -> Response:
        """This will keep the states sent beside those that are there."""
        states = inputs.read_panel_states(request.data)
        project = queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(
            operations.save_panel_states(actor=self.actor, project=project, states=states)
        )


class PanelState(Endpoint):
    """One's panel of one card."""

    def shown(self, project_id: UUID, card_id: UUID) -> Response:
        project = queries.get_project(actor=self.actor, project_id=project_id)
        states = queries.panel_states_of(project, self.actor.person)
        return results.ok(states.get(ids.encode("card", card_id)))

    @document(summary="Forget a card's panel state", status=204)
    def delete(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        """This will forget the state, if there is one."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        operations.forget_panel_state(actor=self.actor, project=project, card_id=card_id)
        return results.no_content()


class CloneCancellation(Endpoint):
    """The end of a clone that somebody does not want any more."""

    @document(summary="Cancel the clone", response=outputs.Project)
    def post(self, request: Request, project_id: UUID) -> Response:
        """This will ask the worker to stop."""
        project = queries.get_project(actor=self.actor, project_id=project_id)
        project = operations.cancel_clone(actor=self.actor, project=project)
        return results.ok(outputs.project(project, self.actor.person))


class CloneRetry(Endpoint):
    """Another try at a clone that failed or was cancelled."""

    @document(summary="Clone again", request=inputs.Login, response=outputs.Project)
    def post(self, request: Request, project_id: UUID) -> Response:
        """This will clone again, with a login when one is sent."""
        login = logins.read(self.read(inputs.Login))
        project = queries.get_project(actor=self.actor, project_id=project_id)
        project = operations.retry_clone(actor=self.actor, project=project, login=login)
        return results.ok(outputs.project(project, self.actor.person))
