"""How many statements each reading of the table takes: exact, and the same for few and for many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from rest_framework.test import APIClient

from apps.agents.conversation_tables import Conversation
from apps.agents.operations import conversing
from apps.boards.models import Attachment
from apps.projects.models import Script
from tests import factories
from tests.contract.rows import FILE, ROWS
from tests.contract.world import WELL, World, client_named, world
from tests.query_counts import CountQueries

__all__ = ["client_named", "world"]

# An export reads the more the more there is, and is counted where it is made.
READINGS = [row for row in ROWS if row.method == "GET" and row.answer is not FILE]
PEOPLE = "person{number}@example.org"


def add_more(world: World, count: int) -> None:
    """More of all that lists show, in the project, the organization and on the server."""
    board, people = world.card.board, world.people
    for number in range(count):
        user = factories.User.create(email=PEOPLE.format(number=number), display_name="bob")
        factories.ProjectMember.create(project=world.project, user=user)
        factories.Membership.create(organization=world.organization, user=user)
        factories.Invitation.create(project=world.project, email=f"new{number}@example.org")
        own = factories.BoardWithColumns.create(project__owner=people["ada"])
        factories.ProjectMember.create(project=own.project, user=people["bob"])
        factories.Organization.create(name=f"O{number}", admin=people["ada"])
        factories.Column.create(board=board, name=f"C{number}", rank=f"z{number}1")
        Script.objects.create(
            project=world.project, name=f"S{number}", command="true", rank=f"b{number}"
        )
        other = factories.Card.create(column=world.card.column, rank=f"c{number}1", prompt="Go.")
        other.assignees.add(user)
        factories.CardDependency.create(card=other, depends_on=world.card)
        factories.Attempt.create(card=other, waiting=True, waiting_for="plan", mode="plan")


def add_to_what_is_given(world: World, count: int) -> None:
    """More of what a state has given one of."""
    for attempt in list(world.card.attempts.filter(status="succeeded")):
        for _number in range(count):
            again = factories.Attempt.create(card=world.card, succeeded=True, summary="Again.")
            factories.Turn.create(attempt=again)
            factories.Item.create_batch(2, attempt=again)
            factories.Item.create(attempt=attempt)
    for number in range(count):
        if world.card.attachments.exists():
            Attachment.objects.create(
                card=world.card,
                filename=f"more{number}.txt",
                content_type="text/plain",
                size=1,
                path=f"more{number}",
            )
        for talk in Conversation.objects.filter(card=world.card):
            held = conversing.hold(talk.pk)
            conversing.add_item(
                held, kind="message", source_id=f"more{number}", role="assistant", text="More."
            )


@pytest.mark.parametrize("more", [0, 4])
def test_a_reading_costs_the_same_for_few_and_for_many(
    world: World,
    client_named: Callable[..., APIClient],
    count_queries: CountQueries,
    more: int,
) -> None:
    add_more(world, more)
    names = dict(world.names)
    wrong = []
    for row in READINGS:
        cache.clear()
        with transaction.atomic():
            with world.given(row.given):
                add_to_what_is_given(world, more)
                client = client_named(WELL[row.access])
                answer: Any = None
                try:
                    with count_queries(row.name):
                        answer = world.ask(client, row, "/api/v1/")
                except AssertionError as error:
                    wrong.append(str(error).partition("\n")[0])
                assert answer.status_code == row.status, row.name
            transaction.set_rollback(True)
        world.names = dict(names)
        world.card.refresh_from_db()
    assert wrong == []
