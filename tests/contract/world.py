"""What the requests of the table need: one project with everything in it, and states by name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from pytest_django import Settings
from rest_framework.test import APIClient

from apps.accounts.models import OidcConfiguration, Role, User
from apps.agents import operations as agent_operations
from apps.agents.conversation_tables import Conversation
from apps.agents.models import Approval
from apps.agents.operations import conversing
from apps.boards import files
from apps.boards import operations as board_operations
from apps.boards.models import Board, Card, Column
from apps.dashboard import operations as dashboard_operations
from apps.orgs.models import Organization
from apps.projects.models import Project, Script
from tests import factories, git_world, logs
from tests.agents.models_server import model_server
from tests.contract.rows import Access, Row
from tests.people import ClientOf, actor_of

# Who asks well, and who is turned away with which status, for each kind of access.
WELL = {
    Access.PUBLIC: "nobody",
    Access.AUTH: "ada",
    Access.ORG: "bob",
    Access.ORG_ADMIN: "ada",
    Access.PROJECT: "bob",
    Access.PROJECT_ADMIN: "ada",
    Access.OWN: "ada",
    Access.ADMIN: "adam",
    Access.SUPER: "root",
}
REFUSED = {
    Access.PUBLIC: {},
    Access.AUTH: {"nobody": 401},
    Access.ORG: {"nobody": 401, "eve": 404, "adam": 404},
    Access.ORG_ADMIN: {"nobody": 401, "eve": 404, "adam": 404, "bob": 403},
    Access.PROJECT: {"nobody": 401, "eve": 404, "adam": 404},
    Access.PROJECT_ADMIN: {"nobody": 401, "eve": 404, "adam": 404, "bob": 403},
    Access.OWN: {"nobody": 401, "eve": 403, "bob": 403},
    Access.ADMIN: {"nobody": 401, "eve": 403, "ada": 403},
    Access.SUPER: {"nobody": 401, "eve": 403, "ada": 403, "adam": 403},
}


KEY = "sk-0123456789abcdef0123"


class World:
    """Ada's project in ada's organization: bob and cid are members of both, eve is a stranger,
    adam is an admin of the server, root its super admin."""

    def __init__(
        self,
        people: dict[str, User],
        project: Project,
        columns: dict[str, Column],
        organization: Organization,
        folder: Path,
    ) -> None:
        self.people = people
        self.project = project
        self.columns = columns
        self.organization = organization
        self.folder = folder
        self.card: Card = factories.Card.create(column=columns["backlog"], prompt="@say Done.")
        self.spare_board: Board = factories.Board.create(project=project, name="Spare")
        script = Script.objects.create(project=project, name="Lint", command="true", rank="a0")
        factories.Invitation.create(project=project, email="waiting@example.org")
        template = board_operations.create_template(
            actor=actor_of(people["ada"]),
            name="One",
            columns=[{"name": "A", "column_type": "done"}],
        )
        credential = agent_operations.create_credential(
            actor=actor_of(people["root"]), name="Ours", provider="openai", api_key=KEY
        )
        self.names = {
            **{name: user.public_id for name, user in people.items()},
            **{key: column.public_id for key, column in columns.items()},
            "password": factories.PASSWORD,
            "project": project.public_id,
            "organization": organization.public_id,
            "board": self.card.board.public_id,
            "spare_board": self.spare_board.public_id,
            "card": self.card.public_id,
            "script": script.public_id,
            "template": template.public_id,
            "credential": credential.public_id,
            "folder": str(folder / "new"),
            "root_folder": str(folder),
            "readme": f"{project.path}/README.md",
        }

    def fill(self, value: Any) -> Any:
        """This will put the real ids into a path, a body or a shape."""
        if isinstance(value, str):
            for name, known in self.names.items():
                value = value.replace(f"{{{name}}}", known)
            return value
        if isinstance(value, dict):
            return {self.fill(key): self.fill(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        return value

    def ask(self, client: APIClient, row: Row, mount: str) -> Any:
        """This will send the row's good request."""
        path = f"{mount}{self.fill(row.path)}"
        if row.upload:
            file = SimpleUploadedFile("notes.txt", b"Three words here.", "text/plain")
            return client.post(path, {"file": file}, format="multipart")
        body = None if row.method == "GET" else self.fill(row.body)
        return getattr(client, row.method.lower())(path, body)

    @contextlib.contextmanager
    def given(self, state: str) -> Iterator[None]:
        """This will make the state of that name hold."""
        with GIVEN[state](self) or contextlib.nullcontext():
            yield


Given = Callable[[World], AbstractContextManager[Any] | None]


def _nothing(_world: World) -> None:
    return


def _an_empty_server(_world: World) -> None:
    Project.objects.all().delete()
    User.objects.all().delete()


def _a_repository_of_ones_own(world: World) -> None:
    git_world.repository(world.folder / "new")


def _a_deferred_card(world: World) -> None:
    world.card.is_deferred = True
    world.card.save()


def _a_card_that_awaits_approval(world: World) -> None:
    world.card.column = world.columns["inProgress"]
    world.card.is_auto_mode = world.card.awaiting_approval = True
    world.card.save()
    _a_plan_that_waits(world)


