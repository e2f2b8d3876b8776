"""Git work that people ask for. Git runs outside transactions; what it did is recorded in one.

Worktrees are locked against their agents by the attempt's state: nothing is committed, merged or
restored while an agent's process may write there.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from apps.agents import checkouts, events, outputs, places, processes, rules
from apps.agents.models import Attempt
from apps.agents.operations import records, transitions
from apps.agents.worktrees import backups, commits, diff, errors, files, merges, status, trees
from apps.core import git, problems
from apps.core.moments import moment
from apps.projects.models import MergeStrategy, ProjectSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apps.accounts.models import User
    from apps.agents.worktrees.diff import Diff
    from apps.agents.worktrees.files import FileContent
    from apps.agents.worktrees.status import GitStatus
    from apps.agents.worktrees.trees import Tree
    from apps.core.actors import Actor


@contextlib.contextmanager
def as_problems() -> Iterator[None]:
    """This will turn what git could not do into problems."""
    try:
        yield
    except errors.MergeConflict as error:
        raise problems.Conflict(error.message, code="MERGE_CONFLICT", files=error.files) from error
    except errors.UncommittedChanges as error:
        raise problems.Conflict(error.message, code="WORKTREE_DIRTY", files=error.files) from error
    except (errors.CheckoutInTheWay, errors.UnresolvedConflicts) as error:
        raise problems.Conflict(error.message, files=error.files) from error
    except errors.NothingToCommit as error:
        raise problems.Conflict(error.message, code="NOTHING_TO_COMMIT") from error
    except errors.FileRefused as error:
        raise problems.ValidationFailed.of("path", error.message) from error
    except (errors.FileMissing, errors.BackupMissing) as error:
        raise problems.NotFound(error.message) from error
    except (
        errors.BranchMissing,
        errors.CannotFastForward,
        errors.NoWorktree,
        errors.UnrelatedHistories,
        errors.NoCommits,
    ) as error:
        raise problems.Conflict(error.message) from error
    except git.GitError as error:
        raise problems.Upstream(error.message) from error


def author_of(person: User | None) -> git.Identity | None:
    """This will be the author of commits a person asks for; None leaves it to git."""
    if person is None:
        return None
    return git.Identity(person.display_name or person.email, person.email)


def _tree(attempt: Attempt) -> Tree:
    tree = places.find_tree(attempt)
    if tree is None:
        raise problems.Conflict("No worktree for attempt")
    return tree


def _require_idle(attempt: Attempt) -> None:
    if attempt.lease_owner:
        raise problems.Conflict(
            "The agent is at work in this worktree; stop it or wait for its end.",
            code="AGENT_RUNNING",
        )


def git_status(*, attempt: Attempt) -> GitStatus:
    """This will compare an attempt's worktree with its base; a 409 when there is none."""
    with as_problems():
        return checkouts.compare(_tree(attempt), attempt)


def git_diff(*, attempt: Attempt | None, path: str | None = None) -> Diff:
    """This will be what an attempt changed, as a diff; an empty one without a worktree."""
    if attempt is None:
        return diff.empty()
    with as_problems():
        return checkouts.diff_of(attempt, path=path)


def git_file(*, attempt: Attempt, path: str, source: str) -> FileContent:
    """This will be a file of the worktree, its index, its last commit or its base."""
    with as_problems():
        return files.read(
            _tree(attempt),
            path=path,
            source=files.Source(source),
            base_branch=attempt.base_branch or None,
            base_sha=attempt.base_sha or None,
        )


def commit(*, actor: Actor, attempt: Attempt, subject: str, body: str = "") -> outputs.GitCommit:
    """This will commit everything in the worktree, without hooks, as the one who asks."""
    rules.require_worker(actor, attempt.project)
    _require_idle(attempt)
    with as_problems():
        made = commits.commit_all(
            _tree(attempt),
            subject=subject,
            body=body,
            author=author_of(actor.user),
            trailers={"Attempt": attempt.public_id},
        )
    return record_commit(actor=actor, attempt=attempt, commit=made)


@transaction.atomic
def record_commit(*, actor: Actor, attempt: Attempt, commit: commits.Commit) -> outputs.GitCommit:
    """This will tell of a commit that was made."""
    shown: outputs.GitCommit = {
        "sha": commit.sha,
        "shortSha": commit.short_sha,
        "subject": commit.subject,
        "skipped": list(commit.skipped),
    }
    fresh = transitions.read(attempt.pk)
    events.git_committed(fresh, shown, ts=moment(timezone.now()), actor=actor)
    events.git_status_changed(fresh, actor=actor)
    return shown


def merge(*, actor: Actor, attempt: Attempt, strategy: str = "") -> outputs.Merge:
    """This will merge an attempt's branch into its base branch for real; the card is done then.

    Without `strategy` it is the project's. Nobody's checkout is switched. 409 MERGE_CONFLICT with
    the files when both sides changed the same places, WORKTREE_DIRTY when something is not
    committed yet; then nothing has changed.
    """
    rules.require_worker(actor, attempt.project)
    _require_idle(attempt)
    if not attempt.branch:
        raise problems.Conflict("The attempt has no branch yet.")
    strategy = strategy or ProjectSettings.objects.values_list("merge_strategy", flat=True).get(
        project_id=attempt.project_id
    )
    with as_problems():
        result = merges.merge(
            repository=Path(attempt.project.path),
            branch=attempt.branch,
            base_branch=attempt.base_branch,
            strategy=merges.Strategy(strategy),
            message=_merge_message(attempt, strategy),
            author=author_of(actor.user),
            worktree=places.find_tree(attempt),
        )
    shown: outputs.Merge = {
        "ok": True,
        "base": result.base,
        "sha": result.sha,
        "strategy": str(result.strategy),
        "changed": result.changed,
    }
    record_merge(actor=actor, attempt=attempt, merge=shown)
    return shown


