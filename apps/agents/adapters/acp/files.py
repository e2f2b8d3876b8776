"""Writing a file for an agent that asks its client to, without leaving the worktree.

This runs outside the sandbox, so a link that the agent planted, or swaps in at the last moment,
must not be followed: each part of the path is opened by itself and none may be a link.
"""

import os
import stat
from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024


class Refused(Exception):
    """A path that leads outside, into git's own files, or to something that is no file."""


def write_text(root: Path, path: str, text: str) -> None:
    """This will write a file below `root`, making the folders it needs.

    Raises:
        Refused: when the path or the size is not acceptable.
    """
    parts = _parts(root, path)
    data = text.encode("utf-8", errors="surrogatepass")
    if len(data) > MOST_BYTES:
        raise Refused("the file is too large")
    try:
        folder = _open_folder(root, parts[:-1])
        try:
            _write(folder, parts[-1], data)
        finally:
            os.close(folder)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def _parts(root: Path, path: str) -> list[str]:
    full = os.path.normpath(root / path)
    for base in (str(root), os.path.realpath(root)):
        if full.startswith(base + "/"):
            parts = full[len(base) + 1 :].split("/")
            break
    else:
        raise Refused(f"{path} is outside the worktree")
    if any(part.lower() == ".git" for part in parts):
        raise Refused(f"{path} belongs to git")
    return parts


def _open_folder(root: Path, parts: list[str]) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    handle = os.open(root, flags)
    for part in parts:
        try:
            try:
                inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=handle)
            except FileNotFoundError:
                os.mkdir(part, dir_fd=handle)
                inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def _write(folder: int, name: str, data: bytes) -> None:
    # O_NONBLOCK: opening a pipe that nobody reads must fail, not wait.
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(name, flags, 0o644, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused(f"{name} is no ordinary file")
        file.truncate(0)
        file.write(data)
