"""Worktrees: made for an attempt, recognised strictly, cleaned up when half made."""

import contextlib
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.agents.worktrees import bases, locks, names
from apps.agents.worktrees.errors import BranchExists, NoWorktree
from apps.core import git

CHECKOUT_TIMEOUT = 900.0
TRIES = 20
LITTLE_ROOM = 1024 * 1024
EXCLUDED = (
    "/.kanbanai/",
    ".aider.chat.history.md",
    ".aider.input.history",
    ".aider.tags.cache.v*/",
    ".claude/settings.local.json",
)
_EXCLUDE_TITLE = "# What agents leave behind (KanbanAI)"

# Settings a worktree may have of its own; anything else could name a program to run.
_OWN_SECTIONS = frozenset({"author", "branch", "committer", "index", "status", "user"})
_OWN_SETTINGS = frozenset(
    {
        *("core.autocrlf", "core.bare", "core.eol", "core.filemode", "core.ignorecase"),
        *("core.sparsecheckout", "core.sparsecheckoutcone", "core.symlinks"),
    }
)


@dataclass(frozen=True, slots=True)
class Tree:
    """A worktree that was recognised: where it is and where its repository is."""

    repository: Path
    path: Path
    git_directory: Path
    common_directory: Path

    @property
    def place(self) -> git.Place:
        """Give where git works for this worktree, whatever its own ``.git`` file says."""
        return git.Place(self.path, self.git_directory, self.common_directory)

    @property
    def branch(self) -> str | None:
        """Give the branch that is checked out, None when there is none."""
        return git.find_text("symbolic-ref", "--quiet", "--short", "HEAD", at=self.place)


@dataclass(frozen=True, slots=True)
class Worktree:
    """A worktree just made: on `branch`, which begins at the commit `base_sha`."""

    tree: Tree
    branch: str
    base_sha: str

    @property
    def path(self) -> Path:
        """Give the directory."""
        return self.tree.path


def create(
    *,
    repository: Path,
    path: Path,
    branch: str,
    base_branch: str | None,
    unique: bool = False,
) -> Worktree:
    """Make a worktree on a new branch that begins where the base branch is.

    The base is a local branch, else a remote-tracking one (``origin/main`` or ``main`` of a
    remote), a full object name, or the repository's HEAD for None. A branch that exists is never
    reused or reset: `BranchExists`, or with `unique` the nearest free name. The repository's own
    checkout is not touched. When anything fails, nothing stays: no directory, no branch.
    """
    common = common_directory(repository)
    base = bases.resolve(repository, base_branch)
    path = path.parent.resolve() / path.name
    with _claimed(path):
        _make_way(common, path)
        name = _make_branch(repository, branch, base.sha, unique=unique)
        try:
            return _check_out(repository, common, path, name, base.sha)
        except BaseException:
            _forget(common, path)
            with contextlib.suppress(git.GitError):
                git.run("update-ref", "-d", f"refs/heads/{name}", base.sha, at=repository)
            raise


def attach(*, repository: Path, path: Path) -> Tree:
    """Recognise a worktree of a repository; raise `NoWorktree` for anything else."""
    found = find(repository=repository, path=path)
    if found is None or not _points_back(found):
        raise NoWorktree(f"There is no worktree of this project at {path}.")
    _refuse_planted_settings(found)
    return found


def is_worktree(*, repository: Path, path: Path) -> bool:
    """Say whether the directory is a whole worktree of the repository."""
    try:
        attach(repository=repository, path=path)
    except NoWorktree:
        return False
    return True


def find(*, repository: Path, path: Path) -> Tree | None:
    """Find a worktree by the repository's own list, also when its ``.git`` file is damaged."""
    common = common_directory(repository)
    path = path.parent.resolve() / path.name
    if path.is_symlink() or not path.is_dir():
        return None
    if path.stat().st_uid != os.geteuid():
        raise git.NotOurs(f"The worktree at {path} belongs to another account of this machine.")
    entries = [entry for entry in registered(common, path) if (entry / "HEAD").is_file()]
    return Tree(repository, path, entries[0], common) if entries else None


def registered(common: Path, path: Path) -> list[Path]:
    """List the repository's entries for a worktree at the path, most often one or none."""
    found: list[Path] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted((common / "worktrees").iterdir()):
            with contextlib.suppress(OSError):
                said = Path(os.fsdecode((entry / "gitdir").read_bytes().removesuffix(b"\n")))
                if said.parent.parent.resolve() / said.parent.name == path:
                    found.append(entry)
    return found


def common_directory(repository: Path) -> Path:
    """Give the directory that all worktrees of a repository share."""
    said = git.text("rev-parse", "--path-format=absolute", "--git-common-dir", at=repository)
    return Path(said).resolve()


def unlock(tree: Tree) -> list[str]:
    """Remove lock files a killed process left in the worktree; only while nothing runs in it."""
    gone: list[str] = []
    for name in ("index.lock", "HEAD.lock"):
        with contextlib.suppress(FileNotFoundError):
            (tree.git_directory / name).unlink()
            gone.append(name)
    return gone


def discard(tree: Tree) -> None:
    """Remove the directory and the repository's entry; whatever was not saved is lost."""
    _forget(tree.common_directory, tree.path)


def check_out(*, repository: Path, path: Path, branch: str, sha: str) -> Tree:
    """Make a worktree for a branch that exists at `sha` and is checked out nowhere."""
    common = common_directory(repository)
    path = path.parent.resolve() / path.name
    with _claimed(path):
        _make_way(common, path)
        try:
            return _check_out(repository, common, path, branch, sha).tree
        except BaseException:
            _forget(common, path)
            raise


