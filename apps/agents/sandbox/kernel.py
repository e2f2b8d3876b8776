"""The Landlock level: which paths and ports the wrapper is told to allow."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from apps.agents.sandbox import base, landlock, repository, system

PORTS = (443, 80, 22)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd")
_WRAPPER = Path(landlock.__file__).resolve()


class Landlock(base.Sandbox):
    """Paths and ports by an allow-list; processes of the host stay visible but untouchable."""

    level = base.Level.LANDLOCK

    def wrap(self, command: Sequence[str], confinement: base.Confinement) -> list[str]:
        """This will be the command run through the wrapper.

        The interpreter is isolated and the wrapper named by its path, so that nothing in the
        worktree can stand in for either.
        """
        return [
            sys.executable,
            *("-I", "-S", str(_WRAPPER)),
            *rules(confinement),
            "--",
            *base.limited(command, confinement.rlimits),
        ]


def rules(confinement: base.Confinement) -> list[str]:
    """This will be the wrapper's arguments for a confinement."""
    git = repository.git_paths(confinement.worktree, confinement.git_dir)
    read = [
        *(Path(name) for name in (*system.SYSTEM, *system.ROOT_FOLDERS, "/proc")),
        *system.etc_paths(),
        *system.python_paths(),
        *confinement.read_paths,
        *git.readable,
    ]
    write = [confinement.home, *confinement.write_paths]
    if confinement.readonly:
        read.append(confinement.worktree)
    else:
        write += [confinement.worktree, *git.writable]
    ports = () if confinement.network == "none" else (*PORTS, *confinement.connect_ports)
    return [
        *(f"r:{path}" for path in system.existing(read)),
        *(f"w:{path}" for path in system.existing(write)),
        *(f"d:/dev/{name}" for name in DEVICES),
        f"p:{','.join(str(port) for port in ports)}",
    ]


def probe() -> tuple[Landlock | None, str]:
    """This will be a Landlock that was seen to work here, or None and the reason."""
    version = landlock.abi()
    if version < 1:
        return None, "the kernel has no Landlock"
    sandbox = Landlock()
    with tempfile.TemporaryDirectory(prefix="kanbanai-probe-") as folder:
        worktree, home = Path(folder, "worktree"), Path(folder, "home")
        worktree.mkdir()
        home.mkdir()
        forbidden = Path(folder, "forbidden")
        script = f"echo works > proof && ! echo leaked 2>/dev/null > {forbidden}"
        command = sandbox.wrap(
            ["/bin/sh", "-c", script], base.Confinement(worktree=worktree, home=home)
        )
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, timeout=10, text=True, cwd=worktree
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, f"Landlock does not start: {error}"
        if done.returncode != 0 or not (worktree / "proof").is_file() or forbidden.exists():
            return None, done.stderr.strip()[:500] or "Landlock does not hold here"
    return sandbox, f"Landlock version {version} works"
