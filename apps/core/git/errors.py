"""What git could not do, in sentences for people, and texts without secrets."""

import re
import signal
from pathlib import Path


class GitError(Exception):
    """Something git could not do, in one sentence for a person; `detail` is git's own words."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(redact(message))
        self.message = redact(message)
        self.detail = redact(detail)


class GitMissing(GitError):
    """Git is not installed, or older than `MINIMUM_VERSION`."""


class GitTimeout(GitError):
    """Git took longer than it was given and was ended."""


class GitCancelled(GitError):
    """Somebody asked for the work to end, and it did."""


class OutputTooLarge(GitError):
    """Git answered more than the caller can hold."""


class NotARepository(GitError):
    """The directory is missing or holds no repository."""


class NotOurs(GitError):
    """The repository belongs to another account of the machine."""


class Locked(GitError):
    """Another git process holds a lock and did not let go in time."""


class RefMoved(GitError):
    """A reference is not where the caller last saw it, or exists where it should not."""


class DiskFull(GitError):
    """There is no room left (disk, quota or file size limit)."""


class Unwritable(GitError):
    """The directory or the repository cannot be written to."""


class PathOccupied(GitError):
    """There is already something at the path."""


class AuthenticationFailed(GitError):
    """The remote did not accept the login, or wants one."""


class RemoteNotFound(GitError):
    """The remote answers, but has no such repository."""


class HostUnreachable(GitError):
    """The remote's host cannot be found or does not answer."""


def redact(message: str) -> str:
    """Give the text without passwords and tokens in addresses."""
    return _SECRET_QUERY.sub(r"\1***", _USER_INFO.sub(_hide, message))


def explain(stderr: str, *, at: Path, code: int = 128) -> GitError:
    """Give the error that fits git's words, with one sentence a person can act on."""
    words = redact(stderr).strip()
    if code == -signal.SIGXFSZ:
        return DiskFull(f"There is no room left to write in {at}.", detail=words)
    for pattern, kind, sentence in _REASONS:
        if pattern.search(words):
            return kind(sentence.format(at=at), detail=words)
    lines = [line for line in words.splitlines() if line.strip()]
    wanted = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
    said = wanted[0].split(":", 1)[-1].strip() if wanted else f"it ended with code {code}"
    return GitError(f"Git could not do it in {at}: {said[:400]}", detail=words)


_USER_INFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<info>[^\s/'\"]*|[^\s/@:'\"]*:(?!\d+/)[^\s'\"]*)@"
)
_SECRET_QUERY = re.compile(
    r"([?&](?:access_token|private_token|token|password|secret|key)=)[^&\s'\"]+", re.IGNORECASE
)
_REASONS: tuple[tuple[re.Pattern[str], type[GitError], str], ...] = tuple(
    (re.compile(pattern), kind, sentence)
    for pattern, kind, sentence in (
        (
            r"dubious ownership|unsafe repository",
            NotOurs,
            "The repository at {at} belongs to another account of this machine.",
        ),
        (
            r"No space left on device|[Dd]isk quota exceeded|File too large|out of disk space",
            DiskFull,
            "There is no room left to write in {at}.",
        ),
        (
            (
                r"\.lock': File exists|Another git process"
                r"|could not lock config file .*: File exists|failed to read \S*commondir"
            ),
            Locked,
            "Another git process holds a lock in {at}.",
        ),
        (
            r"but expected|reference already exists|exists; cannot create|unable to resolve ref",
            RefMoved,
            "A branch in {at} was changed by somebody else meanwhile.",
        ),
        (
            (
                r"Authentication failed|could not read (Username|Password)|Permission denied \("
                r"|Host key verification failed|The requested URL returned error: 40[13]"
                r"|HTTP Basic: Access denied"
            ),
            AuthenticationFailed,
            "The remote did not accept the login, or asks for one.",
        ),
        (
            (
                r"Could not resolve host|Connection (refused|timed out|reset)"
                r"|Network is unreachable"
                r"|No route to host|Failed to connect|unable to connect|Operation timed out"
                r"|Name or service not known|Temporary failure in name resolution"
                r"|SSL certificate|certificate verification failed|SSL_ERROR|gnutls_handshake"
            ),
            HostUnreachable,
            "The remote's host cannot be reached.",
        ),
        (
            (
                r"[Rr]epository .*not found|does not appear to be a git repository"
                r"|repository '.*' does not exist|The requested URL returned error: 404"
            ),
            RemoteNotFound,
            "There is no repository at that address.",
        ),
        (
            r"transport '.*' not allowed",
            GitError,
            "Addresses of that kind are not allowed.",
        ),
        (
            r"Permission denied|Read-only file system|insufficient permission",
            Unwritable,
            "The account that runs the server may not write in {at}.",
        ),
        (
            r"not a git repository",
            NotARepository,
            "There is no git repository at {at}.",
        ),
    )
)


def _hide(match: re.Match[str]) -> str:
    if match["scheme"].lower().endswith("ssh") and ":" not in match["info"]:
        return match[0]
    return f"{match['scheme']}://***@"


def shown(raw: bytes) -> str:
    """Give bytes of git (paths, names) as text that every encoder accepts."""
    return raw.decode("utf-8", "backslashreplace")
