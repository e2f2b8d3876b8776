"""Backups: nothing an agent wrote is lost when its worktree goes."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from apps.agents.worktrees import bases, facts, indexes, names, trees
from apps.agents.worktrees.errors import BackupMissing, BranchMissing, NoCommits, NoWorktree
from apps.agents.worktrees.trees import Tree, Worktree
from apps.core import git

PREFIX = "refs/kanbanai/backup/"
_MARK = "KanbanAI-Backup: uncommitted"


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal did.

    `backup_sha` is the commit that was saved, None when there was nothing to save; `branch` the
    one that was checked out.
    """

    backup_sha: str | None
    branch: str | None
    branch_deleted: bool


def save(tree: Tree, *, backup_ref: str, base_branch: str | None) -> str | None:
    """Save what only the worktree holds under a reference; give the commit, None for nothing.

    Uncommitted and untracked (not ignored) files become a commit on top of HEAD; without any,
    HEAD itself is saved when the base branch does not have it. The worktree, its index and its
    branches are not touched. An earlier backup under the reference is replaced.
    """
    ref = _checked(backup_ref)
    head = bases.commit(tree.place, "HEAD")
    with indexes.temporary(tree) as place:
        new = indexes.stage_all(place)
        for name in _inner_repositories(place, new):
            _embed(place, name)
        content = git.text("write-tree", at=place)
    if head is None or git.text("rev-parse", f"{head}^{{tree}}", at=tree.place) != content:
        sha = _commit(tree, content, head)
    elif _has(tree.repository, base_branch, head):
        return None
    else:
        sha = head
    git.run("update-ref", ref, sha, at=tree.place, patient=True)
    return sha


def remove(
    *,
    repository: Path,
    path: Path,
    backup_ref: str,
    base_branch: str | None,
    delete_branch: bool = True,
) -> Removal:
    """Save what is unsaved, then remove the worktree.

    Its branch goes too when `delete_branch` and the base branch has all its commits, by ancestry
    or as a squash whose commits the backup keeps. If saving fails, nothing is removed. An
    empty or missing directory is no error; one that is no worktree raises `NoWorktree`.
    """
    tree = trees.find(repository=repository, path=path)
    if tree is None:
        saved = _clear(repository, path, backup_ref=backup_ref, base_branch=base_branch)
        return Removal(saved, None, branch_deleted=False)
    branch = tree.branch
    saved = save(tree, backup_ref=backup_ref, base_branch=base_branch)
    trees.discard(tree)
    gone = (
        delete_branch
        and branch is not None
        and _delete_branch(repository, branch, base_branch, kept=saved is not None)
    )
    return Removal(saved, branch, branch_deleted=gone)


def remove_unfinished(*, repository: Path, path: Path, base_branch: str | None) -> None:
    """Remove what a killed maker left of a worktree, and its branch: nobody has worked there."""
    branch = None
    with contextlib.suppress(git.GitError):
        tree = trees.find(repository=repository, path=path)
        branch = tree.branch if tree is not None else None
    trees.clear(repository=repository, path=path)
    if branch is not None:
        with contextlib.suppress(git.GitError):
            _delete_branch(repository, branch, base_branch, kept=False)


def restore(*, repository: Path, backup_ref: str, path: Path, branch: str) -> Worktree:
    """Bring a saved worktree back, with its uncommitted work uncommitted again.

    The branch is taken up when it is still where the backup left it; when it is gone it is made
    anew; when it moved on, the nearest free name is used instead and the branch is left alone.
    """
    sha = bases.commit(repository, _checked(backup_ref))
    if sha is None:
        raise BackupMissing("There is no saved work for this attempt.")
    message = git.text("log", "-1", "--format=%B%x00%P", sha, at=repository)
    parents = message.rpartition("\0")[2].split()
    uncommitted = _MARK in message and bool(parents)
    start = parents[0] if uncommitted else sha
    ref = f"refs/heads/{branch}"
    if bases.commit(repository, ref) == start and not facts.checkouts(repository, branch):
        tree = trees.check_out(repository=repository, path=path, branch=branch, sha=start)
    else:
        made = trees.create(
            repository=repository, path=path, branch=branch, base_branch=start, unique=True
        )
        tree, branch = made.tree, made.branch
    if uncommitted:
        try:
            git.run("read-tree", "-m", "-u", "HEAD", sha, at=tree.place)
            git.run("read-tree", "HEAD", at=tree.place)
        except BaseException:
            trees.discard(tree)
            raise
    return Worktree(tree, branch, start)


def exists(*, repository: Path, backup_ref: str) -> bool:
    """Say whether something is saved under the reference."""
    return bases.commit(repository, _checked(backup_ref)) is not None


