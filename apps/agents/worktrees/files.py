"""Files of a worktree, read without ever leaving it."""

import contextlib
import os
import stat
from collections.abc import Iterator
from enum import StrEnum
from typing import TypedDict

from apps.agents.worktrees import bases
from apps.agents.worktrees.errors import FileMissing, FileRefused
from apps.agents.worktrees.trees import Tree
from apps.core import git

LIMIT = 1_000_000
SNIFF = 8000
PATH_LIMIT = 4096


class Source(StrEnum):
    """Which state of a file is asked for."""

    WORKTREE = "worktree"
    INDEX = "index"
    HEAD = "head"
    BASE = "base"


class FileContent(TypedDict):
    """A file: its text, or None when it is binary.

    `size` is in bytes, `truncated` says that the text was cut. A symbolic link's text is where it
    points to.
    """

    path: str
    content: str | None
    binary: bool
    symlink: bool
    size: int
    truncated: bool


def read(
    tree: Tree,
    *,
    path: str,
    source: Source,
    base_branch: str | None = None,
    base_sha: str | None = None,
    limit: int = LIMIT,
) -> FileContent:
    """Read a file of the worktree, its index, its last commit or its fork point.

    `path` is relative with slashes. `FileRefused` when it names nothing inside the worktree or no
    file (also ``.git`` and ways through symbolic links), `FileMissing` when there is none.
    """
    parts = _parts(path)
    if source is Source.WORKTREE:
        return _from_disk(tree, path, parts, limit)
    if source is Source.INDEX:
        return _from_git(tree, path, f":0:{path}", limit)
    if source is Source.HEAD:
        return _from_git(tree, path, f"HEAD:{path}", limit)
    found = bases.compare(tree.repository, tree.place, base_branch=base_branch, base_sha=base_sha)
    return _from_git(tree, path, f"{found.fork}:{path}", limit)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    strange = "\0" in path or len(path) > PATH_LIMIT or (not path.isprintable() and _lone(path))
    if strange or any(part in {"", ".", ".."} or _is_git(part) for part in parts):
        raise FileRefused("The path does not name a file of the worktree.")
    return parts


def _lone(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _is_git(part: str) -> bool:
    # As some file systems see it: no case, no dots or blanks at the end, and the short name.
    return part.lower().rstrip(". ") in {".git", "git~1"}


def _from_disk(tree: Tree, path: str, parts: list[str], limit: int) -> FileContent:
    missing = FileMissing(f"There is no file {path} in the worktree.")
    with contextlib.ExitStack() as stack:
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            folder = stack.enter_context(_opened(tree.path, flags))
            for part in parts[:-1]:
                folder = stack.enter_context(_opened(part, flags, at=folder))
            facts = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(facts.st_mode):
                target = os.fsencode(os.readlink(parts[-1], dir_fd=folder))
                return _content(path, target, len(target), limit, symlink=True)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = stack.enter_context(_opened(parts[-1], flags, at=folder))
        except FileNotFoundError:
            raise missing from None
        except NotADirectoryError:
            refused = _leads_out(tree, parts)
            raise (FileRefused("The path leads through a link.") if refused else missing) from None
        except OSError as error:
            raise FileRefused(f"The file {path} cannot be read: {error.strerror}.") from error
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise FileRefused(f"{path} is not a file.")
        with open(handle, "rb", closefd=False) as stream:
            return _content(path, stream.read(limit + 1), facts.st_size, limit)


def _leads_out(tree: Tree, parts: list[str]) -> bool:
    return any(tree.path.joinpath(*parts[:count]).is_symlink() for count in range(len(parts)))


@contextlib.contextmanager
def _opened(name: str | os.PathLike[str], flags: int, at: int | None = None) -> Iterator[int]:
    handle = os.open(name, flags | os.O_CLOEXEC, dir_fd=at)
    try:
        yield handle
    finally:
        os.close(handle)


def _from_git(tree: Tree, path: str, name: str, limit: int) -> FileContent:
    sha = git.find_text("rev-parse", "--verify", "--quiet", "--end-of-options", name, at=tree.place)
    if sha is None:
        raise FileMissing(f"There is no file {path} there.")
    if git.text("cat-file", "-t", sha, at=tree.place) != "blob":
        raise FileRefused(f"{path} is not a file.")
    size = int(git.text("cat-file", "-s", sha, at=tree.place))
    found = git.run("cat-file", "blob", sha, at=tree.place, limit=limit + 1, truncate=True)
    return _content(path, found.stdout, size, limit)


def _content(path: str, raw: bytes, size: int, limit: int, *, symlink: bool = False) -> FileContent:
    binary = b"\0" in raw[:SNIFF]
    return {
        "path": path,
        "content": None if binary else raw[:limit].decode("utf-8", "replace"),
        "binary": binary,
        "symlink": symlink,
        "size": size,
        "truncated": len(raw) > limit,
    }
