"""Clones: from an address to a directory, with progress, and with nothing left when it fails."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from apps.core import git
from apps.projects.repositories import inspection

TIMEOUT = 1800.0

_SHORT_SSH = re.compile(r"(?P<user>[\w.+~-]+@)?(?P<host>[\w.-]+):(?P<path>(?!//).+)", re.ASCII)
_STRANGE = re.compile(r"[\x00-\x20\x7f]")
_HOST = re.compile(r"(?!-)[\w.-]+|[0-9A-Fa-f:.]+", re.ASCII)
_PROGRESS = re.compile(
    r"(?:remote: )?(?P<phase>Counting objects|Compressing objects|Receiving objects"
    r"|Resolving deltas|Updating files):\s+(?P<percent>\d+)%"
    r"(?:.*?,\s+(?P<size>[\d.]+) (?P<unit>bytes|KiB|MiB|GiB))?"
)
_SHARES = {
    "Counting objects": (0, 3),
    "Compressing objects": (3, 8),
    "Receiving objects": (8, 75),
    "Resolving deltas": (75, 90),
    "Updating files": (90, 99),
}
_UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


class UnsupportedAddress(git.GitError):
    """The address is not one that may be cloned."""


class RepositoryTooLarge(git.GitError):
    """The repository is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address without secrets, and the login that was in it."""

    url: str
    scheme: str
    login: git.Login | None


def check_address(url: str, *, allow_files: bool = False) -> Address:  # noqa: C901 - one list
    """Give the address without its secrets; raise `UnsupportedAddress` when it may not be used.

    Allowed are https, http, ssh (also ``user@host:path``) and git; with `allow_files` also
    ``file://`` and absolute paths.
    """
    refused = UnsupportedAddress(f"This address cannot be cloned: {git.redact(url)[:200]}")
    if url.startswith("-") or "::" in url.partition("/")[0] or _STRANGE.search(url):
        raise refused
    if url.startswith("/"):
        url = f"file://{url}"
    if "://" not in url:
        if _SHORT_SSH.fullmatch(url) is None or ":-" in url:
            raise refused
        return Address(url, "ssh", None)
    try:
        parts = urlsplit(url)
        host = _host(parts)
    except ValueError:
        raise refused from None
    if parts.scheme == "file":
        if not allow_files or host not in {"", "localhost"}:
            raise refused
        return Address(url, "file", None)
    if parts.scheme not in git.PROTOCOLS or not host:
        raise refused
    login = None
    if parts.scheme == "ssh":
        host = f"{parts.username}@{host}" if parts.username else host
    elif parts.username is not None:
        login = git.Login(unquote(parts.username), unquote(parts.password or ""))
    return Address(urlunsplit((parts.scheme, host, *parts[2:])), parts.scheme, login)


def _host(parts: SplitResult) -> str:
    # Host and port; ssh would take a name that begins with a hyphen for an option.
    host = parts.hostname or ""
    if (host and _HOST.fullmatch(host) is None) or (parts.username or "").startswith("-"):
        raise ValueError(host)
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"


def clone(
    url: str,
    path: Path,
    *,
    on_progress: Callable[[int, str], None] | None = None,
    should_cancel: Callable[[], bool] | None = None,
    login: git.Login | None = None,
    branch: str | None = None,
    max_bytes: int | None = None,
    allow_files: bool = False,
    timeout: float = TIMEOUT,
) -> inspection.Inspection:
    """Clone a repository to a missing or empty directory.

    `on_progress` gets whole percents, never falling, and git's phase. `should_cancel` is asked
    several times a second; a yes ends git and raises `git.GitCancelled`. `max_bytes` bounds what
    is received and what is kept (`RepositoryTooLarge`). The clone is made beside the path and
    moved there when it is whole. Secrets in the address are used, but kept nowhere.
    """
    address = check_address(url, allow_files=allow_files)
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise git.PathOccupied(f"There is already something at {path}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name[:64]}.cloning-", dir=path.parent))
    except OSError as error:
        raise git.Unwritable(f"The server may not write in {path.parent}.") from error
    progress = _Progress(on_progress, should_cancel, max_bytes)
    too_large = RepositoryTooLarge(
        f"The repository is larger than the {(max_bytes or 0) // 1024**2} MiB that are allowed."
    )
    wanted = ["--branch", branch] if branch else []
    try:
        git.run(
            *("clone", "--progress", "--template=", "--no-local", "--no-recurse-submodules"),
            *("--origin=origin", *wanted, "--", address.url),
            staging / "clone",
            at=staging,
            timeout=timeout,
            login=login or address.login,
            protocols=("file",) if address.scheme == "file" else git.PROTOCOLS,
            watch=git.Watch(progress.hear, progress.should_end),
        )
        if max_bytes is not None and _size(staging) > max_bytes:
            raise too_large
        _put(staging / "clone", path)
    except git.GitCancelled:
        if progress.too_large:
            raise too_large from None
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    progress.say(100, "Done")
    return inspection.inspect(path)


@dataclass(slots=True)
class _Progress:
    """Turns git's lines into one rising number."""

    on_progress: Callable[[int, str], None] | None
    should_cancel: Callable[[], bool] | None
    max_bytes: int | None
    too_large: bool = False
    last: tuple[int, str] = field(default=(0, ""))

    def hear(self, line: str) -> None:
        match = _PROGRESS.match(line)
        if match is None:
            return
        if match["size"] and self.max_bytes is not None:
            size = float(match["size"]) * _UNITS[match["unit"]]
            self.too_large = self.too_large or size > self.max_bytes
        start, end = _SHARES[match["phase"]]
        self.say(start + (end - start) * int(match["percent"]) // 100, match["phase"])

    def say(self, percent: int, phase: str) -> None:
        now = (max(percent, self.last[0]), phase)
        if now != self.last and self.on_progress is not None:
            self.on_progress(*now)
        self.last = now

    def should_end(self) -> bool:
        return self.too_large or (self.should_cancel is not None and self.should_cancel())


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def _put(source: Path, target: Path) -> None:
    # Renaming a directory onto an empty one is atomic; onto anything else it fails.
    try:
        os.rename(source, target)  # noqa: PTH104 - the exact call, with its exact meaning
    except OSError as error:
        raise git.PathOccupied(f"There is already something at {target}.") from error
