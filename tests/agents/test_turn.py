"""A turn from the start to the end, with the demo agent as a real process."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.agents import operations, places, processes, tasks
from apps.agents.models import Attempt
from apps.agents.runner import work
from apps.boards.models import Attachment, Card, Column
from apps.core.models import Event
from apps.projects.models import Project, ProjectSettings
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside
from tests.people import actor_of

Start = Callable[..., Attempt]


def items_of(attempt: Attempt) -> list[tuple[str, str]]:
    """What was said and done, each with the word that tells most."""
    found = []
    for item in attempt.items.order_by("position"):
        tool = item.data.get("tool", {})
        found.append((item.type, item.data.get("text") or tool.get("name") or item.data["status"]))
    return found


def settings_of(project: Project, **values: object) -> None:
    ProjectSettings.objects.filter(project=project).update(**values)


def git(folder: Path | str, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_turn_leaves_a_transcript_changes_and_a_card_in_review(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, columns: dict[str, Column]
) -> None:
    card = make_card("@plan look; write\n@write notes/a.md :: hello\n@say All is done.")

    ended = run_attempt(ada_starts(card))

    assert (ended.status, ended.reason, ended.lease_owner) == ("succeeded", "", "")
    assert ended.summary == "All is done."
    assert items_of(ended) == [
        ("message", f"# Note\n\n{card.prompt}"),
        ("tool", "Write notes/a.md"),
        ("message", "All is done."),
    ]
    positions = list(ended.items.order_by("position").values_list("position", flat=True))
    assert positions == [0, 1, 2]
    assert [todo["status"] for todo in ended.todos] == ["completed", "completed"]
    assert (ended.files_changed, ended.insertions, ended.deletions) == (1, 1, 0)
    assert ended.sandbox_level == "bubblewrap"
    card.refresh_from_db()
    assert card.column_id == columns["review"].pk
    assert (card.agent_status, card.has_active_agent, card.insertions) == ("completed", False, 1)
    assert card.summary == "All is done."


def test_a_turn_works_in_a_place_named_by_ids_alone(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, tmp_path: Path
) -> None:
    ended = run_attempt(ada_starts(make_card("@write a.txt :: a")))

    folder = tmp_path / "data" / "worktrees" / ended.project.public_id / ended.public_id
    assert ended.worktree_path == str(folder)
    assert (folder / "a.txt").read_text() == "a\n"
    home = tmp_path / "data" / "agents" / ended.public_id / "home"
    assert home.stat().st_mode & 0o777 == 0o700


def test_two_cards_with_one_title_share_nothing(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    first = run_attempt(ada_starts(make_card("@write a.txt :: one")))
    second = run_attempt(ada_starts(make_card("@write a.txt :: two")))

    assert first.branch != second.branch
    assert Path(first.worktree_path, "a.txt").read_text() == "one\n"
    assert Path(second.worktree_path, "a.txt").read_text() == "two\n"


def test_every_event_of_the_board_has_its_version(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    ended = run_attempt(ada_starts(make_card("@say Hello.")))

    topic = f"board.{ended.board.public_id}"
    versions = list(Event.objects.filter(topic=topic).order_by("pk").values_list("version"))
    assert versions == [(number,) for number in range(1, len(versions) + 1)]
    statuses = [
        (event.data["cardId"], event.data["status"])
        for event in Event.objects.filter(kind="attempt.status_changed").order_by("pk")
    ]
    assert {card for card, _status in statuses} == {ended.card.public_id}
    assert [statuses[0][1], statuses[-1][1]] == ["running", "succeeded"]


def test_a_message_that_came_twice_runs_once(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    attempt = ada_starts(make_card("@say Once."))

    async def twice() -> None:
        await asyncio.gather(work.run(attempt.pk), work.run(attempt.pk))

    asyncio.run(twice())
    ended = run_attempt(attempt)

    assert (ended.status, ended.epoch) == ("succeeded", 1)
    assert [text for kind, text in items_of(ended)][1:] == ["Once."]


def test_a_follow_up_goes_on_in_the_same_session(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    ended = run_attempt(ada_starts(make_card("@write a.txt :: a")))
    session = ended.session_id

    operations.send_message(actor=actor_of(ended.project.owner), attempt=ended, text="/summary")
    again = run_attempt(ended)

    assert (again.status, again.session_id, again.number) == ("succeeded", session, 1)
    assert items_of(again)[-1] == ("message", "This session has seen 2 prompts.")
    turns = list(again.turns.order_by("number").values_list("number", "status"))
    assert turns == [(1, "done"), (2, "done")]


def test_messages_sent_meanwhile_are_the_next_turns_of_the_same_process(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@slow 4"))
    beside = run_beside(attempt)
    beside.until(lambda one: one.status == "running" and one.items.count() > 1)

    operations.send_message(
        actor=actor_of(attempt.project.owner), attempt=attempt, text="@say Two."
    )
    operations.send_message(
        actor=actor_of(attempt.project.owner), attempt=attempt, text="@say Three."
    )
    ended = beside.join()

    assert (ended.status, ended.epoch) == ("succeeded", 1)
    said = [text for kind, text in items_of(ended)]
    assert said[-4:] == ["@say Two.", "Two.", "@say Three.", "Three."]


def test_the_project_s_files_and_scripts_come_first(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, real_project: Project
) -> None:
    Path(real_project.path, ".env.example").write_text("KEY=1")
    settings_of(
        real_project,
        copy_files=".env.example -> .env",
        setup_script="cat .env; echo ready > setup.txt",
        cleanup_script="exit 3",
    )

    ended = run_attempt(ada_starts(make_card("@say Hello.")))

    stages = [
        (item.data["stage"], item.data["status"], item.data.get("stdout"))
        for item in ended.items.filter(type="automation").order_by("position")
    ]
    assert stages == [
        ("copy_files", "succeeded", ".env.example -> .env"),
        ("setup", "succeeded", "KEY=1"),
        ("cleanup", "failed", None),
    ]
    assert ended.status == "succeeded"
    assert Path(ended.worktree_path, "setup.txt").read_text() == "ready\n"


@pytest.mark.parametrize(
    "line",
    ["../secret -> a", "/etc/passwd -> a", "README.md -> ../a", ".git/config -> a", "a -> b"],
)
def test_a_file_from_elsewhere_is_not_copied(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    real_project: Project,
    line: str,
) -> None:
    settings_of(real_project, copy_files=line)

    ended = run_attempt(ada_starts(make_card()))

    assert (ended.status, ended.reason) == ("failed", "setup_failed")
    assert not ended.items.filter(turn_number=1, data__role="assistant").exists()


def test_a_failed_setup_ends_the_attempt_and_a_retry_repeats_it(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, real_project: Project
) -> None:
    settings_of(real_project, setup_script="echo no >&2; exit 7")
    ended = run_attempt(ada_starts(make_card("@say Hello.")))
    assert (ended.status, ended.reason) == ("failed", "setup_failed")
    assert ended.detail == "The setup script ended with exit code 7."

    settings_of(real_project, setup_script="true")
    operations.retry_attempt(actor=actor_of(ended.project.owner), attempt=ended)
    again = run_attempt(ended)

    assert (again.status, again.reason) == ("succeeded", "")
    assert items_of(again)[-1] == ("message", "Hello.")


def test_a_setup_that_may_fail_only_warns(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, real_project: Project
) -> None:
    settings_of(real_project, setup_script="exit 7", allow_setup_script_to_fail=True)

    ended = run_attempt(ada_starts(make_card()))

    assert ended.status == "succeeded"
    assert ended.items.get(type="automation").data["allowedFailure"] is True


def test_what_an_agent_made_is_committed_where_the_project_wants_it(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, real_project: Project
) -> None:
    settings_of(real_project, auto_commit_on_finish=True)

    ended = run_attempt(ada_starts(make_card("@write a.txt :: a\n@say Write a file.")))

    assert git(ended.worktree_path, "status", "--porcelain") == ""
    assert git(ended.worktree_path, "log", "-1", "--format=%s%n%an%n%(trailers)") == (
        f"Write a file.\nAda\nAttempt: {ended.public_id}"
    )
    assert Event.objects.filter(kind="git.committed").count() == 1


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("@crash", "agent_crashed"),
        ("@error 500", "model_error"),
        ("@error 401", "credential_invalid"),
    ],
)
def test_each_bad_end_has_its_reason(
    make_card: MakeCard,
    ada_starts: Start,
    run_attempt: RunAttempt,
    columns: dict[str, Column],
    prompt: str,
    reason: str,
) -> None:
    card = make_card(prompt)

    ended = run_attempt(ada_starts(card))

    assert (ended.status, ended.reason) == ("failed", reason)
    assert ended.items.filter(type="error").count() == 1
    assert Card.objects.get(pk=card.pk).column_id == columns["inProgress"].pk


def test_noise_between_an_agent_s_lines_is_no_failure(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    ended = run_attempt(ada_starts(make_card("@garbage\n@say Done.")))

    assert (ended.status, ended.summary) == ("succeeded", "Done.")


def test_a_usage_limit_is_a_pause(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    paused = run_attempt(ada_starts(make_card("@error 429")))

    assert (paused.status, paused.reason) == ("paused", "usage_limit")
    assert paused.resume_at is not None
    assert (paused.lease_owner, paused.dispatched_at) == ("", None)


def test_a_pause_that_is_over_goes_on_by_itself(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    paused = run_attempt(ada_starts(make_card("@flaky 1 429\n@say Done.")))
    assert paused.status == "paused"
    Attempt.objects.filter(pk=paused.pk).update(resume_at=timezone.now())

    tasks.dispatch_queue()
    ended = run_attempt(paused)

    assert (ended.status, ended.summary) == ("succeeded", "Done.")


def test_a_card_s_files_are_in_the_agent_s_home(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, settings: Settings
) -> None:
    settings.MEDIA_ROOT = str(settings.KANBANAI_DATA_DIR / "media")
    card = make_card("@say Seen.")
    stored = Path(settings.MEDIA_ROOT, "attachments", "x")
    stored.parent.mkdir(parents=True)
    stored.write_text("data")
    Attachment.objects.create(
        card=card, filename="log.txt", content_type="text/plain", size=4, path="attachments/x"
    )

    ended = run_attempt(ada_starts(card))

    copy = places.home_path(ended) / "attachments" / "1-log.txt"
    assert copy.read_text() == "data"
    assert str(copy) in items_of(ended)[0][1]


def test_an_agent_that_says_nothing_is_ended(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, settings: Settings
) -> None:
    settings.KANBANAI_AGENT_IDLE_SECONDS = 1

    ended = run_attempt(ada_starts(make_card("@hang")))

    assert (ended.status, ended.reason) == ("failed", "stalled")


def test_an_agent_leaves_no_process_behind(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    ended = run_attempt(ada_starts(make_card("@child\n@say Done.")))

    assert ended.status == "succeeded"
    assert ended.public_id not in processes.find_marked()


def test_an_agent_that_floods_is_held_within_bounds(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    ended = run_attempt(ada_starts(make_card("@flood 3000\n@stderr 2000\n@say Done.")))

    assert ended.status in {"succeeded", "failed"}
    assert ended.logs.count() < 1_000


def test_an_agent_that_is_not_there_is_said_so(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    attempt = ada_starts(make_card())
    Attempt.objects.filter(pk=attempt.pk).update(agent="copilot")

    ended = run_attempt(attempt)

    assert (ended.status, ended.reason) == ("failed", "agent_not_installed")


def test_a_worktree_that_cannot_be_made_leaves_nothing_and_can_be_retried(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt, tmp_path: Path
) -> None:
    attempt = ada_starts(make_card("@say Hello."), base_branch="nowhere")
    ended = run_attempt(attempt)
    assert (ended.status, ended.reason, ended.worktree_path) == ("failed", "worktree_failed", "")
    folder = tmp_path / "data" / "worktrees" / ended.project.public_id / ended.public_id
    assert not folder.exists()

    Attempt.objects.filter(pk=ended.pk).update(base_branch="main")
    operations.retry_attempt(actor=actor_of(ended.project.owner), attempt=ended)

    assert run_attempt(ended).status == "succeeded"


def test_a_shell_script_runs_as_it_is_written(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("echo one > out.txt\n\ncat out.txt"), agent="command")
    beside = run_beside(attempt)
    waiting = beside.until(lambda one: one.status == "waiting")

    operations.answer_approval(
        actor=actor_of(attempt.project.owner),
        approval=waiting.approvals.get(),
        decision="allow_once",
    )
    ended = beside.join()

    assert ended.status == "succeeded"
    assert Path(ended.worktree_path, "out.txt").read_text() == "one\n"
