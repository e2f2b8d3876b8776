"""People who go on working while everything around them dies: every write is done once."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from typing import Any

import httpx

# How long a person tries the same thing again before giving up on the server.
PATIENCE_SECONDS = 120.0
BUSY = {429, 500, 502, 503}
PROMPTS = (
    "@say Done.",
    "@say One.\n@say Two.\n@say Three.",
    "@run echo hi > note.txt",
    "@slow 3\n@say Done.",
)


STEPS = ("create", "move", "move", "move", "update", "run", "run", "stop", "say", "delete")
FEW, MANY = 5, 60


class Refused(AssertionError):
    """The server said no to what is right, or never answered."""


class Person:
    """One client of the REST interface."""

    def __init__(self, origin: str, token: str = "") -> None:
        self.client = httpx.AsyncClient(base_url=f"{origin}/api/v1/", timeout=20)
        self.token = token
        self.again = 0
        # Requests that came to no answer: perhaps they were done, perhaps not.
        self.unanswered = 0

    async def ask(
        self, method: str, path: str, body: Any = None, *, allow: tuple[int, ...] = ()
    ) -> Any:
        """This will ask until there is an answer; a POST carries the same key each time."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE_SECONDS
        last = "no answer"
        while loop.time() < ends:
            try:
                answer = await self.client.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                last = repr(error)
                self.unanswered += 1
            else:
                if answer.status_code < 300:
                    return answer.json()["data"] if answer.content else None
                if answer.status_code in allow:
                    return None
                last = f"{answer.status_code} {answer.text}"
                if answer.status_code not in BUSY and not self._may_pass(answer):
                    break
            self.again += 1
            await asyncio.sleep(0.3)
        raise Refused(f"{method} {path}: {last}")

    @staticmethod
    def _may_pass(answer: httpx.Response) -> bool:
        """True while an earlier request with the same key is at work, or its process was killed."""
        return answer.status_code == 409 and "Retry-After" in answer.headers


class Team:
    """Moves, makes, changes and deletes cards, and lets agents work on them."""

    def __init__(self, person: Person, path: str, columns: list[str], seed: int) -> None:
        self.person = person
        self.path = path
        self.columns = columns
        self.luck = random.Random(seed)  # noqa: S311 - the seed is printed to do it all again
        self.doing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.doing.set_result(None)
        self.made: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.done: Counter[str] = Counter()

    async def work(self) -> None:
        """This will do one thing after another until it is cancelled."""
        while True:
            step = self.luck.choice(STEPS if len(self.made) > FEW else ("create",))
            if step == "create" and len(self.made) > MANY:
                step = "delete"
            # Whatever was begun is done to its end: people know what they were told.
            self.doing = asyncio.ensure_future(self._do(step))
            await asyncio.shield(self.doing)
            await asyncio.sleep(self.luck.uniform(0.05, 0.4))

    async def _do(self, step: str) -> None:
        await getattr(self, f"_{step}")()
        self.done[step] += 1

    def _one(self) -> str:
        return self.luck.choice(sorted(self.made))

    async def _create(self) -> None:
        title = f"Card {len(self.made) + len(self.deleted)}"
        body = {"columnId": self.columns[0], "title": title, "prompt": self.luck.choice(PROMPTS)}
        card = await self.person.ask("POST", f"{self.path}/cards", body)
        assert card["id"] not in self.made, "one card was made twice"
        self.made[card["id"]] = title

    async def _move(self) -> None:
        # Only columns without agents: who starts and stops them is what the other steps are for.
        to = self.luck.choice((self.columns[0], self.columns[-1]))
        body = {"columnId": to, "position": self.luck.randrange(10)}
        await self.person.ask("PATCH", f"{self.path}/cards/{self._one()}/move", body, allow=(409,))

    async def _update(self) -> None:
        card = self._one()
        self.made[card] = f"Card {self.luck.randrange(10**6)}"
        await self.person.ask("PATCH", f"{self.path}/cards/{card}", {"title": self.made[card]})

    async def _run(self) -> None:
        path = f"{self.path}/cards/{self._one()}/attempts"
        await self.person.ask("POST", path, {"agent": "demo"}, allow=(409,))

    async def _stop(self) -> None:
        await self.person.ask("POST", f"{self.path}/cards/{self._one()}/agent/cancel")

    async def _say(self) -> None:
        path = f"{self.path}/cards/{self._one()}/agent/message"
        await self.person.ask("POST", path, {"content": "@say Once more."}, allow=(409,))

    async def _delete(self) -> None:
        if len(self.made) <= FEW:
            return
        card = self._one()
        del self.made[card]
        self.deleted.add(card)
        # Gone already when the answer to the first request was lost.
        await self.person.ask("DELETE", f"{self.path}/cards/{card}?force=true", allow=(404,))