def forget(*, repository: Path, backup_ref: str) -> None:
    """Remove a backup for good."""
    git.run("update-ref", "-d", _checked(backup_ref), at=repository, patient=True)


def _checked(ref: str) -> str:
    if not ref.startswith(PREFIX) or not names.is_valid(ref.removeprefix(PREFIX)):
        raise BackupMissing(f"{ref} is not the name of a backup.")
    return ref


def _has(repository: Path, base_branch: str | None, sha: str) -> bool:
    try:
        base = bases.resolve(repository, base_branch)
    except (BranchMissing, NoCommits):
        return False
    return git.succeeds("merge-base", "--is-ancestor", sha, base.sha, at=repository)


def _clear(repository: Path, path: Path, *, backup_ref: str, base_branch: str | None) -> str | None:
    # Nothing to save but, when somebody removed the directory by hand, commits on no branch.
    with contextlib.suppress(FileNotFoundError):
        if path.is_symlink() or not path.is_dir() or any(path.iterdir()):
            path.lstat()
            raise NoWorktree(f"There is no worktree of this project at {path}.")
        path.rmdir()
    saved = None
    common = trees.common_directory(repository)
    for entry in trees.registered(common, path.parent.resolve() / path.name):
        head = bases.commit(git.Place(repository, entry, common), "HEAD")
        if head is not None and not _has(repository, base_branch, head):
            git.run("update-ref", _checked(backup_ref), head, at=repository, patient=True)
            saved = head
        shutil.rmtree(entry, ignore_errors=True)
    return saved


def _inner_repositories(place: git.Place, new: indexes.Untracked) -> list[bytes]:
    # Planted repositories always; submodules when they hold anything their commit does not.
    found = [name.rstrip(b"/") for name in new.nested]
    return found + [name for name in indexes.submodules(place) if _differs(place, name)]


def _differs(place: git.Place, name: bytes) -> bool:
    inside = git.Place(place.directory / os.fsdecode(name))
    asked = ("rev-parse", "HEAD", "HEAD^{tree}")
    said = git.run(*asked, at=inside, codes=(0, 128), protocols=())
    recorded = git.run(
        *("rev-parse", "--verify", "--quiet", b"HEAD:" + name), at=place, codes=(0, 1, 128)
    )
    head, _, tree = git.shown(said.stdout).strip().partition("\n")
    if said.code or recorded.code or git.shown(recorded.stdout).strip() != head:
        return True
    with tempfile.TemporaryDirectory(prefix="kanbanai-index-") as folder:
        return _content(place, name, Path(folder) / "index") != tree


def _embed(place: git.Place, name: bytes) -> None:
    # The files take the place of the link to a commit that goes away with the inner repository.
    with tempfile.TemporaryDirectory(prefix="kanbanai-index-") as folder:
        content = _content(place, name, Path(folder) / "index")
    git.run("update-index", "-z", "--force-remove", "--stdin", at=place, stdin=name + b"\0")
    git.run("read-tree", b"--prefix=" + name + b"/", content, at=place)


def _content(place: git.Place, name: bytes, index: Path) -> str:
    inside = replace(place, directory=place.directory / os.fsdecode(name), index=index)
    new = indexes.stage_all(inside)
    for inner in new.nested:
        _embed(inside, inner.rstrip(b"/"))
    return git.text("write-tree", at=inside)


def _commit(tree: Tree, content: str, head: str | None) -> str:
    parents = () if head is None else ("-p", head)
    message = f"Uncommitted work of {tree.branch or 'a detached HEAD'}\n\n{_MARK}\n"
    finished = git.run(
        *("commit-tree", content, *parents, "-F", "-"),
        at=tree.place,
        stdin=message.encode(),
        environment=git.DEFAULT_IDENTITY.environment(),
    )
    return git.shown(finished.stdout).strip()


def _delete_branch(repository: Path, branch: str, base_branch: str | None, *, kept: bool) -> bool:
    ref = f"refs/heads/{branch}"
    sha = bases.commit(repository, ref)
    try:
        base = bases.resolve(repository, base_branch)
    except (BranchMissing, NoCommits):
        return False
    if sha is None or branch == base.local or facts.checkouts(repository, branch):
        return False
    merged = git.succeeds("merge-base", "--is-ancestor", sha, base.sha, at=repository)
    if not merged and not (kept and facts.is_merged(repository, branch, base_branch)):
        return False
    git.run("update-ref", "-d", ref, sha, at=repository, patient=True)
    with contextlib.suppress(git.GitError):
        git.run("config", "--remove-section", f"branch.{branch}", at=repository)
    return True