def _an_attachment(world: World) -> None:
    upload = SimpleUploadedFile("plan.txt", b"First this, then that.", "text/plain")
    with files.taken_in(upload, project_id=world.project.pk) as stored:
        attachment = board_operations.add_attachment(
            actor=actor_of(world.people["ada"]), card=world.card, stored=stored
        )
    world.names["attachment"] = attachment.public_id


def _an_ended_session(world: World) -> None:
    attempt = factories.Attempt.create(card=world.card, succeeded=True, summary="It is done.")
    factories.Turn.create(attempt=attempt)
    factories.Item.create(attempt=attempt)


def _a_failed_session(world: World) -> None:
    attempt = factories.Attempt.create(card=world.card, failed=True)
    factories.Turn.create(attempt=attempt)


def _a_plan_that_waits(world: World) -> None:
    attempt = factories.Attempt.create(
        card=world.card, waiting=True, waiting_for="plan", mode="plan"
    )
    factories.Turn.create(attempt=attempt)
    factories.Approval.create(
        attempt=attempt, kind=Approval.Kind.PLAN, request={"text": "First this, then that."}
    )


def _a_session_that_can_be_handed_over(world: World) -> None:
    factories.Attempt.create(card=world.card, succeeded=True, session_id="session-1")


def _a_log_entry(world: World) -> AbstractContextManager[Any]:
    (world.folder / "logs").mkdir()
    stack = contextlib.ExitStack()
    stack.enter_context(logs.keeping(world.folder / "logs"))
    logs.write(logs.line(1, "The boiler is hot."))
    return stack


def _a_backup(world: World) -> None:
    made = dashboard_operations.make_backup(actor=actor_of(world.people["root"]))
    world.names["backup"] = made.filename


def _a_model_provider(world: World) -> AbstractContextManager[Any]:
    stack = contextlib.ExitStack()
    server = stack.enter_context(model_server())
    login = {
        "authorizeUrl": f"{server.url}/authorize",
        "tokenUrl": f"{server.url}/token",
        "clientId": "kanban",
    }
    known = {"openai": {"baseUrl": server.url}, "anthropic": {"oauth": login}}
    stack.enter_context(override_settings(KANBANAI_PROVIDERS=known))
    return stack


def _a_login_that_waits(world: World) -> AbstractContextManager[Any]:
    held = _a_model_provider(world)
    root = actor_of(world.people["root"])
    login, _address = agent_operations.begin_login(actor=root, provider="anthropic")
    world.names["credential"] = login.credential.public_id
    return held


def _a_presession(world: World) -> Conversation:
    _a_deferred_card(world)
    found = agent_operations.open_presession(actor=actor_of(world.people["ada"]), card=world.card)
    world.names["preSession"] = found.public_id
    return found


def _an_open_presession(world: World) -> None:
    _a_presession(world)


def _a_presession_with_an_answer(world: World) -> None:
    conversing.add_item(
        _a_presession(world), kind="message", source_id="one", role="assistant", text="Do it well."
    )


def _a_configured_provider(_world: World) -> None:
    OidcConfiguration.objects.create(
        issuer_url="https://id.example.org", client_id="kanban", client_secret="a secret"
    )


GIVEN: dict[str, Given] = {
    "": _nothing,
    "an empty server": _an_empty_server,
    "a repository of one's own": _a_repository_of_ones_own,
    "a deferred card": _a_deferred_card,
    "a card that awaits approval": _a_card_that_awaits_approval,
    "an attachment": _an_attachment,
    "an ended session": _an_ended_session,
    "a failed session": _a_failed_session,
    "a plan that waits": _a_plan_that_waits,
    "a session that can be handed over": _a_session_that_can_be_handed_over,
    "a log entry": _a_log_entry,
    "a backup": _a_backup,
    "a model provider": _a_model_provider,
    "a login that waits": _a_login_that_waits,
    "a pre-session": _an_open_presession,
    "a pre-session with an answer": _a_presession_with_an_answer,
    "a configured provider": _a_configured_provider,
}


@pytest.fixture
def world(
    *,
    ada: User,
    bob: User,
    eve: User,
    root: User,
    real_project: Project,
    columns: dict[str, Column],
    organization: Organization,
    tmp_path: Path,
    settings: Settings,
) -> Iterator[World]:
    """A world of its own for each test, under folders of its own."""
    settings.KANBANAI_PROJECT_ROOTS = (tmp_path,)
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    settings.MEDIA_ROOT = tmp_path / "data" / "files"
    settings.MEDIA_ROOT.mkdir(parents=True)
    adam = factories.User.create(email="adam@example.org", role=Role.ADMIN)
    cid = factories.User.create(email="cid@example.org")
    factories.ProjectMember.create(project=real_project, user=cid)
    factories.Membership.create(organization=organization, user=cid)
    people = {"ada": ada, "bob": bob, "eve": eve, "root": root, "adam": adam, "cid": cid}
    with override_settings(KANBANAI_ALLOW_UNSANDBOXED=True):
        yield World(people, real_project, columns, organization, tmp_path)


@pytest.fixture
def client_named(world: World, client_of: ClientOf, nobody: APIClient) -> Callable[..., APIClient]:
    """The client of somebody by name, `nobody` too."""

    def named(name: str) -> APIClient:
        return nobody if name == "nobody" else client_of(world.people[name])

    return named
