"""The standing people: ada owns, bob is a member, eve is a stranger, root runs the server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import credentials
from apps.accounts.models import Role, User
from apps.boards.models import Board, Column
from apps.core.actors import Actor
from apps.orgs.models import Organization
from apps.projects.models import Project
from tests import factories

ClientOf = Callable[[User], APIClient]
BrowserOf = Callable[[User], Client]


def actor_of(user: User) -> Actor:
    """The actor an operation gets when this person calls it over REST."""
    return Actor(user=user, origin="rest")


class JsonClient(APIClient):
    """A client of the REST API that speaks JSON unless a test says otherwise."""

    default_format = "json"


@pytest.fixture
def ada(db: None) -> User:
    """She owns."""
    return factories.User.create(email="ada@example.org", display_name="Ada")


@pytest.fixture
def bob(db: None) -> User:
    """He is a member."""
    return factories.User.create(email="bob@example.org", display_name="Bob")


@pytest.fixture
def eve(db: None) -> User:
    """She is a stranger."""
    return factories.User.create(email="eve@example.org", display_name="Eve")


@pytest.fixture
def root(db: None) -> User:
    """They run the server."""
    return factories.User.create(
        email="root@example.org", display_name="Root", role=Role.SUPER_ADMIN
    )


@pytest.fixture
def client_of() -> ClientOf:
    """A REST client signed in as a person: `client_of(ada).get("/api/v1/auth/me")`."""

    def signed_in(user: User) -> APIClient:
        client = JsonClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {credentials.issue_jwt(user)}")
        return client

    return signed_in


@pytest.fixture
def nobody() -> APIClient:
    """A REST client of somebody who is not signed in."""
    return JsonClient()


@pytest.fixture
def callers(
    client_of: ClientOf, nobody: APIClient, ada: User, bob: User, eve: User, root: User
) -> dict[str, APIClient]:
    """The REST clients of everybody, by name: the columns of a permission table."""
    people = {"ada": ada, "bob": bob, "eve": eve, "root": root}
    return {"nobody": nobody} | {name: client_of(user) for name, user in people.items()}


@pytest.fixture
def browser_of() -> BrowserOf:
    """A browser signed in as a person, for pages."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def organization(ada: User, bob: User) -> Organization:
    """Ada's organization, with bob in it."""
    return factories.Organization.create(name="Engines", admin=ada, members=[bob])


@pytest.fixture(scope="session")
def first_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every test's repository is a copy of: git makes one in fifty milliseconds."""
    folder = tmp_path_factory.mktemp("first") / "repository"
    folder.mkdir()
    (folder / "README.md").write_text("# Engine\n", encoding="utf-8")
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "Ada"],
        ["config", "user.email", "ada@example.org"],
        ["config", "commit.gpgsign", "false"],
        ["add", "."],
        ["commit", "--quiet", "-m", "Begin"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture
def repository(first_repository: Path, tmp_path: Path) -> Path:
    """A real git repository with one commit on `main`."""
    return shutil.copytree(first_repository, tmp_path / "repository", symlinks=True)


@pytest.fixture
def project(ada: User, bob: User) -> Project:
    """Ada's project, with bob in it; its folder does not exist."""
    return factories.Project.create(name="Engine", owner=ada, members=[bob])


@pytest.fixture
def real_project(project: Project, repository: Path) -> Project:
    """Ada's project in a real repository."""
    project.path = str(repository)
    project.save(update_fields=["path"])
    return project


@pytest.fixture
def board(project: Project) -> Board:
    """The project's board, with Backlog, In Progress, Review and Done."""
    return factories.BoardWithColumns.create(project=project)


@pytest.fixture
def columns(board: Board) -> dict[str, Column]:
    """The board's columns by key: backlog, inProgress, review, done."""
    return {column.key: column for column in board.columns.all()}
