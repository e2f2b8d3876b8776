"""A project whose folder somebody moved or deleted: what is seen of it, and how it is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.accounts.models import User
from apps.agents.models import Attempt
from apps.agents.states import Status
from apps.boards.models import Card, Column
from apps.projects.models import Project
from tests import factories
from tests.people import BrowserOf, ClientOf


@pytest.fixture
def attempt(project: Project, columns: dict[str, Column], tmp_path: Path) -> Attempt:
    """It has worked in a worktree of a repository that is not there any more."""
    project.path = str(tmp_path / "gone")
    project.save()
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (worktree / "notes.txt").write_text("Nobody committed this.")
    made: Attempt = factories.Attempt.create(
        card=factories.Card.create(column=columns["inProgress"]),
        status=Status.SUCCEEDED,
        worktree_path=str(worktree),
        branch="feat/abc-1",
        base_branch="main",
        base_sha="0123456789abcdef0123456789abcdef01234567",
    )
    return made


def test_the_project_is_deleted_and_the_worktree_stays(
    attempt: Attempt, client_of: ClientOf, ada: User
) -> None:
    address = f"/api/v1/projects/{attempt.project.public_id}"

    answer = client_of(ada).delete(address)

    assert answer.status_code == 204, answer.content
    assert not Project.objects.filter(pk=attempt.project_id).exists()
    assert (Path(attempt.worktree_path) / "notes.txt").is_file()


def test_a_card_is_deleted_when_that_is_insisted_on(
    attempt: Attempt, client_of: ClientOf, ada: User
) -> None:
    address = f"/api/v1/projects/{attempt.project.public_id}/cards/{attempt.card.public_id}"

    refused = client_of(ada).delete(address)
    done = client_of(ada).delete(f"{address}?force=true")

    assert (refused.status_code, refused.json()["code"]) == (409, "WORKTREE_DIRTY")
    assert done.status_code == 204, done.content
    assert not Card.objects.filter(pk=attempt.card_id).exists()
    assert (Path(attempt.worktree_path) / "notes.txt").is_file()


def test_a_card_whose_worktree_is_gone_too_is_deleted(
    attempt: Attempt, client_of: ClientOf, ada: User
) -> None:
    (Path(attempt.worktree_path) / "notes.txt").unlink()
    Path(attempt.worktree_path).rmdir()
    address = f"/api/v1/projects/{attempt.project.public_id}/cards/{attempt.card.public_id}"

    answer = client_of(ada).delete(address)

    assert answer.status_code == 204, answer.content


@pytest.mark.parametrize("page", ["changes", "changes/file?path=notes.txt"])
def test_the_changes_are_told_to_be_out_of_reach(
    attempt: Attempt, browser_of: BrowserOf, ada: User, page: str
) -> None:
    answer = browser_of(ada).get(f"/attempts/{attempt.public_id}/{page}")

    assert answer.status_code in {200, 502}
    assert "There is no directory at" in answer.content.decode()
