"""The machine that is measured on: its description, its cores, and what processes use of it."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
# From this many cores on, the measured process does not share its core with those that measure.
CORES_TO_PIN = 4


def describe() -> dict[str, Any]:
    """This will say what the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or "unknown",
    )
    memory = next(
        (
            int(line.split()[1]) // 1024
            for line in _read("/proc/meminfo").splitlines()
            if line.startswith("MemTotal")
        ),
        0,
    )
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memoryMb": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "node": _version("node"),
        "loadAtStart": [round(one, 2) for one in os.getloadavg()],
    }


def _version(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        return ""
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def allow_many_files() -> None:
    """This will let this process and its children hold thousands of sockets."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def pin(pid: int, cores: Iterable[int]) -> None:
    """This will keep a process and its threads on some cores, where there are enough of them."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < CORES_TO_PIN:
        return
    chosen = {available[core % len(available)] for core in cores}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), chosen)


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """This will give the processor time a process has used, also by children that have ended."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if not fields:
        return 0.0
    used = int(fields[11]) + int(fields[12])
    if with_children:
        used += int(fields[13]) + int(fields[14])
    return used / TICKS


def resident_kb(pid: int) -> int:
    """This will give the memory a process holds, its part of what it shares included."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def below(pid: int) -> list[int]:
    """This will list the processes below one, however deep."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _read(str(stat)).rpartition(")")[2].split()
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in parents.get(parent, [])]
        found += level
    return found
