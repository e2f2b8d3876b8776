"""Projects and organizations become documents, and documents become projects again."""

from __future__ import annotations

import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings as live_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents.states import Status
from apps.boards import files
from apps.boards import operations as board_operations
from apps.boards.models import Attachment, Card
from apps.core import problems, ranks
from apps.core.actors import Actor
from apps.dashboard import operations
from apps.dashboard.exports import checking, tables, writing
from apps.dashboard.operations import imports
from apps.orgs.models import Organization
from apps.projects.models import Project
from tests import factories
from tests.architecture.sources import APPS
from tests.dashboard import worlds
from tests.people import ClientOf, actor_of

IMPORT = "/api/v1/import"


@pytest.fixture
def furnished(project: Project, ada: User, bob: User) -> Project:
    return worlds.furnish(project, ada, bob)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, settings: Any) -> None:
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    settings.KANBANAI_DATA_DIR.mkdir()
    settings.MEDIA_ROOT = settings.KANBANAI_DATA_DIR / "files"


def by_command(user: User) -> Actor:
    return Actor(user=user, origin="command")


def body_of(response: Any) -> Any:
    return json.loads(b"".join(response.streaming_content))


def test_a_document_has_every_list(furnished: Project) -> None:
    document = worlds.document_of(furnished, with_files=False)

    assert document["version"] == 1
    assert document["kind"] == "kanbanai.project"
    assert {key: len(value) for key, value in document.items() if isinstance(value, list)} == {
        "members": 1,
        "invitations": 1,
        "boards": 2,
        "columns": 8,
        "cards": 4,
        "pipelines": 1,
        "assignees": 2,
        "dependencies": 1,
        "attachments": 1,
        "scripts": 1,
        "scriptRuns": 1,
        "agentProfiles": 1,
        "sessions": 2,
        "turns": 2,
        "messages": 4,
        "logs": 2,
        "approvals": 2,
        "labels": 2,
    }
    assert document["labels"] == ["a", "ü"]
    assert document["attachments"][0]["filename"] == "notes ü.txt"
    assert "content" not in document["attachments"][0]


def test_a_document_holds_no_secrets_and_no_places(furnished: Project) -> None:
    text = json.dumps(worlds.document_of(furnished))

    for secret in ("sk-secret-profile", "/secret/place", "agent-memory", furnished.path, "md5$"):
        assert secret not in text


def test_what_is_exported_and_imported_is_the_same(furnished: Project, ada: User) -> None:
    before = worlds.document_of(furnished)
    furnished.delete()

    imported = operations.import_document(actor=by_command(ada), contents=checking.contents(before))

    after = worlds.document_of(imported[0].project)
    assert worlds.comparable(after) == worlds.comparable(before)
    assert not set(worlds.ID.findall(json.dumps(after))) & set(
        worlds.ID.findall(json.dumps(before))
    )
    assert [card.key for card in Card.objects.order_by("number")] == [
        "ABC-1",
        "ABC-2",
        "ABC-3",
        "ABC-4",
    ]
    attachment = Attachment.objects.get()
    stored = Path(str(live_settings.MEDIA_ROOT)) / attachment.path
    assert stored.read_bytes() == b"What was said.\n"
    assert (Path(imported[0].project.path) / ".git").is_dir()


def test_an_imported_project_works_on(furnished: Project, ada: User) -> None:
    document = worlds.document_of(furnished)
    project = operations.import_document(actor=actor_of(ada), contents=checking.contents(document))[
        0
    ].project
    column = project.boards.get(name="Main Board").columns.get(key="backlog")

    card = board_operations.create_card(actor=actor_of(ada), column=column, title="Next")
    titles = list(column.cards.order_by("rank").values_list("title", flat=True))

    assert card.key == "ABC-5"
    assert titles == ["First", "Second", "Next"]
    second, first = Card.objects.filter(project=project, title__in=["First", "Second"]).order_by(
        "-number"
    )
    assert first.prompt == f"See {second.public_id} and card_nothing."
    assert first.pipeline[0]["columnId"] == str(
        project.boards.get(name="Main Board").columns.get(key="inProgress").public_id
    )


