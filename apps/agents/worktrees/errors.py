"""What can go wrong around a worktree, in sentences for people."""

from collections.abc import Sequence

from apps.core.git import GitError


class NoWorktree(GitError):
    """The directory is not the worktree it should be."""


class NoCommits(GitError):
    """The repository has no commit to begin from."""


class BranchMissing(GitError):
    """There is no such branch."""


class BranchExists(GitError):
    """The branch exists already and is left alone."""


class BackupMissing(GitError):
    """There is nothing saved under that name."""


class NothingToCommit(GitError):
    """The worktree has no changes."""


class FileRefused(GitError):
    """The path does not name a file of the worktree."""


class FileMissing(GitError):
    """There is no such file."""


class FilesError(GitError):
    """An error that is about certain files; `files` are their paths."""

    def __init__(self, message: str, *, files: Sequence[str] = (), detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.files = list(files)


class UnresolvedConflicts(FilesError):
    """Files of the worktree are in conflict."""


class UncommittedChanges(FilesError):
    """The worktree has changes that are not committed."""


class MergeConflict(FilesError):
    """Both sides changed the same lines."""


class CheckoutInTheWay(FilesError):
    """The base branch is checked out somewhere with changes that the merge would touch."""


class CannotFastForward(GitError):
    """The base branch has commits the branch does not have."""


class UnrelatedHistories(GitError):
    """The two branches have no common commit."""
