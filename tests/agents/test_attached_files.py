"""The files of a card on their way to its agent: copies in its home, named in its prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.agents import operations, places
from apps.agents.models import Attempt
from apps.boards import files
from apps.boards.models import Attachment
from tests.agents.conftest import MakeCard
from tests.people import actor_of


@pytest.fixture
def attempt(make_card: MakeCard, settings: Settings, tmp_path: Path) -> Attempt:
    """An attempt on a card with two files of the same name."""
    settings.MEDIA_ROOT = tmp_path / "files"
    card = make_card()
    for number in (1, 2):
        path = f"attachments/p/{number}"
        files.place_of(path).parent.mkdir(parents=True, exist_ok=True)
        files.place_of(path).write_text(f"words {number}")
        Attachment.objects.create(
            card=card, filename="notes.txt", content_type="text/plain", size=7, path=path
        )
    return operations.start_attempt(actor=actor_of(card.project.owner), card=card, agent="demo")


def test_the_prompt_names_where_they_are(attempt: Attempt) -> None:
    paths = [path for _attachment, path in places.attachment_paths(attempt)]
    prompt = attempt.turns.get(number=1).prompt

    assert len(set(paths)) == 2
    assert all(f"- {path}" in prompt for path in paths)
    places.copy_attachments(places.attachment_paths(attempt))
    assert [path.read_text() for path in paths] == ["words 1", "words 2"]


def test_links_an_agent_left_lead_nowhere(attempt: Attempt, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    wanted = places.attachment_paths(attempt)
    folder = wanted[0][1].parent
    folder.mkdir(parents=True)
    wanted[0][1].symlink_to(outside / "kept")

    places.copy_attachments(wanted)

    assert (outside / "kept").read_text() == "kept"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.symlink_to(outside)
    places.copy_attachments(wanted)
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert wanted[0][1].read_text() == "words 1"
    assert not folder.is_symlink()