def _merge_message(attempt: Attempt, strategy: str) -> str:
    if strategy == MergeStrategy.SQUASH:
        return f"{attempt.card.title}\n\n{attempt.card.key}\nAttempt: {attempt.public_id}"
    return f"Merge branch '{attempt.branch}'\n\n{attempt.card.key} {attempt.card.title}"


@transaction.atomic
def record_merge(*, actor: Actor, attempt: Attempt, merge: outputs.Merge) -> Attempt:
    """This will note that the base branch has the attempt's work, and put its card with the done.

    An attempt that waits for a person needs none any more.
    """
    held = transitions.hold(attempt, board=True)
    Attempt.objects.filter(pk=held.pk).update(merged_sha=merge["sha"], updated_at=timezone.now())
    merged = transitions.read(held.pk)
    records.record_log(actor=actor, attempt=merged, message=f"[git] merged into {merge['base']}")
    transitions.move_to_done(merged, actor=actor)
    events.git_merged(transitions.read(held.pk), merge, ts=moment(timezone.now()), actor=actor)
    return merged


def remove_worktree(*, actor: Actor, attempt: Attempt) -> str | None:
    """This will save what only the worktree holds, then remove it; the backup's commit, if any."""
    path = _place(attempt)
    if path is None:
        return None
    _require_idle(attempt)
    processes.kill_marked(attempt.public_id)
    processes.kill_under(path)
    if not attempt.worktree_path:
        with as_problems():
            clear_unfinished(attempt=attempt)
        return None
    ref = places.backup_ref(attempt)
    with as_problems():
        removed = backups.remove(
            repository=Path(attempt.project.path),
            path=path,
            backup_ref=ref,
            base_branch=attempt.base_branch or None,
        )
    record_removal(actor=actor, attempt=attempt, backup_ref=ref if removed.backup_sha else "")
    return removed.backup_sha


def clear_unfinished(*, attempt: Attempt) -> None:
    """This will remove a worktree that a runner made and was killed before it noted it.

    Raises GitError. What was noted stays.
    """
    path = _place(attempt)
    if path is not None and not attempt.worktree_path:
        backups.remove_unfinished(
            repository=Path(attempt.project.path),
            path=path,
            base_branch=attempt.base_branch or None,
        )


@transaction.atomic
def record_removal(*, actor: Actor, attempt: Attempt, backup_ref: str) -> None:
    """This will note that an attempt has no worktree any more, and where its work is saved."""
    held = transitions.hold(attempt)
    values = {"backup_ref": backup_ref} if backup_ref else {}
    Attempt.objects.filter(pk=held.pk).update(
        worktree_path="", prepared_at=None, updated_at=timezone.now(), **values
    )
    events.attempt_status_changed(transitions.read(held.pk), actor=actor)


def restore_worktree(*, actor: Actor, attempt: Attempt) -> Attempt:
    """This will bring an attempt's saved work back into a worktree of its own."""
    rules.require_worker(actor, attempt.project)
    _require_idle(attempt)
    if not attempt.backup_ref:
        raise problems.NotFound("There is no saved work for this attempt.")
    if places.find_tree(attempt) is not None:
        raise problems.Conflict("The attempt has its worktree.")
    with as_problems():
        made = backups.restore(
            repository=Path(attempt.project.path),
            backup_ref=attempt.backup_ref,
            path=places.worktree_path(attempt),
            branch=attempt.branch,
        )
    return records.record_worktree(
        actor=actor,
        attempt_id=attempt.pk,
        epoch=attempt.epoch,
        path=str(made.path),
        branch=made.branch,
        base_sha=attempt.base_sha,
        base_branch=attempt.base_branch,
    )


def is_orphaned(attempt: Attempt) -> bool:
    """True for a worktree whose repository is gone: nothing in it can be saved any more."""
    return _place(attempt) is not None and not Path(attempt.project.path).is_dir()


def _place(attempt: Attempt) -> Path | None:
    """Where its worktree is: noted, or made by a runner that was killed before it noted it.

    What another attempt has taken over lies in the folder of the one that made it.
    """
    path = places.worktree_path(attempt)
    if attempt.worktree_path:
        return path
    taken = Attempt.objects.filter(worktree_path__endswith=f"/{attempt.public_id}")
    return path if trees.is_begun(path) and not taken.exists() else None


def has_unsaved_work(attempt: Attempt) -> bool:
    """True when the worktree has changes nobody committed, or commits its base has not.

    Of a worktree without its repository nobody can tell: it may have some.
    """
    if is_orphaned(attempt):
        return Path(attempt.worktree_path).is_dir()
    with as_problems():
        tree = places.find_tree(attempt)
        if tree is None:
            return False
        found = status.read(
            tree,
            base_branch=attempt.base_branch or None,
            base_sha=attempt.base_sha or None,
        )
        return bool(found["hasUncommitted"] or (found["ahead"] and not attempt.merged_sha))