def _check_out(repository: Path, common: Path, path: Path, branch: str, sha: str) -> Worktree:
    try:
        with locks.held(common):
            git.run(
                *("worktree", "add", "--quiet", "--force", "--no-checkout", "--", path, branch),
                at=repository,
                patient=True,
            )
        tree = attach(repository=repository, path=path)
        git.run("reset", "--hard", "--quiet", at=tree.place, timeout=CHECKOUT_TIMEOUT)
    except git.GitError as error:
        # Git says that it was unable to write, not why, and has cleaned up before we can look.
        if shutil.disk_usage(path.parent).free < _size(repository, sha) + LITTLE_ROOM:
            message = f"There is no room left for a worktree in {path.parent}."
            raise git.DiskFull(message, detail=error.detail) from error
        raise
    _exclude(common)
    return Worktree(tree, branch, sha)


def _size(repository: Path, sha: str) -> int:
    finished = git.run("ls-tree", "-r", "-l", "-z", sha, at=repository, limit=256 * 1024 * 1024)
    sizes = (record.split(b"\t", 1)[0].split()[-1] for record in finished.stdout.split(b"\0")[:-1])
    return sum(int(size) for size in sizes if size.isdigit())


def _make_branch(repository: Path, branch: str, sha: str, *, unique: bool) -> str:
    if not names.is_valid(branch):
        raise BranchExists(f"“{branch}” cannot be the name of a branch.")
    for _ in range(TRIES):
        name = names.unique(branch, names.taken(repository)) if unique else branch
        try:
            git.run(
                *("update-ref", "--create-reflog", "-m", f"branch: Created from {sha}"),
                *(f"refs/heads/{name}", sha, ""),
                at=repository,
                patient=True,
            )
        except git.RefMoved as error:
            if not unique:
                raise BranchExists(
                    f"A branch named “{name}”, or one in its way, exists already.",
                    detail=error.detail,
                ) from error
        else:
            return name
    raise BranchExists(f"No free name was found for the branch “{branch}”.")


def is_begun(path: Path) -> bool:
    """True where a worktree is, is being made, or was when its maker was killed."""
    return path.is_dir() or _claim(path).exists()


def clear(*, repository: Path, path: Path) -> None:
    """Remove whatever is left of a worktree whose making was cut off; nothing is saved."""
    _forget(common_directory(repository), path)
    _claim(path).unlink(missing_ok=True)


def _claim(path: Path) -> Path:
    return path.parent / f".{path.name}.claim"


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    # Two processes that were given one path: the second is told, instead of both writing there.
    claim = _claim(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        claim.touch(mode=0o600)
    except OSError as error:
        raise git.Unwritable(f"The server may not write in {path.parent}.") from error
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.held(claim, patience=0))
        except (git.Locked, FileNotFoundError) as error:
            raise git.PathOccupied(f"A worktree is being made at {path} already.") from error
        try:
            yield
        finally:
            claim.unlink(missing_ok=True)


def _make_way(common: Path, path: Path) -> None:
    # An empty directory is what a crash left; anything in it may be somebody's work.
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise git.PathOccupied(f"There is already something at {path}.")
    if path.exists():
        try:
            path.rmdir()
        except OSError as error:
            raise git.PathOccupied(f"The directory {path} is not empty.") from error
    for entry in registered(common, path):
        shutil.rmtree(entry, ignore_errors=True)


def _forget(common: Path, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        _open_up(path)
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        raise git.Unwritable(f"The worktree at {path} could not be removed entirely.")
    for entry in registered(common, path):
        shutil.rmtree(entry, ignore_errors=True)


def _open_up(path: Path) -> None:
    # Tools leave read-only directories, which keep even their owner from removing what is inside.
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(Path(folder).stat().st_mode)
            if mode & stat.S_IRWXU != stat.S_IRWXU:
                Path(folder).chmod(mode | stat.S_IRWXU)


def _points_back(tree: Tree) -> bool:
    pointer = tree.path / ".git"
    if pointer.is_symlink() or not pointer.is_file():
        return False
    said = os.fsdecode(pointer.read_bytes()[:8192]).removesuffix("\n")
    if not said.startswith("gitdir: "):
        return False
    back = (tree.path / said.removeprefix("gitdir: ")).resolve()
    shared = (tree.git_directory / "commondir").read_text("utf-8").strip()
    return (
        back == tree.git_directory.resolve()
        and (tree.git_directory / shared).resolve() == tree.common_directory
    )


def _refuse_planted_settings(tree: Tree) -> None:
    own = tree.git_directory / "config.worktree"
    if not own.exists():
        return
    listed = git.records(
        *("config", "--file", own, "--no-includes", "--name-only", "-z", "--list"),
        at=tree.common_directory,
    )
    for name in (git.shown(record).lower() for record in listed):
        if name.partition(".")[0] not in _OWN_SECTIONS and name not in _OWN_SETTINGS:
            raise NoWorktree(f"The worktree at {tree.path} has a git setting of its own: {name}.")


def _exclude(common: Path) -> None:
    target = common / "info" / "exclude"
    before = target.read_text("utf-8", "surrogateescape") if target.exists() else ""
    if _EXCLUDE_TITLE in before:
        return
    lines = [*before.splitlines(), _EXCLUDE_TITLE, *EXCLUDED]
    draft = target.with_name(f"exclude.{os.getpid()}.{threading.get_ident()}")
    try:
        target.parent.mkdir(exist_ok=True)
        draft.write_text("\n".join(lines) + "\n", "utf-8", "surrogateescape")
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise git.Unwritable(f"The repository at {common} cannot be written to.") from error
