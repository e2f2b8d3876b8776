"""Which sandbox this host offers, found out once when a worker starts."""

import functools
from dataclasses import dataclass

from apps.agents.sandbox import base, bubblewrap, kernel

LEVELS = ("auto", *(str(level) for level in base.Level))


class Unavailable(Exception):
    """The level that was asked for does not work on this host."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was chosen, and what became of each level that was tried."""

    sandbox: base.Sandbox
    reasons: tuple[tuple[base.Level, str], ...]

    @property
    def level(self) -> base.Level:
        """This will be the level in force."""
        return self.sandbox.level


@functools.lru_cache(maxsize=4)
def find(level: str = "auto") -> Found:
    """This will try the levels from the strongest down and keep the first that works.

    A level given by name is taken or refused, never replaced by a weaker one.

    Raises:
        Unavailable: when the named level does not work here or is unknown.
    """
    if level not in LEVELS:
        raise Unavailable(f"there is no sandbox level {level!r}; known are {', '.join(LEVELS)}")
    reasons: list[tuple[base.Level, str]] = []
    for candidate, probe in (
        (base.Level.BUBBLEWRAP, bubblewrap.probe),
        (base.Level.LANDLOCK, kernel.probe),
    ):
        if level not in {"auto", candidate}:
            continue
        sandbox, reason = probe()
        reasons.append((candidate, reason))
        if sandbox is not None:
            return Found(sandbox=sandbox, reasons=tuple(reasons))
    if level not in {"auto", base.Level.NONE}:
        raise Unavailable(reasons[-1][1])
    reasons.append((base.Level.NONE, "agents run with the rights of the worker"))
    return Found(sandbox=base.Nothing(), reasons=tuple(reasons))


def choose(level: str = "auto") -> base.Sandbox:
    """This will be the sandbox for a level, probed once in a process.

    Raises:
        Unavailable: as `find`.
    """
    return find(level).sandbox


def allowed(level: base.Level, *, multi_user: bool, override: bool) -> bool:
    """This will tell whether agents may run: unconfined only for one person or by decree."""
    return level is not base.Level.NONE or not multi_user or override
