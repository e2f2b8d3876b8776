"""Confinement by bubblewrap: an own view of the file system and of processes."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.agents.sandbox import base, repository, system

_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")


class Bubblewrap(base.Sandbox):
    """The strongest level that needs no daemon: what is not mounted is not there."""

    level = base.Level.BUBBLEWRAP

    def __init__(self, program: str) -> None:
        self.program = program

    def wrap(self, command: Sequence[str], confinement: base.Confinement) -> list[str]:
        """This will be the command inside namespaces of its own, its children dying with it."""
        return [
            self.program,
            *_NAMESPACES,
            *(["--unshare-net"] if confinement.network == "none" else []),
            "--die-with-parent",
            "--new-session",
            *("--cap-drop", "ALL"),
            *_system(),
            *_granted(confinement),
            # What is not mounted is an empty file system in memory; it stays empty.
            *("--remount-ro", "/"),
            *("--chdir", str(confinement.worktree)),
            "--",
            *base.limited(command, confinement.rlimits),
        ]


def probe() -> tuple[Bubblewrap | None, str]:
    """This will be a bubblewrap that was seen to work here, or None and the reason.

    Hosts and containers forbid it in many ways; only a trial tells.
    """
    program = shutil.which("bwrap")
    if program is None:
        return None, "bubblewrap is not installed"
    sandbox = Bubblewrap(program)
    with tempfile.TemporaryDirectory(prefix="kanbanai-probe-") as folder:
        worktree, home = Path(folder, "worktree"), Path(folder, "home")
        worktree.mkdir()
        home.mkdir()
        command = sandbox.wrap(
            ["/bin/sh", "-c", "echo works > proof && test ! -e /etc/shadow"],
            base.Confinement(worktree=worktree, home=home),
        )
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, timeout=10, text=True, cwd="/"
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, f"bubblewrap does not start: {error}"
        if done.returncode != 0 or not (worktree / "proof").is_file():
            return None, done.stderr.strip()[:500] or "bubblewrap does not work here"
    return sandbox, "bubblewrap works"


def _system() -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/run")  # noqa: S108
    for name in system.SYSTEM:
        yield from ("--ro-bind-try", name, name)
    for name in system.ROOT_FOLDERS:
        folder = Path(name)
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), name)
        elif folder.is_dir():
            yield from ("--ro-bind", name, name)
    for path in system.etc_paths():
        yield from ("--ro-bind-try", str(path), str(path))


def _granted(confinement: base.Confinement) -> Iterator[str]:
    git = repository.git_paths(confinement.worktree, confinement.git_dir)
    readable = system.existing([*system.python_paths(), *confinement.read_paths, *git.readable])
    # Parents before children: a later mount covers an earlier one.
    for path in sorted(readable):
        yield from ("--ro-bind", str(path), str(path))
    commits = () if confinement.readonly else git.writable
    for path in system.existing([confinement.home, *confinement.write_paths, *commits]):
        yield from ("--bind", str(path), str(path))
    how = "--ro-bind" if confinement.readonly else "--bind"
    yield from (how, str(confinement.worktree), str(confinement.worktree))
    for path in git.sealed:
        yield from ("--ro-bind", str(path), str(path))
