"""Cards, boards and projects go: agents are stopped first, and no work is thrown away unseen."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import structlog
from django.utils import timezone

from apps.agents import places
from apps.agents.conversation_tables import Conversation
from apps.agents.models import Attempt
from apps.agents.operations import conversations, git, reaping, stops, transitions
from apps.agents.states import FINAL
from apps.agents.worktrees import backups
from apps.boards import operations as board_operations
from apps.boards import rules as board_rules
from apps.boards.models import Card
from apps.core import git as core_git
from apps.core import problems
from apps.core.actors import Actor

if TYPE_CHECKING:
    from pathlib import Path

    from django.db.models import QuerySet

    from apps.boards.models import Board, Column
    from apps.projects.models import Project

log = structlog.get_logger(__name__)

STOP_SECONDS = 20.0
# How long a request waits for a process that was cancelled.
CANCEL_SECONDS = 5.0
ARCHIVIST = Actor.system("archive")
_POLL_SECONDS = 0.05


def stop_and_wait(*, actor: Actor, attempt: Attempt, seconds: float = STOP_SECONDS) -> Attempt:
    """This will stop an attempt and return when its process is gone.

    409 AGENT_RUNNING when it does not go in time; the stop goes on.
    """
    stopped = stops.stop_attempt(actor=actor, attempt=attempt)
    deadline = time.monotonic() + seconds
    while stopped.status not in FINAL or stopped.lease_owner:
        expires = stopped.lease_expires_at
        if expires is not None and expires < timezone.now():
            reaping.reap_attempt(actor=actor, attempt=stopped)
        elif time.monotonic() >= deadline:
            raise problems.Conflict(
                "The agent is being stopped; try again in a moment.", code="AGENT_RUNNING"
            )
        else:
            time.sleep(_POLL_SECONDS)
        stopped = transitions.read(attempt.pk)
    return stopped


def cancel_agent(*, actor: Actor, attempt: Attempt) -> Attempt:
    """This will stop an attempt and wait some seconds for its process; the stop goes on then."""
    try:
        return stop_and_wait(actor=actor, attempt=attempt, seconds=CANCEL_SECONDS)
    except problems.Conflict as problem:
        if problem.code != "AGENT_RUNNING":
            raise
        return transitions.read(attempt.pk)


def tidy_archived(*, card: Card) -> None:
    """This will remove the worktrees of an archived card that hold nothing of their own."""
    for attempt in _attempts(Attempt.objects.filter(card=card)):
        if attempt.is_active or attempt.lease_owner:
            continue
        try:
            if not git.has_unsaved_work(attempt):
                git.remove_worktree(actor=ARCHIVIST, attempt=attempt)
        except problems.Problem as problem:
            log.warning("worktree_left", attempt=attempt.public_id, why=problem.detail)


def delete_card(*, actor: Actor, card: Card, force: bool = False) -> None:
    """This will delete a card, its agent and its worktree.

    Without `force` a worktree with unmerged or uncommitted work is 409 WORKTREE_DIRTY, and nothing
    happens. With it the work is saved under its backup reference before the worktree goes.
    """
    board_rules.require_editor(actor, card.project)
    attempts = _attempts(Attempt.objects.filter(card=card))
    if not force:
        _require_saved(attempts)
    stopped = [
        stop_and_wait(actor=actor, attempt=one) if one.is_active else one for one in attempts
    ]
    if not force:
        # Between the look and the stop the agent may have written more.
        _require_saved(stopped)
    for attempt in stopped:
        _remove(actor, attempt)
    conversations.dismiss(actor=actor, rows=Conversation.objects.filter(card=card))
    board_operations.delete_card(actor=actor, card=card)
    _forget_homes(stopped)


def _require_saved(attempts: list[Attempt]) -> None:
    for attempt in attempts:
        if git.has_unsaved_work(attempt):
            raise problems.Conflict(
                f"The branch “{attempt.branch}” holds work that is not merged.",
                code="WORKTREE_DIRTY",
            )


def clean_column(*, actor: Actor, column: Column) -> None:
    """This will delete every card of a column; worktrees with unsaved work stay on disk."""
    board_rules.require_editor(actor, column.board.project)
    cards = list(
        Card.objects.filter(column=column)
        .select_related("project", "board", "column")
        .order_by("rank")
    )
    attempts = _attempts(Attempt.objects.filter(card__in=cards))
    _leave(actor, attempts)
    conversations.dismiss(actor=actor, rows=Conversation.objects.filter(card__in=cards))
    for card in cards:
        board_operations.delete_card(actor=actor, card=card)


def delete_board(*, actor: Actor, board: Board) -> None:
    """This will delete a board with its cards; worktrees with unsaved work stay on disk."""
    board_rules.require_admin(actor, board.project)
    if board.project.boards.count() == 1:
        raise problems.Conflict("A project keeps at least one board.")
    _leave(actor, _attempts(Attempt.objects.filter(board=board)))
    conversations.dismiss(actor=actor, rows=Conversation.objects.filter(card__board=board))
    board_operations.delete_board(actor=actor, board=board)


def delete_project(*, actor: Actor, project: Project) -> None:
    """This will delete a project; its folder is not touched, and unsaved worktrees stay on disk."""
    board_rules.require_admin(actor, project)
    _leave(actor, _attempts(Attempt.objects.filter(project=project)))
    conversations.dismiss(actor=actor, rows=Conversation.objects.filter(project=project))
    board_operations.close_project(actor=actor, project=project)


def _attempts(rows: QuerySet[Attempt]) -> list[Attempt]:
    return list(rows.select_related("project", "board", "card__column", "started_by"))


def _leave(actor: Actor, attempts: list[Attempt]) -> None:
    """Stop everything, then remove the worktrees that hold nothing of their own."""
    for attempt in attempts:
        if attempt.is_active:
            stops.stop_attempt(actor=actor, attempt=attempt)
    for attempt in attempts:
        stopped = stop_and_wait(actor=actor, attempt=attempt) if attempt.is_active else attempt
        if git.has_unsaved_work(stopped):
            _save(stopped)
            log.warning("worktree_left", attempt=stopped.public_id, path=stopped.worktree_path)
        else:
            _remove(actor, stopped)
            _forget_homes([stopped])


def _remove(actor: Actor, attempt: Attempt) -> None:
    """Removes a worktree; one whose repository is gone stays, for nothing of it can be saved."""
    if git.is_orphaned(attempt):
        log.warning("worktree_left", attempt=attempt.public_id, path=attempt.worktree_path)
    else:
        git.remove_worktree(actor=actor, attempt=attempt)


def _save(attempt: Attempt) -> None:
    try:
        tree = places.find_tree(attempt)
        if tree is None:
            return
        backups.save(
            tree,
            backup_ref=places.backup_ref(attempt),
            base_branch=attempt.base_branch or None,
        )
    except core_git.GitError as error:
        log.warning("worktree_not_saved", attempt=attempt.public_id, error=error.message)


def _forget_homes(attempts: list[Attempt]) -> None:
    for attempt in attempts:
        folder: Path = places.home_path(attempt).parent
        shutil.rmtree(folder, ignore_errors=True)
