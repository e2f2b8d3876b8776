"""Changes of one card find their rows by an index: nothing of them grows with the board."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.boards import operations, queries
from apps.boards.models import Card, Column
from apps.core import ranks
from apps.projects.models import Project
from tests.people import ClientOf, actor_of

Columns = dict[str, Column]

CARDS = 500
PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE")
# How the statement begins that looks for a place.
RANKS = 'SELECT "boards_card"."rank"'


def steps_of(sql: str) -> list[str]:
    """How the database would go about a statement."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Small tables are read whole for good reason: what counts is that there is an index.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
            return [row[0] for row in cursor.fetchall()]
        # The driver itself: in a statement with all its values, % is no placeholder.
        rows = cursor.connection.execute("EXPLAIN QUERY PLAN " + sql).fetchall()
        return [row[3] for row in rows]


def whole_tables(statements: list[str]) -> list[str]:
    """The steps that would read a whole table or a whole index."""
    steps = [step for sql in statements for step in steps_of(sql)]
    assert steps
    return [step for step in steps if step.startswith("SCAN ") or "Seq Scan" in step]


@pytest.fixture
def cards(project: Project, columns: Columns) -> list[Card]:
    """Many cards in one column."""
    column = columns["backlog"]
    return Card.objects.bulk_create(
        Card(
            project=project,
            board_id=column.board_id,
            column=column,
            rank=rank,
            number=number + 1,
            key=f"ABC-{number + 1}",
            title=f"Card {number}",
        )
        for number, rank in enumerate(ranks.sequence(CARDS))
    )


def check(client_of: ClientOf, user: User, method: str, path: str, body: dict[str, Any]) -> None:
    """Make a request that works, and see that none of its statements reads a table whole."""
    client = client_of(user)
    with CaptureQueriesContext(connection) as captured:
        answer = getattr(client, method)(path, body)
    assert answer.status_code in {200, 201}, answer.content
    assert whole_tables([one["sql"] for one in captured if one["sql"].startswith(PLANNED)]) == []


@pytest.mark.parametrize("who", ["owner", "member"])
@pytest.mark.parametrize("position", [0, 2, CARDS - 5, None])
@pytest.mark.parametrize("key", ["backlog", "review"])
def test_a_move_reads_no_table_whole(
    ada: User,
    bob: User,
    project: Project,
    columns: Columns,
    cards: list[Card],
    client_of: ClientOf,
    who: str,
    position: int | None,
    key: str,
) -> None:
    place: dict[str, Any] = {"columnId": columns[key].public_id}
    if position is not None:
        place["position"] = position
    path = f"/api/v1/projects/{project.public_id}/cards/{cards[7].public_id}/move"
    check(client_of, {"owner": ada, "member": bob}[who], "patch", path, place)


def test_a_change_reads_no_table_whole(
    ada: User, project: Project, cards: list[Card], client_of: ClientOf
) -> None:
    path = f"/api/v1/projects/{project.public_id}/cards/{cards[7].public_id}"
    check(client_of, ada, "patch", path, {"title": "Another title"})


def test_a_new_card_reads_no_table_whole(
    ada: User, project: Project, columns: Columns, cards: list[Card], client_of: ClientOf
) -> None:
    Project.objects.filter(pk=project.pk).update(next_ticket_number=CARDS + 1)
    path = f"/api/v1/projects/{project.public_id}/cards"
    body = {"columnId": columns["backlog"].public_id, "title": "New"}
    check(client_of, ada, "post", path, body)


def test_places_are_counted_in_an_index_alone(cards: list[Card], bob: User) -> None:
    card = queries.get_card(actor=actor_of(bob), card_id=cards[7].pk)
    with CaptureQueriesContext(connection) as captured:
        operations.move_card(
            actor=actor_of(bob), card=card, column_id=card.column_id, position=CARDS - 5
        )
    ranked = [one["sql"] for one in captured if one["sql"].startswith(RANKS)]
    steps = [step for sql in ranked for step in steps_of(sql)]
    assert steps
    # PostgreSQL looks at the rows as well until a table was vacuumed.
    word = "COVERING INDEX" if connection.vendor == "sqlite" else "Index"
    assert any(word in step for step in steps)
    assert whole_tables(ranked) == []
