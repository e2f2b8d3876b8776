"""A project in which every table of a document has rows, and what must be equal after a journey."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.agents.models import Approval
from apps.agents.states import Status
from apps.boards import files
from apps.boards.models import Attachment, Board, Column
from apps.dashboard.exports import writing
from apps.projects.models import Project, Script, ScriptRun
from tests import factories

LONG_AGO = dt.datetime(2025, 3, 4, 5, 6, 7, 891011, tzinfo=dt.UTC)
# What another home must give anew: the place of the project itself, and when it was written.
PASSING = {"exportedAt"}
PROJECT_PASSING = {"createdAt", "updatedAt", "organization", "repositoryUrl"}
ID = re.compile(r"\b[a-z]{2,6}_[0-7][0-9a-hjkmnp-tv-z]{25}\b")


def furnish(project: Project, ada: User, bob: User) -> Project:
    """Boards, cards, files, scripts and a past of agents in a project, by both of them."""
    board = factories.BoardWithColumns.create(project=project, name="Main Board")
    other = factories.BoardWithColumns.create(project=project, name="Über ✓")
    columns = {column.key: column for column in board.columns.all()}
    first = _card(columns["backlog"], ada, title="First", labels=["a", "ü"])
    second = _card(columns["backlog"], bob, title="Second", ticket_type="feat", priority="urgent")
    third = _card(columns["done"], ada, title="Third", completed_at=LONG_AGO)
    _card(other.columns.first(), ada, title="Elsewhere")
    first.pipeline = [
        {"columnId": columns["inProgress"].public_id, "prompt": "Go", "enabled": True}
    ]
    first.prompt = f"See {second.public_id} and card_nothing."
    first.save()
    first.assignees.set([ada, bob])
    factories.CardDependency.create(card=second, depends_on=first)
    _attach(first, ada, "notes ü.txt", b"What was said.\n")
    script = Script.objects.create(project=project, name="Test", command="make", rank="a0")
    ScriptRun.objects.create(
        script=script,
        status="success",
        exit_code=0,
        output="fine\n",
        started_by=bob,
        finished_at=LONG_AGO,
    )
    _work(third, ada, bob)
    factories.Invitation.create(project=project, email="later@example.org", role="admin")
    _grow_old(project)
    return project


def _card(column: Column | None, user: User, **values: Any) -> Any:
    return factories.Card.create(column=column, created_by=user, **values)


def _attach(card: Any, user: User, name: str, content: bytes) -> None:
    upload = SimpleUploadedFile(name, content, "text/plain")
    with files.taken_in(upload, project_id=card.project_id) as stored:
        Attachment.objects.create(
            card=card,
            filename=stored.filename,
            content_type=stored.content_type,
            size=stored.size,
            path=stored.path,
            uploaded_by=user,
        )


def _work(card: Any, ada: User, bob: User) -> None:
    profile = factories.AgentProfile.create(
        project=card.project, name="Careful", config={"apiKey": "sk-secret-profile"}
    )
    for status in (Status.SUCCEEDED, Status.FAILED):
        attempt = factories.Attempt.create(
            card=card,
            status=status,
            started_by=ada,
            profile=profile,
            started_at=LONG_AGO,
            ended_at=LONG_AGO,
            cost_usd="0.123456",
            last_seq=3,
            last_position=3,
            worktree_path="/secret/place",
            branch="feat/abc-3-third",
            base_branch="main",
            base_sha="0123456789abcdef0123456789abcdef01234567",
            session_id="agent-memory",
            todos=[{"id": "1", "text": "Look", "status": "completed"}],
        )
        factories.Turn.create(attempt=attempt, status="done", author=bob, started_at=LONG_AGO)
        factories.Item.create(attempt=attempt, data={"role": "user", "text": "Do it."})
        factories.Item.create(
            attempt=attempt,
            type="tool",
            data={"tool": {"name": "make", "action": "run", "status": "done"}},
        )
        factories.AttemptLog.create(attempt=attempt, ts=LONG_AGO)
        factories.Approval.create(
            attempt=attempt,
            status=Approval.Status.ANSWERED,
            decision="allow_once",
            answered_by=ada,
            answered_at=LONG_AGO,
            request={"command": "make"},
        )
    project_settings = card.project.settings
    project_settings.default_profile_id = profile.public_id
    project_settings.setup_script = "echo ü\nmake\n"
    project_settings.save()


def _grow_old(project: Project) -> None:
    for rows in (Board.objects.filter(project=project), project.cards.all()):
        rows.update(created_at=LONG_AGO, updated_at=LONG_AGO)


def document_of(project: Project, *, with_files: bool = True) -> dict[str, Any]:
    """The project's document, as its readers get it."""
    with writing.spool_project(project, with_files=with_files) as file:
        found: dict[str, Any] = json.load(file)
    return found


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what must change: ids are numbered in the order they appear."""
    kept = {key: value for key, value in document.items() if key not in PASSING}
    facts = kept["project"].items()
    kept["project"] = {key: value for key, value in facts if key not in PROJECT_PASSING}
    numbers: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        prefix = match[0].partition("_")[0]
        return numbers.setdefault(match[0], f"{prefix}#{len(numbers)}")

    for name in ("columns", "cards"):
        kept[name] = sorted(kept[name], key=lambda row: row["createdAt"] + row["id"])
    found: dict[str, Any] = json.loads(ID.sub(numbered, json.dumps(kept)))
    return found
