"""REST: the git work of attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents import inputs, operations, outputs
from apps.agents.api.attempts import attempt_in
from apps.agents.worktrees.diff import Diff
from apps.agents.worktrees.files import FileContent
from apps.agents.worktrees.status import GitStatus
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response


class Status(Endpoint):
    """What an attempt changed, by file."""

    @document(summary="Read the git status of an attempt", response=GitStatus, problems=(409,))
    def get(self, request: Request, attempt_id: UUID) -> Response:
        return results.ok(operations.git_status(attempt=attempt_in(self, attempt_id)))


class OneDiff(Endpoint):
    """What an attempt changed, line by line."""

    @document(summary="Read an attempt's diff", query=inputs.ReadDiff, response=Diff)
    def get(self, request: Request, attempt_id: UUID) -> Response:
        path = self.read_query(inputs.ReadDiff).get("path")
        return results.ok(operations.git_diff(attempt=attempt_in(self, attempt_id), path=path))


class File(Endpoint):
    """One file of an attempt."""

    @document(
        summary="Read a file of an attempt",
        query=inputs.ReadFile,
        response=FileContent,
        problems=(409,),
    )
    def get(self, request: Request, attempt_id: UUID) -> Response:
        values = self.read_query(inputs.ReadFile)
        return results.ok(operations.git_file(attempt=attempt_in(self, attempt_id), **values))


class Commit(Endpoint):
    """Commits of an attempt's changes."""

    @document(
        summary="Commit all changes of an attempt",
        request=inputs.Commit,
        response=outputs.GitCommit,
        problems=(409,),
    )
    def post(self, request: Request, attempt_id: UUID) -> Response:
        values = self.read(inputs.Commit)
        made = operations.commit(actor=self.actor, attempt=attempt_in(self, attempt_id), **values)
        return results.ok(made)


class Merge(Endpoint):
    """Merges into the base branch."""

    @document(
        summary="Merge an attempt into its base branch",
        description="For real, and without switching anybody's checkout; the card is done then.",
        request=inputs.Merge,
        response=outputs.Merge,
        problems=(409,),
    )
    def post(self, request: Request, attempt_id: UUID) -> Response:
        values = self.read(inputs.Merge)
        attempt = attempt_in(self, attempt_id)
        made = operations.merge(actor=self.actor, attempt=attempt, **values)
        return results.ok(made)


class Restoration(Endpoint):
    """Saved work that comes back."""

    @document(summary="Restore an attempt's saved work", response=outputs.Attempt, problems=(409,))
    def post(self, request: Request, attempt_id: UUID) -> Response:
        row = operations.restore_worktree(actor=self.actor, attempt=attempt_in(self, attempt_id))
        return results.ok(outputs.attempt(row))
