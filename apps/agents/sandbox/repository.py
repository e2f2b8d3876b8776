"""The parts of a git directory a confined agent may change: enough to commit, no more.

Whoever can write a repository's configuration, hooks or the pointers between a worktree and its
repository decides what *our* git runs later, outside the sandbox. So the directory is read-only
as a whole and only what a commit writes is opened.
"""

from dataclasses import dataclass
from pathlib import Path

_SHARED_WRITABLE = ("objects", "refs", "logs", "reftable")
_POINTERS = ("commondir", "gitdir", "config.worktree")


@dataclass(frozen=True, kw_only=True)
class GitPaths:
    """Paths of a repository as a sandbox needs them; all exist."""

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    sealed: tuple[Path, ...] = ()


def git_paths(worktree: Path, git_dir: Path | None) -> GitPaths:
    """This will sort a worktree's git files into readable, writable and (within those) sealed."""
    pointer = worktree / ".git"
    if git_dir is None:
        return GitPaths(sealed=_settings_of(pointer))
    own = _own_directory(pointer, git_dir)
    writable = [git_dir / name for name in _SHARED_WRITABLE]
    if not (git_dir / "logs").exists() and own is not None:
        # Created here because a read-only parent could not grow it later.
        (git_dir / "logs").mkdir(exist_ok=True)
    if own is not None:
        writable.append(own)
    sealed = [pointer, *((own / name for name in _POINTERS) if own is not None else ())]
    return GitPaths(
        readable=(git_dir,),
        writable=tuple(path for path in writable if path.exists()),
        sealed=tuple(path for path in sealed if path.is_file()),
    )


def _settings_of(directory: Path) -> tuple[Path, ...]:
    """In a whole checkout: what decides what git runs. Everything else there may be written."""
    return tuple(path for path in (directory / "config", directory / "hooks") if path.exists())


def _own_directory(pointer: Path, git_dir: Path) -> Path | None:
    try:
        text = pointer.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    target = Path(text.removeprefix("gitdir:").strip())
    if not target.is_absolute():
        target = pointer.parent / target
    target = target.resolve()
    shared = git_dir.resolve() / "worktrees"
    return target if target.parent == shared and target.is_dir() else None
