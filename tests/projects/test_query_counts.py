"""How many statements an answer takes: exact, and the same for one project and for many."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.projects import operations, outputs, queries
from apps.projects.models import Project
from tests import factories
from tests.people import actor_of
from tests.query_counts import CountQueries


@pytest.mark.parametrize("count", [1, 30])
def test_a_list_of_projects(ada: User, count_queries: CountQueries, count: int) -> None:
    factories.Project.create_batch(count, owner=ada)
    with count_queries("projects"):
        shown = outputs.projects(queries.projects_of(ada), ada)
    assert len(shown) == count


def test_one_project(bob: User, project: Project, count_queries: CountQueries) -> None:
    with count_queries("project"):
        found = queries.get_project(actor=actor_of(bob), project_id=project.pk)
        outputs.project(found, bob)


@pytest.mark.parametrize("count", [1, 30])
def test_the_members(project: Project, count_queries: CountQueries, count: int) -> None:
    factories.ProjectMember.create_batch(count, project=project)
    row = Project.objects.get(pk=project.pk)
    with count_queries("members"):
        assert len(outputs.members(row)) == count + 2


@pytest.mark.parametrize("count", [1, 30])
def test_a_new_order(ada: User, count_queries: CountQueries, count: int) -> None:
    made = factories.Project.create_batch(count, owner=ada)
    actor = actor_of(ada)
    backwards = [project.pk for project in reversed(made)]
    with count_queries("reorder_projects"):
        operations.reorder_projects(actor=actor, project_ids=backwards)