def test_the_same_document_twice_makes_two_projects(furnished: Project, ada: User) -> None:
    document = worlds.document_of(furnished)

    for _ in range(2):
        operations.import_document(
            actor=actor_of(ada), contents=checking.contents(json.loads(json.dumps(document)))
        )

    assert Project.objects.count() == 3
    assert Card.objects.count() == 12
    assert len(set(Project.objects.values_list("path", flat=True))) == 3


def test_nothing_goes_on_working_where_it_is_imported(furnished: Project, ada: User) -> None:
    attempt = factories.Attempt.create(
        card=furnished.cards.get(title="First"), status=Status.RUNNING, last_seq=1
    )
    factories.Turn.create(attempt=attempt, status="running")
    factories.Approval.create(attempt=attempt)

    document = worlds.document_of(furnished)
    project = operations.import_document(actor=actor_of(ada), contents=checking.contents(document))[
        0
    ].project

    new = project.attempts.get(card__title="First")
    assert (new.status, new.reason) == ("interrupted", "host_lost")
    assert new.ended_at is not None
    assert new.turns.get().status == "cancelled"
    assert new.approvals.get().status == "withdrawn"
    card = project.cards.get(title="First")
    assert (card.agent_status, card.has_active_agent) == ("failed", False)


def test_only_a_super_admin_is_believed_who_did_what(
    furnished: Project, ada: User, bob: User, root: User
) -> None:
    document = worlds.document_of(furnished)

    mine = operations.import_document(
        actor=actor_of(bob), contents=checking.contents(json.loads(json.dumps(document)))
    )[0].project
    theirs = operations.import_document(actor=actor_of(root), contents=checking.contents(document))[
        0
    ].project

    authors = {"First": None, "Second": bob, "Third": None, "Elsewhere": None}
    assert {card.title: card.created_by for card in mine.cards.all()} == authors
    assert mine.owner == bob
    assert list(mine.members.values_list("user__email", "role")) == [("ada@example.org", "admin")]
    assert {card.created_by for card in theirs.cards.all()} == {ada, bob}
    assert set(theirs.cards.get(title="First").assignees.all()) == {ada, bob}


def test_who_has_no_account_is_invited(furnished: Project, bob: User, ada: User) -> None:
    document = worlds.document_of(furnished)
    document["members"].append({"email": "new@example.org", "role": "member"})

    project = operations.import_document(actor=actor_of(ada), contents=checking.contents(document))[
        0
    ].project

    assert sorted(project.invitations.values_list("email", "role")) == [
        ("later@example.org", "admin"),
        ("new@example.org", "member"),
    ]


