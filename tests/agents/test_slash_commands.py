"""Slash commands: whose they are, what wins, and repositories that mean no good."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents import operations, slash_commands
from apps.boards.models import Card
from apps.projects.models import Project
from tests import factories
from tests.agents.conftest import MakeCard
from tests.people import ClientOf, actor_of

Listing = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def listed(client_of: ClientOf, bob: User, real_project: Project) -> Listing:
    """The commands of the project by name, as bob sees them."""

    def ask() -> dict[str, dict[str, Any]]:
        answer = client_of(bob).get(f"/api/v1/projects/{real_project.public_id}/slash-commands")
        assert answer.status_code == 200, answer.content
        found = answer.json()["data"]
        assert [one["name"] for one in found] == sorted(one["name"] for one in found)
        return {one["name"]: one for one in found}

    return ask


def write(project: Project, name: str, text: str) -> Path:
    path = Path(project.path) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_ours_are_always_there(listed: Listing) -> None:
    assert set(listed()) == {"/test", "/review", "/explain", "/document", "/commit"}
    assert listed()["/test"] == {
        "name": "/test",
        "description": "Run the tests and repair what fails",
        "source": "builtin",
        "argumentHint": "[what to test]",
    }


def test_files_of_the_repository_are_commands(listed: Listing, real_project: Project) -> None:
    write(
        real_project,
        ".claude/commands/ship/it.md",
        '---\ndescription: "Ship it"\nargument-hint: [version]\nallowed-tools: Bash\n---\nDo $1',
    )
    write(real_project, ".codex/prompts/draft.md", "# Draft a plan\n\nThen stop.")
    write(real_project, ".opencode/command/sub/tidy.md", "\n\nTidy up.\n")
    write(real_project, ".claude/commands/notes.txt", "no command")
    write(real_project, ".claude/commands/.hidden.md", "no command")
    write(real_project, ".claude/commands/wrong name.md", "no command")

    found = {name: one for name, one in listed().items() if one["source"] == "project"}

    assert found == {
        "/ship:it": {
            "name": "/ship:it",
            "description": "Ship it",
            "source": "project",
            "argumentHint": "[version]",
        },
        "/draft": {
            "name": "/draft",
            "description": "Draft a plan",
            "source": "project",
            "argumentHint": None,
        },
        "/sub/tidy": {
            "name": "/sub/tidy",
            "description": "Tidy up.",
            "source": "project",
            "argumentHint": None,
        },
    }


def test_the_repository_wins_then_the_agent(
    listed: Listing, real_project: Project, make_card: MakeCard
) -> None:
    card = make_card()
    factories.Attempt.create(
        card=card,
        failed=True,
        session_info={
            "commands": [
                {"name": "review", "description": "The agent's review", "hint": "[pr]"},
                {"name": "/compact", "description": "Shorten\x1b the\ntalk"},
                {"name": "test", "description": "The agent's test"},
                {"name": "a b"},
                {"name": "../x"},
                "nonsense",
            ]
        },
    )
    factories.Attempt.create(card=card, failed=True, session_info={"commands": "nonsense"})
    write(real_project, ".claude/commands/test.md", "Our own test")

    found = listed()

    assert (found["/test"]["source"], found["/test"]["description"]) == ("project", "Our own test")
    assert (found["/review"]["source"], found["/review"]["argumentHint"]) == ("agent", "[pr]")
    assert found["/compact"]["description"] == "Shorten the talk"
    assert len(found) == 6


def test_agents_of_other_projects_tell_nothing(listed: Listing) -> None:
    factories.Attempt.create(session_info={"commands": [{"name": "theirs"}]})

    assert "/theirs" not in listed()


def test_links_pipes_and_masses_do_no_harm(
    listed: Listing, real_project: Project, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("secret words")
    folder = write(real_project, ".claude/commands/fine.md", "Fine").parent
    (folder / "link.md").symlink_to(secret)
    (folder / "sub").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    (folder / "directory.md").mkdir()
    os.mkfifo(folder / "pipe.md")
    (folder / "bytes.md").write_bytes(b"\xff\xfe\x00 bytes")
    (folder / "closed.md").write_text("---\nnever: closed\n" + "x" * 100_000)
    Path(real_project.path, ".codex").symlink_to(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "outside.md").write_text("secret words")
    deep = folder.joinpath(*"abcdef")
    deep.mkdir(parents=True)
    (deep / "deep.md").write_text("too deep")

    found = {name: one for name, one in listed().items() if one["source"] == "project"}

    assert set(found) == {"/fine", "/bytes", "/closed"}
    assert found["/bytes"]["description"] == "\ufffd\ufffd bytes"
    assert "secret" not in str(found)


def test_no_more_than_three_hundred_files_are_read(listed: Listing, real_project: Project) -> None:
    for number in range(400):
        write(real_project, f".claude/commands/n{number:03}.md", "One")

    assert len([one for one in listed().values() if one["source"] == "project"]) == 300


def test_a_project_without_its_folder_has_ours(
    client_of: ClientOf, bob: User, project: Project
) -> None:
    answer = client_of(bob).get(f"/api/v1/projects/{project.public_id}/slash-commands")

    assert len(answer.json()["data"]) == 5


@pytest.mark.parametrize(
    ("who", "expected"), [("nobody", 401), ("ada", 200), ("bob", 200), ("eve", 404), ("root", 200)]
)
def test_they_are_for_the_people_of_the_project(
    callers: dict[str, APIClient], project: Project, who: str, expected: int
) -> None:
    answer = callers[who].get(f"/api/v1/projects/{project.public_id}/slash-commands")

    assert answer.status_code == expected


@pytest.mark.parametrize("count", [1, 15])
def test_the_list_costs_three_statements(
    client_of: ClientOf,
    bob: User,
    real_project: Project,
    make_card: MakeCard,
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    card = make_card()
    for _ in range(count):
        factories.Attempt.create(card=card, failed=True)
    client = client_of(bob)

    with django_assert_num_queries(3):
        client.get(f"/api/v1/projects/{real_project.public_id}/slash-commands")


def first_words(card: Card, message: str, agent: str = "demo") -> str:
    attempt = operations.start_attempt(
        actor=actor_of(card.project.owner), card=card, agent=agent, message=message
    )
    return attempt.turns.get(number=1).prompt


def test_a_command_of_ours_becomes_its_prompt(make_card: MakeCard) -> None:
    words = first_words(make_card(), "/test the parser")

    (ours,) = [command for command in slash_commands.OURS if command.name == "/test"]
    assert words.endswith(f"{ours.prompt}\n\nthe parser")


def test_other_words_reach_the_agent_as_they_are(
    make_card: MakeCard, real_project: Project
) -> None:
    write(real_project, ".claude/commands/test.md", "Our own test")

    assert first_words(make_card(), "/test the parser").endswith("\n\n/test the parser")
    assert first_words(make_card(), "/unknown /test").endswith("\n\n/unknown /test")
    assert first_words(make_card(), "no /test").endswith("\n\nno /test")


def test_a_later_message_is_expanded_too(make_card: MakeCard) -> None:
    card = make_card()
    actor = actor_of(card.project.owner)
    attempt = operations.start_attempt(actor=actor, card=card, agent="demo")

    turn = operations.send_message(actor=actor, attempt=attempt, text="/commit")

    assert turn.prompt.startswith("Commit the changes in this worktree")
