"""Commits, merges and deletions, with real repositories and nothing lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.accounts.models import User
from apps.agents import operations, places, processes
from apps.agents.models import Attempt
from apps.boards import operations as board_operations
from apps.boards.models import Board, Card, Column
from apps.core import problems
from apps.core.actors import Actor
from apps.core.models import Event
from apps.projects.models import Project, ProjectSettings
from tests import factories
from tests.agents.conftest import MakeCard, RunAttempt, RunBeside
from tests.people import ClientOf, actor_of

Start = Callable[..., Attempt]
Finish = Callable[..., Attempt]


def git(folder: Path | str, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def finished(make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt) -> Finish:
    """An attempt that wrote a file and ended; committed unless told otherwise."""

    def finish(prompt: str = "@write a.txt :: a", *, commit: bool = True) -> Attempt:
        ended = run_attempt(ada_starts(make_card(prompt)))
        assert ended.status == "succeeded"
        if commit:
            operations.commit(
                actor=actor_of(ended.project.owner), attempt=ended, subject="feat: write"
            )
        return ended

    return finish


def test_a_commit_takes_everything_under_the_name_of_who_asks(finished: Finish, bob: User) -> None:
    ended = finished(commit=False)

    made = operations.commit(
        actor=actor_of(bob), attempt=ended, subject="feat: a file", body="More."
    )

    assert git(ended.worktree_path, "log", "-1", "--format=%an %s") == "Bob feat: a file"
    assert git(ended.worktree_path, "rev-parse", "HEAD") == made["sha"]
    told = Event.objects.get(kind="git.committed").data
    assert (told["shortSha"], told["subject"]) == (made["shortSha"], "feat: a file")
    with pytest.raises(problems.Conflict) as refused:
        operations.commit(actor=actor_of(bob), attempt=ended, subject="again")
    assert refused.value.code == "NOTHING_TO_COMMIT"


@pytest.mark.parametrize("strategy", ["merge", "squash", "ff"])
def test_a_merge_is_real_and_the_card_is_done(
    finished: Finish, ada: User, columns: dict[str, Column], strategy: str
) -> None:
    ended = finished()
    ProjectSettings.objects.filter(project=ended.project).update(merge_strategy=strategy)

    made = operations.merge(actor=actor_of(ada), attempt=ended)

    repository = ended.project.path
    assert git(repository, "show", "main:a.txt") == "a"
    assert git(repository, "rev-parse", "main") == made["sha"]
    assert git(repository, "status", "--porcelain") == ""
    card = Card.objects.get(pk=ended.card_id)
    assert card.column_id == columns["done"].pk
    assert card.completed_at is not None
    ended.refresh_from_db()
    assert (ended.merged_sha, ended.status) == (made["sha"], "succeeded")
    assert Event.objects.get(kind="git.merged").data["base"] == "main"


def test_a_conflict_names_the_files_and_changes_nothing(finished: Finish, ada: User) -> None:
    ended = finished("@write README.md :: mine")
    repository = ended.project.path
    Path(repository, "README.md").write_text("theirs\n")
    git(repository, "commit", "--quiet", "-am", "Theirs")
    before = git(repository, "rev-parse", "main")

    with pytest.raises(problems.Conflict) as refused:
        operations.merge(actor=actor_of(ada), attempt=ended)

    assert refused.value.code == "MERGE_CONFLICT"
    assert refused.value.extra["files"] == ["README.md"]
    assert git(repository, "rev-parse", "main") == before
    assert git(repository, "status", "--porcelain") == ""
    assert not Event.objects.filter(kind="git.merged").exists()


def test_a_merge_takes_the_strategy_it_is_given(
    finished: Finish, ada: User, client_of: ClientOf
) -> None:
    ended = finished()
    path = f"/api/v1/attempts/{ended.public_id}/git/merge"

    refused = client_of(ada).post(path, {"strategy": "octopus"}, format="json")
    made = client_of(ada).post(path, {"strategy": "squash"}, format="json")

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "strategy")
    assert made.json()["data"]["strategy"] == "squash"


def test_work_after_a_merge_is_merged_again(
    finished: Finish, ada: User, run_attempt: RunAttempt, columns: dict[str, Column]
) -> None:
    ended = finished()
    operations.merge(actor=actor_of(ada), attempt=ended)
    card = Card.objects.select_related("project", "board", "column").get(pk=ended.card_id)
    board_operations.move_card(
        actor=Actor.system("test"), card=card, column_id=columns["review"].pk
    )
    ended.refresh_from_db()

    operations.send_message(actor=actor_of(ada), attempt=ended, text="@write b.txt :: b")
    again = run_attempt(ended)
    assert (again.status, again.merged_sha) == ("succeeded", "")
    operations.commit(actor=actor_of(ada), attempt=again, subject="feat: more")
    operations.merge(actor=actor_of(ada), attempt=again)

    assert git(ended.project.path, "show", "main:b.txt") == "b"


def test_what_is_not_committed_is_not_merged(finished: Finish, ada: User) -> None:
    ended = finished(commit=False)

    with pytest.raises(problems.Conflict) as refused:
        operations.merge(actor=actor_of(ada), attempt=ended)

    assert (refused.value.code, refused.value.extra["files"]) == ("WORKTREE_DIRTY", ["a.txt"])


def test_changes_in_a_person_s_checkout_are_not_overwritten(finished: Finish, ada: User) -> None:
    ended = finished("@write README.md :: agent")
    readme = Path(ended.project.path, "README.md")
    readme.write_text("a person's own\n")

    with pytest.raises(problems.Conflict):
        operations.merge(actor=actor_of(ada), attempt=ended)

    assert readme.read_text() == "a person's own\n"


def test_nothing_is_merged_while_the_agent_writes(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside
) -> None:
    attempt = ada_starts(make_card("@slow 60"))
    beside = run_beside(attempt)
    running = beside.until(lambda one: one.items.count() > 1)

    for work in (
        lambda: operations.merge(actor=actor_of(attempt.project.owner), attempt=running),
        lambda: operations.commit(
            actor=actor_of(attempt.project.owner), attempt=running, subject="x"
        ),
    ):
        with pytest.raises(problems.Conflict) as refused:
            work()
        assert refused.value.code == "AGENT_RUNNING"
    operations.stop_attempt(actor=actor_of(attempt.project.owner), attempt=attempt)
    beside.join()


def test_a_card_with_unsaved_work_is_kept_unless_forced(finished: Finish, ada: User) -> None:
    ended = finished(commit=False)
    card, path = ended.card, Path(ended.worktree_path)

    with pytest.raises(problems.Conflict) as refused:
        operations.delete_card(actor=actor_of(ada), card=card)
    assert refused.value.code == "WORKTREE_DIRTY"
    assert (path / "a.txt").exists()

    operations.delete_card(actor=actor_of(ada), card=card, force=True)

    assert not path.exists()
    assert not Card.objects.filter(pk=card.pk).exists()
    ref = f"refs/kanbanai/backup/{ended.public_id}"
    assert git(ended.project.path, "show", f"{ref}:a.txt") == "a"


def test_a_merged_card_goes_without_a_question(finished: Finish, ada: User) -> None:
    ended = finished()
    operations.merge(actor=actor_of(ada), attempt=ended)
    path = Path(ended.worktree_path)

    operations.delete_card(actor=actor_of(ada), card=ended.card)

    assert not path.exists()
    assert ended.branch not in git(ended.project.path, "branch", "--list")


def test_deleting_a_card_ends_its_agent(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, ada: User
) -> None:
    attempt = ada_starts(make_card("@slow 60"))
    beside = run_beside(attempt)
    beside.until(lambda one: one.items.count() > 1)
    name = attempt.public_id

    operations.delete_card(actor=actor_of(ada), card=attempt.card)

    assert not Attempt.objects.filter(pk=attempt.pk).exists()
    assert name not in processes.find_marked()
    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds[-1] == "card.deleted"


def test_a_stranger_deletes_nothing(finished: Finish, eve: User) -> None:
    ended = finished()

    with pytest.raises(problems.Forbidden):
        operations.delete_card(actor=actor_of(eve), card=ended.card, force=True)

    assert Path(ended.worktree_path).exists()
    assert Card.objects.filter(pk=ended.card_id).exists()


def test_cleaning_a_column_leaves_unsaved_worktrees_on_disk(
    finished: Finish, ada: User, columns: dict[str, Column]
) -> None:
    unsaved = finished(commit=False)
    merged = finished("@write b.txt :: b")
    operations.merge(actor=actor_of(ada), attempt=merged)
    Card.objects.filter(pk=merged.card_id).update(column=columns["review"], rank="z")

    operations.clean_column(actor=actor_of(ada), column=columns["review"])

    assert not Card.objects.filter(column=columns["review"]).exists()
    assert Path(unsaved.worktree_path, "a.txt").exists()
    assert not Path(merged.worktree_path).exists()


def test_a_project_goes_with_its_agents_and_leaves_its_folder(
    make_card: MakeCard, ada_starts: Start, run_beside: RunBeside, ada: User
) -> None:
    attempt = ada_starts(make_card("@slow 60"))
    run_beside(attempt).until(lambda one: one.items.count() > 1)
    project, folder = attempt.project, attempt.project.path

    operations.delete_project(actor=actor_of(ada), project=project)

    assert not Project.objects.filter(pk=project.pk).exists()
    assert Path(folder, "README.md").exists()


def test_a_board_goes_unless_it_is_the_last(finished: Finish, ada: User, board: Board) -> None:
    ended = finished()
    with pytest.raises(problems.Conflict):
        operations.delete_board(actor=actor_of(ada), board=board)
    assert Card.objects.filter(pk=ended.card_id).exists()

    factories.BoardWithColumns.create(project=board.project)
    operations.delete_board(actor=actor_of(ada), board=board)

    assert not Board.objects.filter(pk=board.pk).exists()


def test_saved_work_comes_back(finished: Finish, ada: User) -> None:
    ended = finished(commit=False)
    operations.remove_worktree(actor=actor_of(ada), attempt=ended)
    ended.refresh_from_db()
    assert (ended.worktree_path, ended.backup_ref) == (
        "",
        f"refs/kanbanai/backup/{ended.public_id}",
    )

    back = operations.restore_worktree(actor=actor_of(ada), attempt=ended)

    assert Path(back.worktree_path, "a.txt").read_text() == "a\n"
    assert operations.git_status(attempt=back)["hasUncommitted"] is True


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", ".git", "link/passwd"])
def test_no_path_leads_out_of_the_worktree(finished: Finish, path: str) -> None:
    ended = finished()
    Path(ended.worktree_path, "link").symlink_to("/etc")

    with pytest.raises(problems.Problem) as refused:
        operations.git_file(attempt=ended, path=path, source="worktree")

    assert refused.value.status in {400, 404}


def test_a_worktree_that_a_killed_runner_did_not_note_goes_with_its_card(
    ada: User, make_card: MakeCard, ada_starts: Start
) -> None:
    attempt = ada_starts(make_card("@say Done."))
    made = places.make_tree(attempt, attempt.project.settings)
    path, where = made.tree.path, attempt.project.path
    assert git(where, "branch", "--list", made.branch)
    (path.parent / f".{path.name}.claim").touch()
    (path / "a.txt").write_text("Half of it.")

    operations.delete_card(actor=actor_of(ada), card=attempt.card)

    assert list(path.parent.iterdir()) == []
    assert not git(where, "branch", "--list", made.branch)
    assert len(git(where, "worktree", "list").splitlines()) == 1


def test_a_worktree_that_a_killed_runner_did_not_note_is_made_anew(
    make_card: MakeCard, ada_starts: Start, run_attempt: RunAttempt
) -> None:
    attempt = ada_starts(make_card("@write a.txt :: a"))
    made = places.make_tree(attempt, attempt.project.settings)
    (made.tree.path / "half.txt").touch()

    ended = run_attempt(attempt)

    assert (ended.status, ended.worktree_path) == ("succeeded", str(made.tree.path))
    assert ended.branch == made.branch
    assert not (made.tree.path / "half.txt").exists()


def test_a_claim_of_a_runner_that_was_killed_at_once_goes_with_the_card(
    ada: User, make_card: MakeCard, ada_starts: Start
) -> None:
    attempt = ada_starts(make_card("@say Done."))
    path = places.worktree_path(attempt)
    path.parent.mkdir(parents=True)
    (path.parent / f".{path.name}.claim").touch()

    operations.delete_card(actor=actor_of(ada), card=attempt.card)

    assert list(path.parent.iterdir()) == []


def test_a_worktree_that_another_attempt_took_over_is_not_its_makers_any_more(
    ada: User, finished: Finish, ada_starts: Start
) -> None:
    maker = finished()
    worktree = maker.worktree_path
    Attempt.objects.filter(pk=ada_starts(maker.card).pk).update(worktree_path=worktree)
    Attempt.objects.filter(pk=maker.pk).update(worktree_path="")
    maker.refresh_from_db()

    assert operations.remove_worktree(actor=actor_of(ada), attempt=maker) is None

    assert Path(worktree).is_dir()
