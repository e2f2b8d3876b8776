"""Child processes that never outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2

# Loaded before any fork: loading a library between fork and exec may hang.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with(parent: int) -> None:
    """Runs between fork and exec: the kernel ends this process when its parent is gone."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def start(
    command: Sequence[str],
    *,
    output: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    folder: str | None = None,
) -> subprocess.Popen[bytes]:
    """This will start a child in a process group of its own that gets SIGTERM if we die.

    `output` takes both its standard output and its standard error.
    """
    parent = os.getpid()
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        cwd=folder,
        pass_fds=pass_fds,
        process_group=0,
        preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 - two system calls, no Python threads yet
    )


def ends_with_parent() -> bool:
    """True in a process that `start` started: the kernel tells it when its parent is gone."""
    if _libc is None:
        return False
    number = ctypes.c_int(0)
    _libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(number), 0, 0, 0)
    return number.value != 0


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """This will signal a child and everything it started, if any of it is left."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        process.send_signal(number)