def test_a_document_invites_a_bounded_number_of_people(
    furnished: Project, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_INVITED", 3)
    document = worlds.document_of(furnished)
    # Bob has an account, and whoever is named twice is one.
    document["members"] += [{"email": f"new{n}@example.org", "role": "member"} for n in (1, 2)]
    whole = {"version": 1, "kind": "kanbanai.organization", "projects": [document, document]}
    made = operations.import_document(actor=actor_of(ada), contents=checking.contents(whole))
    assert len(made) == 2
    document["invitations"].append({"email": "new3@example.org", "role": "member"})

    with pytest.raises(problems.ValidationFailed) as refused:
        operations.import_document(actor=actor_of(ada), contents=checking.contents(whole))

    assert [error["field"] for error in refused.value.errors] == ["invitations"]
    assert Project.objects.count() == 3


# --- over REST -----------------------------------------------------------------------------------


def test_a_member_downloads_a_document(furnished: Project, client_of: ClientOf, bob: User) -> None:
    furnished.name = 'Ü "quoted"\r\n/../Engine'
    furnished.save()

    response = client_of(bob).get(f"/api/v1/projects/{furnished.public_id}/export")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert re.fullmatch(
        r'attachment; filename="u-quoted-engine-\d{4}-\d\d-\d\d\.json"',
        response["Content-Disposition"],
    )
    document = body_of(response)
    assert len(document["cards"]) == 4
    assert "data" not in document


def test_the_contents_of_files_come_when_asked_for(
    furnished: Project, client_of: ClientOf, ada: User
) -> None:
    address = f"/api/v1/projects/{furnished.public_id}/export"

    with_files = body_of(client_of(ada).get(f"{address}?attachments=content"))
    wrong = client_of(ada).get(f"{address}?attachments=all")

    assert with_files["attachments"][0]["content"] == "V2hhdCB3YXMgc2FpZC4K"
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "attachments"


def test_a_file_that_is_gone_is_null(furnished: Project) -> None:
    shutil.rmtree(live_settings.MEDIA_ROOT)

    document = worlds.document_of(furnished)

    assert document["attachments"][0]["content"] is None


class Fleeting(type(Path())):  # type: ignore[misc]
    """A file that somebody deletes right after it was looked at."""

    def is_file(self) -> bool:
        found = super().is_file()
        self.unlink(missing_ok=True)
        return bool(found)

    def open(self, *args: Any, **named: Any) -> Any:
        self.unlink(missing_ok=True)
        return super().open(*args, **named)


def test_a_file_that_goes_meanwhile_is_null(
    furnished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_of = files.place_of
    monkeypatch.setattr(files, "place_of", lambda path: Fleeting(place_of(path)))
    document = worlds.document_of(furnished)

    assert document["attachments"][0]["content"] is None


def test_a_project_that_goes_meanwhile_is_not_found(furnished: Project) -> None:
    held = Project.objects.get(pk=furnished.pk)
    furnished.delete()

    with pytest.raises(problems.NotFound):
        writing.spool_project(held)


def test_strangers_export_nothing(furnished: Project, callers: dict[str, APIClient]) -> None:
    address = f"/api/v1/projects/{furnished.public_id}/export"

    codes = {name: client.get(address).status_code for name, client in callers.items()}

    assert codes == {"nobody": 401, "ada": 200, "bob": 200, "eve": 404, "root": 200}


def test_an_organization_is_exported_by_its_admins(
    furnished: Project, organization: Organization, callers: dict[str, APIClient]
) -> None:
    furnished.organization = organization
    furnished.save()
    body = {"organizationId": organization.public_id}

    answers = {name: client.post("/api/v1/export", body) for name, client in callers.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "nobody": 401,
        "ada": 200,
        "bob": 403,
        "eve": 404,
        "root": 200,
    }
    document = body_of(answers["ada"])
    assert document["kind"] == "kanbanai.organization"
    assert document["organization"]["name"] == "Engines"
    assert [member["role"] for member in document["members"]] == ["admin", "member"]
    assert [len(one["cards"]) for one in document["projects"]] == [4]


def test_the_organization_is_the_header_s_or_the_only_one(
    organization: Organization, client_of: ClientOf, ada: User
) -> None:
    other = factories.Organization.create(name="Other", admin=ada)
    client = client_of(ada)

    unsaid = client.post("/api/v1/export", {})
    by_header = client.post("/api/v1/export", {}, headers={"X-Organization-Id": other.public_id})
    other.delete()
    only = client.post("/api/v1/export", {})

    assert unsaid.status_code == 400
    assert body_of(by_header)["organization"]["name"] == "Other"
    assert body_of(only)["organization"]["name"] == "Engines"


def test_an_organization_s_document_makes_all_its_projects(
    furnished: Project, organization: Organization, client_of: ClientOf, ada: User
) -> None:
    furnished.organization = organization
    furnished.save()
    second = factories.Project.create(name="Second", owner=ada, organization=organization)
    factories.BoardWithColumns.create(project=second)
    document = body_of(client_of(ada).post("/api/v1/export", {}))

    response = client_of(ada).post(f"{IMPORT}?organizationId={organization.public_id}", document)

    assert response.status_code == 201
    assert [one["project"]["name"] for one in response.json()["data"]] == ["Engine", "Second"]
    assert organization.projects.count() == 4


@pytest.mark.parametrize("way", ["form", "body"])
def test_a_document_is_imported_over_rest(
    furnished: Project, client_of: ClientOf, eve: User, way: str
) -> None:
    document = worlds.document_of(furnished, with_files=way == "form")
    client = client_of(eve)

    if way == "form":
        file = SimpleUploadedFile("export.json", json.dumps(document).encode())
        response = client.post(IMPORT, {"file": file}, format="multipart")
    else:
        response = client.post(IMPORT, document)

    assert response.status_code == 201, response.json()
    [made] = response.json()["data"]
    assert made["project"]["name"] == "Engine"
    assert made["attachmentsLeftOut"] == (0 if way == "form" else 1)
    assert made["boardId"].startswith("board_")
    assert client.get(f"/api/v1/projects/{made['project']['id']}/cards").status_code == 200


def test_a_document_that_is_too_large_is_not_read(
    furnished: Project, client_of: ClientOf, eve: User, settings: Any
) -> None:
    content = json.dumps(worlds.document_of(furnished)).encode()
    answers = []
    for most in (len(content), len(content) - 1):
        settings.KANBANAI_MAX_IMPORT_BYTES = most
        form = {"file": SimpleUploadedFile("export.json", content)}
        answers.append(client_of(eve).post(IMPORT, form, format="multipart"))

    assert [answer.status_code for answer in answers] == [201, 413]
    assert answers[1].json()["code"] == "PAYLOAD_TOO_LARGE"
    assert Project.objects.filter(owner=eve).count() == 1


def test_an_import_may_use_a_repository_that_is_there(
    furnished: Project, client_of: ClientOf, ada: User, repository: Path, settings: Any
) -> None:
    settings.KANBANAI_PROJECT_ROOTS = (repository.parent,)
    document = worlds.document_of(furnished)
    client = client_of(ada)

    outside = client.post(f"{IMPORT}?path=/etc", document)
    inside = client.post(f"{IMPORT}?path={repository}", document)
    again = client.post(f"{IMPORT}?path={repository}", document)

    assert outside.status_code == 400
    assert inside.status_code == 201, inside.json()
    assert inside.json()["data"][0]["project"]["path"] == str(repository)
    assert again.status_code == 409
    assert Project.objects.count() == 2


# --- what is wrong -------------------------------------------------------------------------------


BAD: list[tuple[str, Any, str]] = [
    ("version", 2, "version"),
    ("version", None, "version"),
    ("version", True, "version"),
    ("kind", "other", "kind"),
    ("kind", {}, "kind"),
    ("project", None, "project"),
    ("project", [], "project"),
    ("project.name", "", "project.name"),
    ("project.name", ["a"], "project.name"),
    ("project.name", "x" * 51, "project.name"),
    ("project.color", "javascript:", "project.color"),
    ("project.nextTicketNumber", -1, "project.nextTicketNumber"),
    ("project.owner", "nobody", "project.owner"),
    ("settings", "x", "settings"),
    ("settings.ticketPrefix", "../..", "settings.ticketPrefix"),
    ("settings.autoCommitOnFinish", "yes", "settings.autoCommitOnFinish"),
    ("members", {}, "members"),
    ("members.0", 7, "members.0"),
    ("members.0.email", "a@b@c", "members.0.email"),
    ("members.0.role", "owner", "members.0.role"),
    ("boards", [], "columns.0.boardId"),
    ("boards", 3, "boards"),
    ("boards.0", None, "boards.0"),
    ("boards.0.id", "board_../../etc", "boards.0.id"),
    ("boards.0.id", {}, "boards.0.id"),
    ("boards.0.name", "", "boards.0.name"),
    ("boards.0.position", "0", "boards.0.position"),
    ("boards.0.createdAt", "yesterday", "boards.0.createdAt"),
    ("boards.0.createdAt", "2025-01-01T00:00:00", "boards.0.createdAt"),
    ("boards.0.createdAt", "9999-12-31T23:59:59Z", "boards.0.createdAt"),
    ("columns.0.columnType", "portal", "columns.0.columnType"),
    ("columns.0.wipLimit", -3, "columns.0.wipLimit"),
    ("columns.0.boardId", "board_00000000000000000000000000", "columns.0.boardId"),
    ("columns.1.key", "backlog", "columns.1.key"),
    ("cards.0.title", "", "cards.0.title"),
    ("cards.0.title", None, "cards.0.title"),
    ("cards.0.title", "x" * 301, "cards.0.title"),
    ("cards.0.title", "nul\x00", "cards.0.title"),
    ("cards.0.prompt", 5, "cards.0.prompt"),
    ("cards.0.labels", "a", "cards.0.labels"),
    ("cards.0.labels", [1], "cards.0.labels"),
    ("cards.0.labels", ["x"] * 21, "cards.0.labels"),
    ("cards.0.number", 2**40, "cards.0.number"),
    ("cards.0.number", True, "cards.0.number"),
    ("cards.0.key", "ABC-99", "cards.0.key"),
    ("cards.0.key", "<script>", "cards.0.key"),
    ("cards.0.createdBy", 12, "cards.0.createdBy"),
    ("cards.0.priority", "whenever", "cards.0.priority"),
    ("pipelines.0.cardId", [], "pipelines.0.cardId"),
    ("pipelines.0.steps", [{"columnId": 5}], "pipelines.0.steps"),
    ("dependencies.0.dependsOnId", "card_00000000000000000000000000", "dependencies.0.dependsOnId"),
    ("attachments.0.filename", "../../etc/passwd", "attachments.0.filename"),
    ("attachments.0.filename", "..", "attachments.0.filename"),
    ("attachments.0.content", "not base 64!", "attachments.0.content"),
    ("attachments.0.content", 5, "attachments.0.content"),
    ("sessions.0.status", "dancing", "sessions.0.status"),
    ("sessions.0.branch", "--output=/tmp/x", "sessions.0.branch"),
    ("sessions.0.branch", "a..b", "sessions.0.branch"),
    ("sessions.0.baseBranch", "-x", "sessions.0.baseBranch"),
    ("sessions.0.baseSha", "--output=/tmp/x", "sessions.0.baseSha"),
    ("sessions.0.mergedSha", "HEAD", "sessions.0.mergedSha"),
    ("cards.0.branchName", "x\ny", "cards.0.branchName"),
    ("settings.baseBranch", "--exec=x", "settings.baseBranch"),
    ("sessions.0.todos", [{"id": 1}], "sessions.0.todos"),
    ("sessions.0.costUsd", "NaN", "sessions.0.costUsd"),
    ("sessions.0.costUsd", "1e30", "sessions.0.costUsd"),
    ("messages.0.data", [], "messages.0.data"),
    ("messages.0.data", {"text": {}}, "messages.0.data"),
    ("messages.1.data", {"tool": {}}, "messages.1.data"),
    ("approvals.0.request", "x", "approvals.0.request"),
]


def put(document: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        document = document[int(step)] if isinstance(document, list) else document[step]
    document[int(last) if isinstance(document, list) else last] = value


@pytest.mark.parametrize(("path", "value", "field"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_document_is_refused_and_leaves_nothing(
    furnished: Project,
    client_of: ClientOf,
    eve: User,
    path: str,
    value: Any,
    field: str,
    settings: Any,
) -> None:
    document = worlds.document_of(furnished)
    put(document, path, value)

    response = client_of(eve).post(IMPORT, document)

    assert response.status_code == 400, response.json()
    assert field in [error["field"] for error in response.json()["errors"]]
    assert Project.objects.count() == 1
    assert not (settings.KANBANAI_DATA_DIR / "repositories").exists()


def test_rows_that_are_there_twice_are_refused(
    furnished: Project, client_of: ClientOf, ada: User
) -> None:
    document = worlds.document_of(furnished)
    document["cards"].append(dict(document["cards"][0]))

    response = client_of(ada).post(IMPORT, document)

    assert response.status_code == 400
    assert {(error["field"], error["code"]) for error in response.json()["errors"]} == {
        ("cards.4.id", "repeated"),
        ("cards.4", "repeated"),
    }


def test_cards_that_wait_for_each_other_are_refused(
    furnished: Project, client_of: ClientOf, ada: User
) -> None:
    document = worlds.document_of(furnished)
    [one] = document["dependencies"]
    document["dependencies"].append({"cardId": one["dependsOnId"], "dependsOnId": one["cardId"]})

    response = client_of(ada).post(IMPORT, document)

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"] == "These cards wait for each other in a circle."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b'{"version":1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version":1,"kind":"kanbanai.project","project":{"name":"\\ud800"}}',
        b'{"version":NaN}',
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("way", ["form", "body"])
def test_what_is_no_document_is_refused(
    client_of: ClientOf, eve: User, body: bytes, way: str
) -> None:
    client = client_of(eve)
    if way == "form":
        file = SimpleUploadedFile("export.json", body)
        response = client.post(IMPORT, {"file": file}, format="multipart")
    else:
        response = client.generic(
            "POST", IMPORT, cast("Any", body), content_type="application/json"
        )

    assert response.status_code == 400
    assert Project.objects.count() == 0


def test_deep_json_is_refused(furnished: Project, client_of: ClientOf, ada: User) -> None:
    document = worlds.document_of(furnished)
    deep: Any = []
    for _ in range(50):
        deep = [deep]
    document["messages"][0]["data"] = {"text": "x", "deep": deep}

    response = client_of(ada).post(IMPORT, document)

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"] == "This is nested too deeply."


def test_a_failure_in_the_middle_leaves_no_files(
    furnished: Project, ada: User, settings: Any
) -> None:
    document = worlds.document_of(furnished)
    settings.KANBANAI_MAX_ATTACHMENT_BYTES = 3
    stored = sorted(Path(settings.MEDIA_ROOT).rglob("*"))

    with pytest.raises(problems.PayloadTooLarge):
        operations.import_document(actor=actor_of(ada), contents=checking.contents(document))

    assert [place for place in Path(settings.MEDIA_ROOT).rglob("*") if place.is_file()] == [
        place for place in stored if place.is_file()
    ]
    assert list((settings.KANBANAI_DATA_DIR / "repositories").iterdir()) == []
    assert Project.objects.count() == 1


# --- size, and the moment ------------------------------------------------------------------------


def crowd(project: Project, count: int) -> None:
    board = project.boards.order_by("rank").first()
    assert board is not None
    column = board.columns.get(key="backlog")
    places = ranks.sequence(count, after="a5")
    Card.objects.bulk_create(
        Card(
            project=project,
            board=board,
            column=column,
            rank=places[number],
            number=number + 1000,
            key=f"ABC-{number + 1000}",
            title=f"Card {number}",
            prompt="words " * 50,
            labels=[f"label {number % 7}"],
        )
        for number in range(count)
    )
    project.next_ticket_number = count + 1000
    project.save()


def test_more_cards_take_no_more_statements(furnished: Project) -> None:
    with CaptureQueriesContext(connection) as few:
        worlds.document_of(furnished)
    crowd(furnished, 300)
    with CaptureQueriesContext(connection) as many:
        document = worlds.document_of(furnished)

    assert len(document["cards"]) == 304
    assert len(many) == len(few)


def test_two_thousand_cards_go_there_and_back(furnished: Project, ada: User) -> None:
    crowd(furnished, 2_000)
    before = worlds.document_of(furnished)
    furnished.delete()

    with CaptureQueriesContext(connection) as taken:
        project = operations.import_document(
            actor=by_command(ada), contents=checking.contents(before)
        )[0].project

    assert worlds.comparable(worlds.document_of(project)) == worlds.comparable(before)
    assert len(taken) < 150


@pytest.mark.django_db(transaction=True)
def test_an_export_is_of_one_moment(furnished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # A card and its place in the count of labels are read at different times.
    original = writing._members

    def slowly(project: Project) -> Any:
        yield from original(project)

        def write() -> None:
            Card.objects.filter(title="First").update(labels=["late"])
            connection.close()

        other = threading.Thread(target=write)
        other.start()
        other.join()

    monkeypatch.setattr(writing, "_members", slowly)

    document = worlds.document_of(furnished)

    assert document["labels"] == ["a", "ü"]
    assert Card.objects.get(title="First").labels == ["late"]


def test_no_table_of_a_project_is_forgotten() -> None:
    from django.apps import apps  # noqa: PLC0415 - the registry of this test alone

    reached: set[Any] = {Project}
    models = [model for label in APPS for model in apps.get_app_config(label).get_models()]
    while True:
        further = {
            model
            for model in models
            if model not in reached
            and any(field.related_model in reached for field in model._meta.concrete_fields)
        }
        if not further:
            break
        reached |= further

    known = {table.model._meta.label for table in tables.TABLES}
    missing = {model._meta.label for model in reached} - known - set(tables.NOT_EXPORTED)

    assert missing - tables.BY_HAND == set()
