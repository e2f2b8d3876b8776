from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import credentials
from apps.accounts.models import ApiToken, RealtimeTicket, Role, User
from apps.agents.live import access
from apps.agents.live.access import Claim
from apps.agents.live.socket import BoardSocket
from apps.boards.models import Board
from apps.core import problems
from apps.core.live.sinks import ACCESS_ENDED, SIGN_IN_AGAIN
from apps.orgs.models import Membership, Organization
from apps.projects.models import Project, ProjectMember
from tests import factories
from tests.live import SOON, Connection, bearer, do, hub

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def leave(user: User, board: Board) -> None:
    ProjectMember.objects.filter(user=user, project=board.project).delete()


def lock_out(user: User, board: Board) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User, board: Board) -> None:
    User.objects.filter(pk=user.pk).update(token_version=2)


def delete_board(user: User, board: Board) -> None:
    board.delete()


@pytest.mark.parametrize(
    ("ends", "code"),
    [(leave, 4403), (lock_out, 4001), (change_password, 4001), (delete_board, 4403)],
)
async def test_access_that_ends_ends_the_connection_within_a_second(
    bob: User, board: Board, ends: Callable[[User, Board], None], code: int
) -> None:
    path = f"/api/v1/ws?boardId={board.public_id}"
    async with Connection(BoardSocket.application, path, bearer(bob)) as client:
        await client.until("state")
        await do(ends, bob, board)
        began = time.monotonic()
        assert (await client.closing())[0] == code
        assert time.monotonic() - began < SOON


async def test_a_revoked_token_ends_its_connections_and_no_others(ada: User, board: Board) -> None:
    secret = credentials.new_secret(credentials.TOKEN_PREFIX)
    token = await do(
        factories.ApiToken.create, user=ada, digest=credentials.digest(secret), expires_at=None
    )
    path = f"/api/v1/ws?boardId={board.public_id}"
    async with (
        Connection(BoardSocket.application, f"{path}&token={secret}") as mine,
        Connection(BoardSocket.application, path, bearer(ada)) as other,
    ):
        await mine.until("state")
        await other.until("state")
        await do(ApiToken.objects.filter(pk=token.pk).update, revoked_at=timezone.now())
        assert (await mine.closing())[0] == 4001
        assert await other.silent(0.7)


async def test_signing_out_ends_the_connections_of_that_session(ada: User, board: Board) -> None:
    browser = Client()
    await do(browser.force_login, ada)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    path = f"/api/v1/ws?boardId={board.public_id}"
    async with Connection(BoardSocket.application, path, {"Cookie": cookie}) as client:
        await client.until("state")
        await do(browser.logout)
        assert (await client.closing())[0] == 4001


async def test_a_ticket_opens_one_connection(ada: User, board: Board) -> None:
    secret = credentials.new_secret()
    await do(
        RealtimeTicket.objects.create,
        digest=credentials.digest(secret),
        user=ada,
        token_version=ada.token_version,
        expires_at=timezone.now() + dt.timedelta(seconds=30),
    )
    path = f"/api/v1/ws?boardId={board.public_id}&ticket={secret}"
    async with Connection(BoardSocket.application, path) as first:
        await first.until("state")
        async with Connection(BoardSocket.application, path) as second:
            assert (await second.closing())[0] == 4001


def claim(user: User, board: Board | None, **changes: Any) -> Claim:
    facts: dict[str, Any] = {
        "user_id": user.pk,
        "token_version": user.token_version,
        "expires_at": None,
        "token_id": None,
        "session_key": "",
        "board_id": board.pk if board else None,
    }
    return Claim(**{**facts, **changes})


async def test_a_command_is_the_persons_as_the_role_is_now(root: User) -> None:
    kept = credentials.Credentials(user=root, kind="jwt", token_version=root.token_version)
    await do(User.objects.filter(pk=root.pk).update, role=Role.USER)
    assert kept.user.is_super_admin
    assert not (await do(access.actor_of, kept)).person.is_super_admin
    await do(User.objects.filter(pk=root.pk).update, token_version=2)
    with pytest.raises(problems.Unauthorized):
        await do(access.actor_of, kept)


async def test_the_claims_of_a_project_and_of_admins_hold_for_those_who_see_them(
    ada: User, bob: User, eve: User, root: User, board: Board
) -> None:
    people = [ada, bob, eve, root]
    claims = {claim(user, None, project_id=board.project_id): user for user in people}
    endings = await do(access.inspect, set(claims))
    assert {claims[key] for key in endings} == {eve}
    of_admins = {claim(user, None, of_admins=True): user for user in people}
    endings = await do(access.inspect, set(of_admins))
    assert {of_admins[key] for key in endings} == {ada, bob, eve}
    await do(board.project.delete)
    endings = await do(access.inspect, set(claims))
    assert {ending.code for ending in endings.values()} == {ACCESS_ENDED}
    assert set(endings) == set(claims)


async def test_a_claim_ends_when_its_credentials_do(ada: User) -> None:
    past = timezone.now() - dt.timedelta(seconds=1)
    fine = claim(ada, None, expires_at=past + dt.timedelta(hours=1))
    ended = [
        claim(ada, None, expires_at=past),
        claim(ada, None, token_version=2),
        claim(ada, None, session_key="nonsense"),
        claim(ada, None, token_id=ada.pk),
    ]
    endings = await do(access.inspect, {fine, *ended})
    assert {key: ending.code for key, ending in endings.items()} == dict.fromkeys(
        ended, SIGN_IN_AGAIN
    )


async def test_the_claims_of_a_board_hold_exactly_for_those_who_see_it(
    ada: User, bob: User, eve: User, root: User, organization: Organization, board: Board
) -> None:
    def prepare() -> list[User]:
        carol = factories.User.create(email="carol@example.org")
        Membership.objects.create(organization=organization, user=carol)
        Project.objects.filter(pk=board.project_id).update(organization=organization)
        return [ada, bob, eve, root, carol]

    people = await do(prepare)
    claims = {claim(user, board): user for user in people}
    endings = await do(access.inspect, set(claims))
    for key, user in claims.items():
        sees = await do(Board.objects.visible_to(user).filter(pk=board.pk).exists)
        assert (key not in endings) == sees, user.email
    assert {ending.code for ending in endings.values()} == {ACCESS_ENDED}


async def test_inspecting_takes_as_many_statements_for_a_hundred_as_for_one(
    ada: User, board: Board, django_assert_max_num_queries: Any
) -> None:
    def inspect(claims: set[Claim]) -> None:
        with django_assert_max_num_queries(7):
            assert access.inspect(claims) == {}

    def prepare() -> set[Claim]:
        users = [factories.User.create() for _ in range(30)]
        for user in users:
            ProjectMember.objects.create(project=board.project, user=user)
        return {claim(user, board) for user in users}

    await do(inspect, {claim(ada, board)})
    await do(inspect, await do(prepare))
