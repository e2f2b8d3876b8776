"""Finding and ending processes by their marker, their folder and their start time."""

import asyncio
import os
import subprocess
import sys
import uuid
from pathlib import Path

from apps.agents import processes


def sleeper(*, marker: str = "", cwd: Path | None = None) -> subprocess.Popen[bytes]:
    env = {"PATH": os.environ["PATH"], **({processes.MARKER: marker} if marker else {})}
    return subprocess.Popen(["sleep", "600"], env=env, cwd=cwd, start_new_session=True)


def test_an_identity_is_one_process_only() -> None:
    with sleeper() as first:
        known = processes.identity(first.pid)
        assert known is not None
        assert processes.is_alive(known)
        other = processes.Identity(pid=known.pid, started=known.started + 1)
        assert not processes.is_alive(other)
        assert not processes.kill(other)
        assert processes.kill(known)

    assert not processes.is_alive(known)
    assert not processes.kill(known)
    assert processes.identity(known.pid) is None


def test_a_zombie_is_gone() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert processes.identity(child.pid) is None
    child.wait()


def test_marked_processes_are_found_and_killed_and_no_others() -> None:
    mine, other = f"sess_{uuid.uuid4().hex}", f"sess_{uuid.uuid4().hex}"
    with sleeper(marker=mine) as one, sleeper(marker=mine) as two, sleeper(marker=other) as three:
        # The marker is there once the program has replaced our fork.
        found = processes.find_marked()
        assert {known.pid for known in found[mine]} == {one.pid, two.pid}

        assert processes.kill_marked(mine) == 2

        assert (one.wait(), two.wait(), three.poll()) == (-9, -9, None)
        assert processes.kill_marked(mine) == 0
        three.kill()


def test_processes_in_a_folder_are_found_and_killed(tmp_path: Path) -> None:
    inside, beside = tmp_path / "one", tmp_path / "one-more"
    (inside / "deep").mkdir(parents=True)
    beside.mkdir()
    with sleeper(cwd=inside / "deep") as one, sleeper(cwd=beside) as two:
        assert [known.pid for known in processes.find_under(inside)] == [one.pid]

        assert processes.kill_under(inside) == 1

        assert (one.wait(), two.poll()) == (-9, None)
        two.kill()


async def test_stopping_goes_from_polite_to_final(tmp_path: Path) -> None:
    polite = "import sys; sys.stdin.read(); sys.exit(5)"
    on_term = "import signal, time; signal.signal(15, lambda *_: exit(6)); print(); time.sleep(600)"
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(); time.sleep(600)"
    codes = []
    # Only what is waited for in vain is short.
    for code, eof, terminate in ((polite, 20, 20), (on_term, 0.3, 20), (deaf, 0.3, 0.5)):
        attempt = f"sess_{uuid.uuid4().hex}"
        process = await processes.spawn(
            [sys.executable, "-u", "-c", code],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            attempt_id=attempt,
        )
        assert process.stdout is not None
        if code is not polite:
            await process.stdout.readline()
        codes.append(
            await processes.stop(process, attempt_id=attempt, eof=eof, terminate=terminate)
        )

    assert codes == [5, 6, -9]


async def test_force_does_not_wait(tmp_path: Path) -> None:
    attempt = f"sess_{uuid.uuid4().hex}"
    process = await processes.spawn(
        ["sleep", "600"], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, attempt_id=attempt
    )

    async with asyncio.timeout(20):
        assert await processes.stop(process, attempt_id=attempt, eof=600, force=True) == -9
