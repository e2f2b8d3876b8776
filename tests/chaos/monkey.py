"""What is killed, when, and by which luck."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from collections import Counter

import psycopg

from tests.ops.running import Installation, command_line, parents

# The least and the longest time between two kills.
CALM_SECONDS = (1.5, 6.0)
# What the supervisor's own children are known by.
CHILDREN = {
    "web": r"manage\.py serve",
    "agents": r"celery.*agents",
    "fast": r"celery.*fast",
    "beat": r"celery.* beat",
    "redis": r"(redis|valkey)-server",
}


class Monkey:
    """Kills one process, or one database connection, after another."""

    def __init__(self, installation: Installation, seed: int, database_url: str = "") -> None:
        self.installation = installation
        self.luck = random.Random(seed)  # noqa: S311 - the seed is printed to do it all again
        self.database_url = database_url
        self.killed: Counter[str] = Counter()

    async def rage(self, seconds: float) -> None:
        """This will kill at random for that long."""
        ends = asyncio.get_running_loop().time() + seconds
        kinds = [*CHILDREN, "pool", *(["connection"] if self.database_url else [])]
        while asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(self.luck.uniform(*CALM_SECONDS))
            kind = self.luck.choice(kinds)
            if await asyncio.to_thread(self._kill, kind):
                self.killed[kind] += 1

    def _kill(self, kind: str) -> bool:
        if kind == "connection":
            return self._cut_a_connection()
        victims = self._victims(kind)
        if not victims:
            return False
        try:
            os.kill(self.luck.choice(sorted(victims)), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _victims(self, kind: str) -> list[int]:
        tree = parents()
        children = tree.get(self.installation.process.pid, [])
        if kind == "pool":
            # A process of the pool, with the agent that it drives.
            workers = [pid for pid in children if re.search(CHILDREN["agents"], command_line(pid))]
            return [pid for worker in workers for pid in tree.get(worker, [])]
        return [pid for pid in children if re.search(CHILDREN[kind], command_line(pid))]

    def _cut_a_connection(self) -> bool:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            if not rows:
                return False
            pid = self.luck.choice(sorted(row[0] for row in rows))
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return True
