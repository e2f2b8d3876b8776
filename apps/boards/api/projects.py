"""REST: the list of projects, and new ones, which come with their first board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.boards import operations
from apps.core import ids, problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.orgs.models import Organization
from apps.projects import inputs as project_inputs
from apps.projects import logins
from apps.projects import outputs as project_outputs
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.core.actors import Actor

ORGANIZATION_HEADER = "X-Organization-Id"


def organization_of(request: Request, actor: Actor) -> UUID | None:
    """This will read the organization a request is for; Forbidden for one that is not the caller's.

    An unknown organization is refused alike, so that nobody learns which there are.
    """
    text = request.headers.get(ORGANIZATION_HEADER)
    if not text:
        return None
    try:
        organization_id = ids.decode("org", text)
    except problems.NotFound:
        organization_id = None
    mine = Organization.objects.visible_to(actor.person)
    if organization_id is None or not mine.filter(pk=organization_id).exists():
        message = "You are not in the organization that the header names."
        raise problems.Forbidden(message)
    return organization_id


class Projects(Endpoint):
    """The projects one may see."""

    @document(
        summary="List one's projects",
        query=project_inputs.ListProjects,
        response=list[project_outputs.Project],
        problems=(403,),
    )
    def get(self, request: Request) -> Response:
        """This will list them in one's own order; the query wins over the header."""
        named = self.read_query(project_inputs.ListProjects).get("organization_id")
        organization_id = named or organization_of(request, self.actor)
        user = self.actor.person
        projects = project_queries.projects_of(user, organization_id=organization_id)
        return results.ok(project_outputs.projects(projects, user))

    @document(
        summary="Make a project",
        description="Of a repository on the server (`path`), of a new one (`initialize`, with or "
        "without `path`) or of one to clone (`url`, with a login for this once). A clone goes on "
        "after the answer: `state` and `clone` tell how far it is.",
        request=project_inputs.CreateProject,
        response=project_outputs.Project,
        status=201,
        problems=(403, 409),
    )
    def post(self, request: Request) -> Response:
        """This will make a project with its first board."""
        values = self.read(project_inputs.CreateProject)
        if values.get("organization_id") is None:
            values["organization_id"] = organization_of(request, self.actor)
        login = logins.read({key: values.pop(key, "") for key in ("username", "password")})
        project = operations.open_repository(actor=self.actor, login=login, **values)
        return results.created(project_outputs.project(project, self.actor.person))


class DemoProject(Endpoint):
    """A small project for first steps."""

    @document(summary="Make the demo project", response=project_outputs.Project, status=201)
    def post(self, request: Request) -> Response:
        """This will make a small real repository with a board and cards to start agents on."""
        project = operations.open_demo(actor=self.actor)
        return results.created(project_outputs.project(project, self.actor.person))
