"""The one way to run git.

Repositories hold what strangers and programs wrote, so git runs here without anything a repository
could make it start (hooks, fsmonitor, pagers, external diffs, prompts), with a small environment
of its own, a time limit for the whole process group and a cap on what it may answer.

A checkout whose files are not trusted is never discovered through its own ``.git`` file: a `Place`
names the git directory outright, so a planted one is not obeyed.
"""

from apps.core.git.errors import (
    AuthenticationFailed,
    DiskFull,
    GitCancelled,
    GitError,
    GitMissing,
    GitTimeout,
    HostUnreachable,
    Locked,
    NotARepository,
    NotOurs,
    OutputTooLarge,
    PathOccupied,
    RefMoved,
    RemoteNotFound,
    Unwritable,
    explain,
    redact,
    shown,
)
from apps.core.git.places import (
    DEFAULT_IDENTITY,
    Finished,
    Identity,
    Login,
    Place,
    Watch,
)
from apps.core.git.running import (
    MINIMUM_VERSION,
    OUTPUT_LIMIT,
    PROTOCOLS,
    TIMEOUT,
    find_text,
    identity,
    records,
    require_version,
    run,
    succeeds,
    text,
    version,
)

__all__ = [
    "DEFAULT_IDENTITY",
    "MINIMUM_VERSION",
    "OUTPUT_LIMIT",
    "PROTOCOLS",
    "TIMEOUT",
    "AuthenticationFailed",
    "DiskFull",
    "Finished",
    "GitCancelled",
    "GitError",
    "GitMissing",
    "GitTimeout",
    "HostUnreachable",
    "Identity",
    "Locked",
    "Login",
    "NotARepository",
    "NotOurs",
    "OutputTooLarge",
    "PathOccupied",
    "Place",
    "RefMoved",
    "RemoteNotFound",
    "Unwritable",
    "Watch",
    "explain",
    "find_text",
    "identity",
    "records",
    "redact",
    "require_version",
    "run",
    "shown",
    "succeeds",
    "text",
    "version",
]
