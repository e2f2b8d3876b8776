"""Where an attempt works: its worktree, its home, and the files the project wants there."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.agents.worktrees import backups, bases, facts, names, trees
from apps.boards import files
from apps.boards import queries as board_queries
from apps.core import ids

if TYPE_CHECKING:
    from apps.agents.conversation_tables import Conversation
    from apps.agents.models import Attempt
    from apps.agents.worktrees.trees import Tree
    from apps.boards.models import Attachment
    from apps.projects.models import ProjectSettings


class CopyRefused(Exception):
    """A line of the project's file list that cannot be done; the text says which and why."""


def worktree_path(attempt: Attempt) -> Path:
    """This will be where the attempt's worktree is, or will be: never derived from a title."""
    if attempt.worktree_path:
        return Path(attempt.worktree_path)
    project = ids.encode("proj", attempt.project_id)
    return Path(settings.KANBANAI_DATA_DIR) / "worktrees" / project / attempt.public_id


def home_path(attempt: Attempt) -> Path:
    """This will be the folder an attempt's agent has for its own, kept for resuming."""
    return Path(settings.KANBANAI_DATA_DIR) / "agents" / attempt.public_id / "home"


def conversation_folder(conversation: Conversation) -> Path:
    """This will be the folder of a conversation's agent; its home is in it."""
    return Path(settings.KANBANAI_DATA_DIR) / "agents" / conversation.public_id


def attachment_paths(attempt: Attempt) -> list[tuple[Attachment, Path]]:
    """This will name where the agent finds the card's files: copies in its own home."""
    folder = home_path(attempt) / "attachments"
    return [
        (attachment, folder / f"{number}-{Path(attachment.filename).name}")
        for number, attachment in enumerate(board_queries.attachments_of(attempt.card), start=1)
    ]


def copy_attachments(paths: list[tuple[Attachment, Path]]) -> None:
    """This will copy a card's files to where its agent finds them; a lost one is passed over.

    The folder is made anew: an agent of an earlier turn may have put links there, out of its home.
    """
    for folder in {path.parent for _attachment, path in paths}:
        if folder.is_symlink():
            folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
    for attachment, path in paths:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            shutil.copyfile(files.place_of(attachment.path), path)


def backup_ref(attempt: Attempt) -> str:
    """This will name the reference under which the attempt's work is saved."""
    return f"{backups.PREFIX}{attempt.public_id}"


def find_tree(attempt: Attempt) -> Tree | None:
    """This will be the attempt's worktree if it is really there, else None.

    Raises GitError when something else is there.
    """
    if not attempt.worktree_path:
        return None
    repository, path = Path(attempt.project.path), Path(attempt.worktree_path)
    if not path.is_dir():
        # The repository, which may be gone as well, need not be asked.
        return None
    if not trees.is_worktree(repository=repository, path=path):
        return None
    return trees.attach(repository=repository, path=path)


def make_tree(attempt: Attempt, project: ProjectSettings) -> trees.Worktree:
    """This will make the attempt's worktree: from its saved work, its branch, or its base.

    Raises GitError; then nothing was left behind.
    """
    repository, path = Path(attempt.project.path), worktree_path(attempt)
    if attempt.started_at and attempt.base_sha:
        back = _bring_back(attempt, repository, path)
        if back is not None:
            return back
    branch = attempt.branch or names.branch_name(
        project.branch_template,
        prefix=project.ticket_prefix,
        ticket_key=attempt.card.key,
        title=attempt.card.title,
        ticket_type=attempt.card.ticket_type or None,
    )
    return trees.create(
        repository=repository,
        path=path,
        branch=branch,
        base_branch=attempt.base_branch or None,
        unique=True,
    )


def _bring_back(attempt: Attempt, repository: Path, path: Path) -> trees.Worktree | None:
    ref = backup_ref(attempt)
    if backups.exists(repository=repository, backup_ref=ref):
        return backups.restore(
            repository=repository, backup_ref=ref, path=path, branch=attempt.branch
        )
    sha = bases.commit(repository, f"refs/heads/{attempt.branch}")
    if sha is None or facts.checkouts(repository, attempt.branch):
        return None
    tree = trees.check_out(repository=repository, path=path, branch=attempt.branch, sha=sha)
    return trees.Worktree(tree, attempt.branch, attempt.base_sha)


def base_name(attempt: Attempt) -> str:
    """This will be the base branch an attempt without one begins from: the checked-out one."""
    if attempt.base_branch:
        return attempt.base_branch
    return bases.resolve(Path(attempt.project.path), None).local or ""


def copy_files(lines: str, *, project: Path, worktree: Path) -> list[str]:
    """This will copy the files a project lists, one `src -> dest` (or `src`) a line.

    Sources lie in the project's folder, destinations in the worktree; neither may lead out of
    its place, through links either. Gives what was done, line by line. Raises CopyRefused.
    """
    done = []
    for number, line in enumerate(lines.splitlines(), start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        source, arrow, target = (part.strip() for part in words.partition("->"))
        if arrow and not target:
            raise CopyRefused(f"Line {number}: there is nothing after the arrow.")
        try:
            done.append(_copy(source, target or source, project=project, worktree=worktree))
        except OSError as error:
            raise CopyRefused(f"Line {number}: {source}: {error.strerror or error}") from error
        except CopyRefused as error:
            raise CopyRefused(f"Line {number}: {error}") from error
    return done


def _copy(source: str, target: str, *, project: Path, worktree: Path) -> str:
    origin = _inside(project, source, "the project")
    goal = _inside(worktree, target, "the worktree")
    if not origin.exists():
        raise CopyRefused(f"{source} is not there.")
    if target.endswith("/") or (goal.is_dir() and origin.is_file()):
        goal = _inside(worktree, f"{target.rstrip('/')}/{origin.name}", "the worktree")
    goal.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.copytree(origin, goal, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(origin, goal)
    return f"{source} -> {goal.relative_to(worktree.resolve())}"


def _inside(root: Path, name: str, what: str) -> Path:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise CopyRefused(f"{name} lies outside {what}.")
    if any(part.lower() == ".git" for part in path.parts):
        raise CopyRefused(f"{name} belongs to git.")
    found = (root / path).resolve()
    if not found.is_relative_to(root.resolve()) or found == root.resolve():
        raise CopyRefused(f"{name} lies outside {what}.")
    return found
