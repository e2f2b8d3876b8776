"""What a process does when its parent is gone: it ends, whatever holds it up.

The kernel tells it to (`processes.start`), but an orderly end may wait for what has gone with the
parent: a worker that has just begun asks for Redis until it comes.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from kanbanai.supervisor import processes

LOOK_SECONDS = 1.0
GRACE_SECONDS = 10.0


def end_with_supervisor() -> None:
    """This will end this process soon after the supervisor, if one started it."""
    if processes.ends_with_parent():
        end_with_parent()


def end_with_parent() -> None:
    """This will end this process some seconds after its parent, in order or not."""
    parent = os.getppid()
    threading.Thread(target=_end_after, args=(parent,), name="orphan", daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
