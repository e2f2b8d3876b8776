"""Which agents this host has: found on the path, asked for their version, remembered a while."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apps.agents.adapters import presets
from apps.agents.sandbox import system

CACHE_SECONDS = 300.0
_TIMEOUT = 10.0
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[-+.][\w.]+)?")


@dataclass(frozen=True, kw_only=True)
class Availability:
    """What was found. `paths` must be readable in the sandbox for the program to run there."""

    state: Literal["available", "not_found", "auth_required", "error"]
    path: str = ""
    version: str = ""
    detail: str = ""
    paths: tuple[Path, ...] = ()

    @property
    def found(self) -> bool:
        """This will be true when the program is there and can be started."""
        return self.state in {"available", "auth_required"}


_cache: dict[tuple[str, tuple[str, ...], str], tuple[float, Availability]] = {}


async def probe(
    preset: presets.Preset,
    *,
    command: tuple[str, ...] = (),
    has_credential: bool = True,
    search: str | None = None,
    fresh: bool = False,
) -> Availability:
    """This will look for an agent's program and ask its version; no session, no account.

    `command` replaces the preset's own, `search` is a path list (default: PATH). Answers are kept
    for five minutes unless `fresh`. Without a credential an agent that needs one is reported as
    `auth_required`, though it may have a login of its own.
    """
    full = command or preset.command
    key = (preset.id, full, search or os.environ.get("PATH", ""))
    known = _cache.get(key)
    if fresh or known is None or time.monotonic() - known[0] > CACHE_SECONDS:
        known = (time.monotonic(), await _look(preset, full, search=search))
        _cache[key] = known
    found = known[1]
    if found.state == "available" and preset.needs_credential and not has_credential:
        return Availability(
            state="auth_required",
            path=found.path,
            version=found.version,
            detail=preset.login,
            paths=found.paths,
        )
    return found


async def probe_all(*, fresh: bool = False) -> dict[str, Availability]:
    """This will look for all agents at once: availability by preset id."""
    known = presets.REGISTRY
    found = await asyncio.gather(*(probe(preset, fresh=fresh) for preset in known))
    return {preset.id: result for preset, result in zip(known, found, strict=True)}


def first_choice(found: dict[str, Availability], *, credentials: Sequence[str] = ()) -> str:
    """This will be the preset for a first attempt: the first that can work, else the demo.

    `credentials` are the providers there is a key for.
    """
    for preset in presets.REGISTRY:
        if preset.id in {"custom", "command", "demo"} or not found[preset.id].found:
            continue
        if not preset.needs_credential or set(credentials) & preset.providers.keys():
            return preset.id
    return presets.DEMO.id


async def _look(
    preset: presets.Preset, command: tuple[str, ...], *, search: str | None
) -> Availability:
    if not command:
        return Availability(state="not_found", detail="No command is set")
    path = await asyncio.to_thread(shutil.which, command[0], path=search)
    if path is None:
        hint = f"Install {preset.package} {preset.version}".strip() if preset.package else ""
        return Availability(state="not_found", detail=f"{command[0]} was not found. {hint}".strip())
    paths = tuple(await asyncio.to_thread(system.program_paths, command[0], search=search))
    package = await asyncio.to_thread(_package, Path(path))
    needed = _needed_node(package) or preset.node
    trouble = await _node_trouble(needed, search=search) if needed else ""
    version = package.get("version")
    if not trouble and version is None and preset.version_args:
        version, trouble = await _ask_version([path, *preset.version_args], search=search)
    return Availability(
        state="error" if trouble else "available",
        path=path,
        version=str(version or ""),
        detail=trouble,
        paths=paths,
    )


async def _ask_version(command: Sequence[str], *, search: str | None) -> tuple[str, str]:
    """A program's version, and what is wrong with it."""
    code, output = await _ask(command, search=search)
    if code is None:
        return "", output
    # Adapters without a version of their own still start; only silence is a bad sign.
    found = _VERSION.search(output)
    return found[0] if found and code == 0 else "", ""


def _package(launcher: Path) -> dict[str, Any]:
    """Read what an npm package says of itself; nothing for programs that are none.

    `npm install` on an old Node picks an old release, so the installed one is asked, not ours.
    """
    for folder in launcher.resolve().parents:
        if folder.name == "node_modules":
            break
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((folder / "package.json").read_text(encoding="utf-8"))
            if isinstance(found, dict) and "name" in found:
                return found
    return {}


def _needed_node(package: dict[str, Any]) -> int:
    engines = package.get("engines")
    wanted = engines.get("node") if isinstance(engines, dict) else None
    major = re.search(r"\d+", wanted) if isinstance(wanted, str) else None
    return int(major[0]) if major else 0


async def _node_trouble(needed: int, *, search: str | None) -> str:
    node = shutil.which("node", path=search)
    if node is None:
        return f"It needs Node {needed} or newer, and there is none"
    _, output = await _ask([node, "--version"], search=search)
    major = re.search(r"v?(\d+)\.", output)
    if major is None or int(major[1]) < needed:
        return f"It needs Node {needed} or newer; this is {output.strip() or 'unknown'}"
    return ""


async def _ask(command: Sequence[str], *, search: str | None) -> tuple[int | None, str]:
    """Run a version command: exit code and output, or None and why it did not answer."""
    passed = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    env = {**passed, "PATH": search or os.environ.get("PATH", os.defpath)}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return None, f"It does not start: {error.strerror}"
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout=_TIMEOUT)
    except TimeoutError:
        process.kill()
        return None, f"It did not tell its version within {_TIMEOUT:g} seconds"
    return process.returncode, output.decode(errors="replace")[:500]
