"""Who opens a socket or a stream."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.accounts import credentials, operations
from apps.accounts.authentication import user_of_scope
from apps.accounts.models import RealtimeTicket, User
from apps.core import problems
from tests.people import ClientOf, actor_of


def scope(*, query: str = "", **headers: str) -> dict[str, Any]:
    return {
        "type": "websocket",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


def test_every_way_finds_the_person(ada: User) -> None:
    token = operations.create_token(actor=actor_of(ada), name="laptop").secret
    ticket = operations.create_ticket(actor=actor_of(ada)).secret
    signed = credentials.issue_jwt(ada)
    browser = Client()
    browser.force_login(ada)
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value

    found = [
        user_of_scope(scope(authorization=f"Bearer {signed}")),
        user_of_scope(scope(authorization=f"bearer {token}")),
        user_of_scope(scope(query=f"token={signed}")),
        user_of_scope(scope(query=f"boardId=x&token={token}")),
        user_of_scope(scope(query=f"ticket={ticket}")),
        user_of_scope(scope(cookie=f"a=b; {settings.SESSION_COOKIE_NAME}={cookie}")),
    ]

    assert [one.user for one in found] == [ada] * 6
    assert [one.kind for one in found] == ["jwt", "token", "jwt", "token", "ticket", "session"]
    assert credentials.ended(found) == set()


@pytest.mark.parametrize(
    "asked",
    [
        scope(),
        scope(query="token="),
        scope(query="token=kbn_unknown"),
        scope(query="token=%ff%00"),
        scope(query="ticket=unknown"),
        scope(authorization="Bearer"),
        scope(authorization="Basic YWRhOmFkYQ=="),
        scope(cookie="kanbanai_session=unknown"),
        scope(cookie=";;;=\x01"),
    ],
)
def test_nobody_is_found_without_proof(ada: User, asked: dict[str, Any]) -> None:
    with pytest.raises(problems.Unauthorized):
        user_of_scope(asked)


def test_a_ticket_opens_one_connection(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).post("/api/v1/realtime/tickets")
    ticket = answer.json()["data"]["ticket"]

    assert answer.status_code == 201
    assert user_of_scope(scope(query=f"ticket={ticket}")).user == ada
    with pytest.raises(problems.Unauthorized):
        user_of_scope(scope(query=f"ticket={ticket}"))


def test_a_ticket_ends_after_half_a_minute(ada: User) -> None:
    ticket = operations.create_ticket(actor=actor_of(ada)).secret

    with (
        time_machine.travel(timezone.now() + dt.timedelta(seconds=31)),
        pytest.raises(problems.Unauthorized),
    ):
        user_of_scope(scope(query=f"ticket={ticket}"))


def test_tickets_nobody_used_are_cleared_away(ada: User) -> None:
    operations.create_ticket(actor=actor_of(ada))

    with time_machine.travel(timezone.now() + dt.timedelta(minutes=1)):
        operations.create_ticket(actor=actor_of(ada))

    assert RealtimeTicket.objects.count() == 1


def test_a_given_password_opens_no_connection(ada: User) -> None:
    signed = credentials.issue_jwt(ada)
    ada.must_change_password = True
    ada.save()

    with pytest.raises(problems.Unauthorized):
        user_of_scope(scope(query=f"token={signed}"))


def test_a_deleted_or_closed_account_ends_what_it_opened(ada: User, bob: User) -> None:
    hers = credentials.of_jwt(credentials.issue_jwt(ada))
    his = credentials.of_jwt(credentials.issue_jwt(bob))
    User.objects.filter(pk=ada.pk).delete()
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert credentials.ended([hers, his]) == {hers, his}


def test_credentials_end_with_their_time(ada: User) -> None:
    proof = credentials.of_jwt(credentials.issue_jwt(ada))

    with time_machine.travel(timezone.now() + dt.timedelta(hours=25)):
        assert credentials.ended([proof]) == {proof}
