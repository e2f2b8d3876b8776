"""Whatever ends a right ends what it opened, on every channel, with the next look at it.

How soon that is follows from two things: how often a process looks, and that one look is enough.
Both are tested as such, since a limit in seconds says more of the machine than of the product. Real
processes are tested with such a limit as well, in `test_two_processes.py`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts import credentials
from apps.accounts.models import ApiToken, User
from apps.agents.live import access
from apps.boards.models import Board
from apps.core.live import hub as hubs
from apps.core.live import work
from apps.core.live.hub import Hub
from apps.dashboard.live import overviews
from apps.orgs.models import Membership, Organization
from apps.projects.models import Project, ProjectMember
from tests import every_channel, factories
from tests.every_channel import KINDS, Kind
from tests.live import do, hub

pytestmark = pytest.mark.django_db(transaction=True)

# What a process may take for the looking itself, of the second that is promised.
PROMISED = 1.0


@pytest.fixture
async def live_hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """A hub that looks when the test says so, and never by itself."""
    monkeypatch.setattr(hubs, "PULSE_SECONDS", 3600.0)
    async with hub() as found:
        yield found


def removed(bob: User, board: Board) -> None:
    ProjectMember.objects.filter(user=bob).delete()


def out_of_the_organization(bob: User, board: Board) -> None:
    ProjectMember.objects.filter(user=bob).delete()
    Membership.objects.filter(user=bob).delete()


def project_deleted(bob: User, board: Board) -> None:
    Project.objects.filter(pk=board.project_id).delete()


def token_revoked(bob: User, board: Board) -> None:
    ApiToken.objects.filter(user=bob).update(revoked_at=timezone.now())


def token_expired(bob: User, board: Board) -> None:
    ApiToken.objects.filter(user=bob).update(expires_at=timezone.now() - dt.timedelta(seconds=1))


def disabled(bob: User, board: Board) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)


def user_deleted(bob: User, board: Board) -> None:
    bob.delete()


def password_changed(bob: User, board: Board) -> None:
    bob.refresh_from_db()
    bob.set_password("another very long walk")
    bob.token_version += 1
    bob.save()


def organization_of(bob: User, board: Board) -> Organization:
    found = factories.Organization.create()
    Membership.objects.create(organization=found, user=bob)
    Project.objects.filter(pk=board.project_id).update(organization=found)
    return found


def token_of(bob: User) -> str:
    secret = credentials.new_secret(credentials.TOKEN_PREFIX)
    factories.ApiToken.create(user=bob, digest=credentials.digest(secret), expires_at=None)
    return secret


CREDENTIALS = (token_revoked, token_expired, disabled, user_deleted, password_changed)
ACCESS = (removed, out_of_the_organization, project_deleted)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("ends", CREDENTIALS, ids=lambda ends: ends.__name__)
async def test_one_look_after_credentials_ended_ends_the_connection(
    live_hub: Hub, bob: User, board: Board, kind: Kind, ends: Callable[[User, Board], None]
) -> None:
    secret = await do(token_of, bob)
    async with kind.open(board, Authorization=f"Bearer {secret}") as client:
        await kind.begin(client, board)
        await live_hub.guards.check(0)
        await do(ends, bob, board)
        await live_hub.guards.check(0)
        code = 0 if isinstance(client, every_channel.Stream) else 4001
        assert (await client.closing())[0] == code


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("ends", ACCESS, ids=lambda ends: ends.__name__)
async def test_one_look_after_access_ended_ends_or_narrows_the_connection(
    live_hub: Hub, bob: User, board: Board, kind: Kind, ends: Callable[[User, Board], None]
) -> None:
    if ends is out_of_the_organization:
        await do(organization_of, bob, board)
    async with kind.open(board, bob) as client:
        first = await kind.begin(client, board)
        await live_hub.guards.check(0)
        await do(ends, bob, board)
        await live_hub.guards.check(0)
        if kind is every_channel.PROJECTS:
            said = (await client.until("unsubscribed"))[-1]
            assert said["data"] == {
                "projectId": board.project.public_id,
                "reason": "access_ended",
            }
            await client.say("ping")
            assert (await client.next())["type"] == "pong"
        elif kind.is_of_board:
            code = 0 if isinstance(client, every_channel.Stream) else 4403
            assert (await client.closing())[0] == code
        else:
            assert len(first["payload"]["projectSnapshots"]) == 1
            shown = (await client.until("dashboard_overview"))[-1]
            assert shown["payload"]["projectSnapshots"] == []


async def test_a_session_that_ends_ends_what_it_opened(
    live_hub: Hub, bob: User, board: Board
) -> None:
    browser = Client()
    await do(browser.force_login, bob)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    clients = [kind.open(board, Cookie=cookie) for kind in KINDS]
    for kind, client in zip(KINDS, clients, strict=True):
        await client.__aenter__()
        await kind.begin(client, board)
    await live_hub.guards.check(0)
    await do(Session.objects.all().delete)
    await live_hub.guards.check(0)
    for client in clients:
        assert (await client.closing())[0] in {0, 4001}
        await client.__aexit__(None, None, None)


async def test_a_process_looks_at_all_rights_twice_a_second(
    bob: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rest of the second is for the look itself, which is a few statements for everybody.
    assert hubs.PULSE_SECONDS <= PROMISED / 2
    assert overviews.SECONDS_BETWEEN + overviews.SEEN_SECONDS < PROMISED
    monkeypatch.setattr(hubs, "PULSE_SECONDS", 0.01)
    looks = asyncio.Semaphore(0)
    inspect = access.inspect

    def counting(claims: set[access.Claim]) -> dict[access.Claim, object]:
        loop.call_soon_threadsafe(looks.release)
        return dict(inspect(claims))

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(access, "inspect", counting)
    async with hub(), every_channel.BOARD.open(board, bob) as client:
        await every_channel.BOARD.begin(client, board)
        async with asyncio.timeout(20):
            for _ in range(5):
                await looks.acquire()


async def test_a_look_does_not_wait_for_those_who_read(
    live_hub: Hub, bob: User, board: Board
) -> None:
    """Snapshots of large boards take threads for as long as they like; looks have their own."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    async with every_channel.BOARD.open(board, bob) as client:
        await every_channel.BOARD.begin(client, board)
        reading = [asyncio.ensure_future(work.run(read)) for _ in range(64)]
        try:
            await asyncio.sleep(0)
            await work.act(removed, bob, board)
            async with asyncio.timeout(10):
                await live_hub.guards.check(0)
                assert (await client.closing())[0] == 4403
        finally:
            release.set()
            await asyncio.gather(*reading)
