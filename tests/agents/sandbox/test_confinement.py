"""What a confined program can and cannot do, at each level this machine has."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.agents.sandbox import base, choice, system
from tests.agents.adapters import stage

LEVELS = [level for level in stage.levels() if level is not base.Level.NONE]


def run(
    world: stage.World, level: base.Level, script: str, **fields: Any
) -> subprocess.CompletedProcess[str]:
    confinement = base.Confinement(
        worktree=world.worktree, home=world.home, git_dir=world.git_dir, **fields
    )
    return subprocess.run(
        choice.choose(level).wrap(["/bin/sh", "-c", script], confinement),
        cwd=world.worktree,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(world.home),
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.test",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.test",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> base.Level:
    assert isinstance(request.param, base.Level)
    return request.param


def test_the_worktree_and_the_home_can_be_written(world: stage.World, level: base.Level) -> None:
    done = run(world, level, "echo a > a.txt && echo b > $HOME/b.txt && cat readme.md")

    assert (done.returncode, done.stdout) == (0, "# Example\n")
    assert (world.worktree / "a.txt").read_text() == "a\n"
    assert (world.home / "b.txt").read_text() == "b\n"


def test_work_can_be_committed(world: stage.World, level: base.Level) -> None:
    done = run(world, level, "echo a > a.txt && git add a.txt && git commit -q -m Work && git log")

    assert done.returncode == 0, done.stderr
    assert stage.git(world.worktree, "log", "-1", "--format=%s") == "Work\n"
    assert stage.git(world.repository, "log", "-1", "--format=%s", "feat/one") == "Work\n"


def test_other_worktrees_homes_and_data_cannot_be_read(
    world: stage.World, level: base.Level
) -> None:
    other = world.worktree.parent / "two"
    other.mkdir()
    (other / "secret").write_text("secret")
    secret = world.home.parent.parent / "database"
    secret.write_text("secret")

    for path in (other / "secret", secret, world.repository / "readme.md"):
        done = run(world, level, f"cat {path}")
        assert done.returncode != 0
        assert done.stdout == ""


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/ssl/private", "/root/.bashrc", str(Path.home() / ".ssh")]
)
def test_secrets_of_the_machine_cannot_be_read(
    world: stage.World, level: base.Level, path: str
) -> None:
    done = run(world, level, f"cat {path} || ls {path}/")

    assert done.returncode != 0
    assert done.stdout == ""


def test_the_code_can_be_read_but_not_what_lies_beside_it(
    world: stage.World, level: base.Level
) -> None:
    beside = [path for path in system.CODE.iterdir() if path.is_file()]
    assert run(world, level, f"cat {system.CODE}/apps/__init__.py").returncode == 0

    for path in beside:
        assert run(world, level, f"cat {path}").returncode != 0


def test_nothing_outside_can_be_written(world: stage.World, level: base.Level) -> None:
    targets = [world.worktree.parent / "new", world.repository / "readme.md", Path("/usr/new")]
    targets += [system.CODE / "apps" / "new.py", Path(sys.prefix) / "new"]

    for path in targets:
        # A sandbox may show an empty folder of its own there; nothing must come through.
        run(world, level, f"echo x > {path}")
        assert not path.exists() or "x" not in path.read_text().split()


@pytest.mark.parametrize(
    "plant",
    [
        "echo x > {git}/hooks/pre-commit",
        "mkdir -p {git}/hooks && echo x > {git}/hooks/post-checkout",
        "git config core.fsmonitor ./evil",
        "git config --worktree core.fsmonitor ./evil",
        "echo '[core]' >> {git}/config",
        "mv {git}/config {git}/config.old",
        "mv {git}/hooks {git}/hooks.old",
        "echo x > {git}/info/attributes",
        "echo x >> {git}/HEAD",
        "rm {git}/index",
        "mkdir {git}/worktrees/evil",
    ],
)
def test_hooks_and_configuration_cannot_be_planted(
    world: stage.World, level: base.Level, plant: str
) -> None:
    before = snapshot(world.git_dir)

    done = run(world, level, plant.format(git=world.git_dir))

    assert done.returncode != 0
    assert snapshot(world.git_dir) == before


@pytest.mark.parametrize(
    "plant",
    [
        "rm -f .git && echo gitdir: $HOME > .git",
        "mv .git moved",
        "echo gitdir: $HOME > .git",
        "echo $HOME > {own}/commondir",
        "rm {own}/gitdir",
    ],
)
def test_the_pointers_between_worktree_and_repository_stay(world: stage.World, plant: str) -> None:
    """Mounts can protect a file in a folder that may be written; Landlock cannot."""
    if base.Level.BUBBLEWRAP not in LEVELS:
        pytest.skip("bubblewrap does not work here")
    own = world.git_dir / "worktrees" / "one"
    before = ((world.worktree / ".git").read_text(), snapshot(own))

    run(world, base.Level.BUBBLEWRAP, plant.format(own=own))

    assert ((world.worktree / ".git").read_text(), snapshot(own)) == before


def test_planning_writes_nothing(world: stage.World, level: base.Level) -> None:
    script = "echo a > a.txt; rm readme.md; git commit -q --allow-empty -m x; echo b > $HOME/b.txt"

    run(world, level, script, readonly=True)

    assert world.status() == ""
    assert stage.git(world.worktree, "log", "--format=%s") == "Begin\n"
    assert (world.home / "b.txt").exists()


def test_processes_outside_cannot_be_reached(world: stage.World, level: base.Level) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        done = run(world, level, f"kill -9 {other.pid}; cat /proc/{other.pid}/environ; :")

        assert done.stdout == ""
        assert other.poll() is None
        other.kill()


def test_nobody_keeps_capabilities(world: stage.World, level: base.Level) -> None:
    done = run(world, level, "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status")

    assert done.stdout.split()[1::2] == ["0" * 16] * 4


def test_an_isolated_network_reaches_nothing(world: stage.World, level: base.Level) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"{sys.executable} -c \"import socket; socket.create_connection(('127.0.0.1', "
        script += f'{port}), 2)"'

        done = run(world, level, script, network="none")

    assert done.returncode != 0


def test_landlock_lets_through_only_the_ports_it_is_told(world: stage.World) -> None:
    if base.Level.LANDLOCK not in LEVELS:
        pytest.skip("the kernel has no Landlock")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"{sys.executable} -c \"import socket; socket.create_connection(('127.0.0.1', "
        script += f'{port}), 2)"'

        refused = run(world, base.Level.LANDLOCK, script)
        let_through = run(world, base.Level.LANDLOCK, script, connect_ports=(port,))

    assert refused.returncode != 0
    assert "PermissionError" in refused.stderr
    assert let_through.returncode == 0


def test_limits_hold(world: stage.World, level: base.Level) -> None:
    rlimits = base.Rlimits(file_bytes=100 * 1024, open_files=64, nice=7)

    done = run(
        world,
        level,
        "ulimit -c; ulimit -n; nice; head -c 1000000 /dev/zero > big; wc -c < big",
        rlimits=rlimits,
    )

    assert done.stdout.split() == ["0", "64", str(7 + os.nice(0)), str(100 * 1024)]


def test_a_program_that_is_missing_inside_is_told(world: stage.World, level: base.Level) -> None:
    command = choice.choose(level).wrap(
        ["no-such-program"], base.Confinement(worktree=world.worktree, home=world.home)
    )
    done = subprocess.run(
        command, cwd=world.worktree, check=False, capture_output=True, text=True, timeout=20
    )

    assert done.returncode == 127
    assert "No such file or directory" in done.stderr


def test_killing_bubblewrap_kills_everything_in_it(world: stage.World) -> None:
    if base.Level.BUBBLEWRAP not in LEVELS:
        pytest.skip("bubblewrap does not work here")
    confinement = base.Confinement(worktree=world.worktree, home=world.home)
    command = choice.choose("bubblewrap").wrap(
        ["/bin/sh", "-c", "setsid sleep 600 & echo $! ; sleep 600"], confinement
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        # The pipe closes when the last of those inside has gone.
        assert process.stdout.read() == ""


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
