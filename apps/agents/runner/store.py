"""The database from inside an event loop: one thread, and one connection that it also closes."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 0.5


class Store:
    """Runs functions that use the ORM, one after the other."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runner-orm")

    @classmethod
    @contextlib.asynccontextmanager
    async def lent(cls, **row: UUID) -> AsyncIterator[Self]:
        """This will lend one for work on a row; a row that is gone ends the work in peace."""
        store = cls()
        try:
            yield store
        except problems.NotFound:
            log.info("row_gone", **{name: str(key) for name, key in row.items()})
        finally:
            await store.close()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """This will call a function in the database's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, partial(_call, partial(function, *args, **kwargs))
        )

    async def insist(
        self, patience: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """This will call a function again for `patience` seconds while the database is away."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            try:
                return await self.run(function, *args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if loop.time() >= deadline:
                    raise
                log.warning("database_away", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """This will close the connection in its own thread, and end the thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, connections.close_all)
        self._executor.shutdown(wait=True)


def _call(function: Callable[[], T]) -> T:
    close_old_connections()
    return function()
