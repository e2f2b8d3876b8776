"""What every claim of this process needs, whatever it is on: a name, an end, a way to wait."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from apps.agents import processes, registry
from apps.agents.sandbox import choice

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from apps.agents.adapters.base import AgentAdapter
    from apps.agents.runner.lease import Lease

# More than the adapter's own patience with an agent that will not go.
FAREWELL_SECONDS = 30.0


def owner_name() -> str:
    """This will name this process for a lease: host, pid, and when the process was started."""
    known = processes.identity(os.getpid())
    started = known.started if known else 0
    return f"{socket.gethostname()}/{os.getpid()}/{started}"


def sandbox_level() -> str:
    """This will name the level of this host's sandbox, empty when there is none."""
    try:
        return str(registry.sandbox().level)
    except choice.Unavailable:
        return ""


async def until_halted(job: Coroutine[Any, Any, Any], adapter: AgentAdapter, lease: Lease) -> Any:
    """This will wait for the adapter, or make it end when the work has to."""
    working = asyncio.create_task(job)
    halting = asyncio.create_task(lease.halted.wait())
    try:
        await asyncio.wait({working, halting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            if lease.word == "lost":
                await adapter.close(force=True)
            else:
                await adapter.cancel()
            await asyncio.wait({working}, timeout=FAREWELL_SECONDS)
        if not working.done():
            lease.check()
        return await working
    finally:
        for task in (working, halting):
            task.cancel()
        await asyncio.gather(working, halting, return_exceptions=True)


@contextlib.contextmanager
def politely(lease: Lease) -> Iterator[None]:
    """This will let SIGTERM end the work with a word instead of in the middle of one."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    try:
        loop.add_signal_handler(signal.SIGTERM, lease.halt, "shutdown")
    except (ValueError, RuntimeError):
        # Not the main thread: words on the control channel must do.
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
