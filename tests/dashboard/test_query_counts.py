"""How many statements documents and notifications take, whatever there is of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.accounts import operations
from apps.accounts.models import User
from apps.accounts.operations import Notice
from apps.core.actors import Actor
from apps.dashboard.exports import writing
from apps.projects.models import Project
from tests import factories
from tests.dashboard import worlds
from tests.people import ClientOf
from tests.query_counts import CountQueries


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, settings: Any) -> None:
    settings.KANBANAI_DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.mark.parametrize("more", [0, 30])
def test_an_export_takes_a_statement_a_list(
    project: Project, ada: User, bob: User, count_queries: CountQueries, more: int
) -> None:
    worlds.furnish(project, ada, bob)
    column = project.boards.get(name="Main Board").columns.get(key="done")
    for number in range(more):
        factories.Card.create(column=column, rank=f"b{number:02}1")

    with count_queries("export"), writing.spool_project(project) as file:
        assert file.read(1) == b"{"


@pytest.mark.parametrize("more", [0, 2])
def test_the_list_of_notifications(
    ada: User, client_of: ClientOf, count_queries: CountQueries, more: int
) -> None:
    for number in range(1 + more):
        notice = Notice(event="invitation", title="N", path="/", source=str(number))
        operations.notify(actor=Actor.system("x"), people=[ada.pk], notice=notice)

    with count_queries("GET notifications"):
        answer = client_of(ada).get("/api/v1/notifications")

    assert len(answer.json()["data"]) == 1 + more


def test_telling_one_person(ada: User, count_queries: CountQueries) -> None:
    notice = Notice(event="invitation", title="N", path="/", source="1")

    with count_queries("notify"):
        operations.notify(actor=Actor.system("x"), people=[ada.pk], notice=notice)
