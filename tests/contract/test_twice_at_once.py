"""What two people ask at the same moment: one of them gets it, or both, and nobody a crash."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents.conversation_tables import Conversation
from apps.boards.models import Card
from tests.contract.rows import ROWS
from tests.contract.world import WELL, World, client_named, world
from tests.threads import at_once

__all__ = ["client_named", "world"]

pytestmark = pytest.mark.django_db(transaction=True)

# The row, the two answers in any order.
TWICE = {
    3: [201, 409],
    5: [201, 409],
    10: [204, 404],
    52: [204, 404],
    54: [200, 200],
    57: [204, 409],
    59: [204, 409],
    66: [201, 201],
    92: [201, 409],
    94: [200, 409],
    100: [204, 404],
}


@pytest.mark.parametrize("number", TWICE)
def test_of_two_at_once_each_is_answered(
    world: World, client_named: Callable[..., APIClient], number: int
) -> None:
    row = ROWS[number - 1]
    with world.given(row.given):
        clients = [client_named(WELL[row.access]) for _ in range(2)]
        for client in clients:
            client.raise_request_exception = False
        cards = Card.objects.count()
        answers = at_once(*(partial(world.ask, client, row, "/api/v1/") for client in clients))

    assert sorted(answer.status_code for answer in answers) == sorted(TWICE[number])
    if number == 3:
        assert User.objects.count() == 1
    if number == 66:
        keys = Card.objects.values_list("key", flat=True)
        assert len(set(keys)) == len(keys) == cards + 2
    if number == 92:
        assert Conversation.objects.count() == 1
