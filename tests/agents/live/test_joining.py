"""Join, then read: what commits before, between and after is shown once, on every channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from apps.accounts.models import User
from apps.agents.live import boards
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.core.live import bundles
from apps.core.live.hub import Hub, Listener
from apps.dashboard import overview
from apps.dashboard.live import overviews
from tests.every_channel import DASHBOARD, KINDS, PROJECTS, Kind
from tests.live import do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def after(function: Callable[..., Any], then: Callable[[], Any]) -> Callable[..., Any]:
    """A reading after which something commits at once, the first time."""
    first = iter([then])

    def reading(*args: Any, **more: Any) -> Any:
        found = function(*args, **more)
        for commit in first:
            commit()
        return found

    return reading


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_nothing_falls_between_joining_and_reading(
    ada: User,
    board: Board,
    columns: dict[str, Column],
    kind: Kind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def make(title: str) -> Callable[[], None]:
        def commit() -> None:
            column = columns["backlog"]
            card = operations.create_card(actor=actor_of(ada), column=column, title=title)
            made.append(card.public_id)

        return commit

    await do(make("Before"))
    join = Hub.join
    topics = {f"board.{board.public_id}"}

    async def joining(self: Hub, topic: str, listener: Listener) -> None:
        await join(self, topic, listener)
        if topic in topics:
            topics.clear()
            await do(make("Between joining and reading"))

    monkeypatch.setattr(Hub, "join", joining)
    late = make("Between reading and sending")
    monkeypatch.setattr(boards, "read_raw", after(boards.read_raw, late))
    monkeypatch.setattr(overview, "overview", after(overview.overview, late))
    if kind is PROJECTS:
        monkeypatch.setattr(bundles, "read", after(bundles.read, late))

    async with kind.open(board, ada) as client:
        if kind is PROJECTS:
            # From the beginning, so that all of it is to be heard.
            await kind.begin(client, board, f"{board.public_id}:0")
            heard = [(await client.next())["data"]["id"] for _ in range(3)]
        elif kind.is_of_board:
            state = (await kind.begin(client, board))["payload"]
            assert set(state["cards"]) == set(made[:2])
            heard = [*made[:2], (await client.next())["payload"]["card"]["id"]]
        else:
            shown = await kind.begin(client, board)
            while shown["payload"]["projectSnapshots"][0]["totalCards"] < 3:
                shown = await client.next()
            return
        assert heard == made
        assert len(made) == 3
        assert await client.silent(0.2)


async def test_viewers_of_dashboards_that_come_and_go_are_no_news_to_others(
    ada: User, bob: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "TOPICS_SECONDS", 0.1)
    monkeypatch.setattr(overviews, "SEEN_SECONDS", 0.05)
    monkeypatch.setattr(overviews, "SECONDS_BETWEEN", 0.05)
    async with DASHBOARD.open(board, ada) as client:
        await DASHBOARD.begin(client, board)
        async with DASHBOARD.open(board, bob) as other:
            await DASHBOARD.begin(other, board)
            assert await client.silent(0.5)
        assert await client.silent(0.5)
