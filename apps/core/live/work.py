"""Database work of live connections: a few kept threads, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from django.db import close_old_connections

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

READERS = 8
# Commands have threads of their own: one that waits for an agent to stop holds no reader up.
ACTORS = 8
# What a process asks for everybody does not wait behind those who read large boards.
LOOKERS = 1


def _pools() -> tuple[ThreadPoolExecutor, ThreadPoolExecutor, ThreadPoolExecutor]:
    return (
        ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="live-read"),
        ThreadPoolExecutor(max_workers=ACTORS, thread_name_prefix="live-act"),
        ThreadPoolExecutor(max_workers=LOOKERS, thread_name_prefix="live-look"),
    )


_readers, _actors, _lookers = _pools()


async def run(function: Callable[..., T], *args: object) -> T:
    """This will read: it calls a synchronous function in a thread and gives what it gives.

    Connections that are too old are closed around the call, not around every message.
    """
    return await _in(_readers, function, args)


async def act(function: Callable[..., T], *args: object) -> T:
    """This will do what a client commands; it may take long."""
    return await _in(_actors, function, args)


async def look(function: Callable[..., T], *args: object) -> T:
    """This will read what is read again and again for a whole process, and takes no time."""
    return await _in(_lookers, function, args)


async def _in(
    threads: ThreadPoolExecutor, function: Callable[..., T], args: tuple[object, ...]
) -> T:
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, lambda: context.run(_call, function, args))


def _call(function: Callable[..., T], args: tuple[object, ...]) -> T:
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()


def stop() -> None:
    """This will end the threads, and with them their connections; the next call starts others."""
    global _readers, _actors, _lookers
    for threads in (_readers, _actors, _lookers):
        threads.shutdown(wait=True)
    _readers, _actors, _lookers = _pools()
