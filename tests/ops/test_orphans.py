"""Children of a supervisor that was killed: they end, even those that do not want to."""

from __future__ import annotations

import subprocess
import sys

from tests.ops import running

# Deaf to SIGTERM, as a worker is that waits for a server which has gone, too.
DEAF = """
import signal, time
from kanbanai.supervisor import orphans
signal.signal(signal.SIGTERM, signal.SIG_IGN)
orphans.LOOK_SECONDS = orphans.GRACE_SECONDS = 0.1
orphans.end_with_supervisor()
print("deaf", flush=True)
time.sleep(120)
"""
PARENT = """
import sys, time
from kanbanai.supervisor import processes
child = processes.start([sys.executable, "-c", sys.argv[1]], output=1)
print(child.pid, flush=True)
time.sleep(120)
"""


def test_a_child_that_is_deaf_ends_with_its_supervisor() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, DEAF], cwd=running.PROJECT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        parent.kill()
    (child,) = [int(word) for word in said - {"deaf"}]
    assert "deaf" in said
    assert running.wait_until_gone([child]) == []


def test_a_process_that_nobody_supervises_is_left_alone() -> None:
    asked = "from kanbanai.supervisor import processes; print(processes.ends_with_parent())"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=running.PROJECT, capture_output=True, check=True
    )
    assert done.stdout == b"False\n"
