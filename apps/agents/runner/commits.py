"""The commit nobody asked for by hand: made when an agent succeeded and the project wants it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from apps.agents.operations import git as git_operations
from apps.agents.worktrees import commits
from apps.agents.worktrees.errors import NothingToCommit
from apps.core import git
from apps.core.actors import Actor

if TYPE_CHECKING:
    from apps.agents.operations.turns import Outcome
    from apps.agents.runner.work import Work

ACTOR = Actor.system("runner")


async def commit_automatically(work: Work, outcome: Outcome) -> None:
    """This will commit all changes under words of the agent's own; a failure is only logged."""
    attempt, tree = work.attempt, work.tree
    if tree is None:
        return
    subject, body = commits.automatic_message(
        last_message=outcome.summary, title=attempt.card.title
    )
    make = partial(
        commits.commit_all,
        tree,
        subject=subject,
        body=body,
        author=git_operations.author_of(attempt.started_by),
        trailers={"Attempt": attempt.public_id},
    )
    try:
        made = await asyncio.to_thread(make)
    except NothingToCommit:
        return
    except git.GitError as error:
        work.writer.log(f"[autocommit] failed: {error.message}", level="error")
        return
    work.writer.log(f"[autocommit] committed {made.short_sha} {made.subject}")
    await work.writer.flush()
    await work.store.run(git_operations.record_commit, actor=ACTOR, attempt=attempt, commit=made)
