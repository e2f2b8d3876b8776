"""How many statements things take: exact, and the same at 20 and at 2,000 cards."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.boards import operations, outputs, queries
from apps.boards.models import Board, Card, Column
from apps.core import ranks
from apps.projects.models import Project
from tests import factories
from tests.people import BrowserOf, ClientOf, actor_of
from tests.query_counts import CountQueries

Columns = dict[str, Column]
SIZES = [20, 2_000]


def fill(project: Project, columns: Columns, count: int) -> list[Card]:
    """As many cards, spread over the columns; every tenth waits for the one before it."""
    spread = list(columns.values())
    rank = ranks.sequence(count)
    return Card.objects.bulk_create(
        Card(
            project=project,
            board_id=spread[number % 4].board_id,
            column=spread[number % 4],
            rank=rank[number],
            number=number + 1,
            key=f"ABC-{number + 1}",
            title=f"Card {number}",
        )
        for number in range(count)
    )


@pytest.mark.parametrize("count", SIZES)
def test_a_move_costs_the_same_on_every_board(
    bob: User,
    project: Project,
    columns: Columns,
    count_queries: CountQueries,
    count: int,
) -> None:
    cards = fill(project, columns, count)
    actor = actor_of(bob)
    card = queries.get_card(actor=actor, card_id=cards[0].pk)
    with count_queries("move_card"):
        operations.move_card(actor=actor, card=card, column_id=columns["review"].pk, position=2)


@pytest.mark.parametrize("count", SIZES)
def test_a_move_over_rest_costs_the_same_on_every_board(
    ada: User,
    project: Project,
    columns: Columns,
    client_of: ClientOf,
    count_queries: CountQueries,
    count: int,
) -> None:
    card = fill(project, columns, count)[0]
    address = f"/api/v1/projects/{project.public_id}/cards/{card.public_id}/move"
    place = {"columnId": columns["review"].public_id, "position": 2}
    client = client_of(ada)
    # Two of them frame the operation, a savepoint within the test's own transaction; the note that
    # the event was published comes after the commit that a test never makes.
    with count_queries("PATCH card move"):
        answer = client.patch(address, place, format="json")
    assert answer.status_code == 200


@pytest.mark.parametrize("count", SIZES)
def test_a_board_is_read_in_a_fixed_number_of_statements(
    project: Project,
    board: Board,
    columns: Columns,
    count_queries: CountQueries,
    count: int,
) -> None:
    fill(project, columns, count)
    with count_queries("board_state"):
        state = outputs.board_state(board)
    assert len(state["cards"]) == count


@pytest.mark.parametrize("count", SIZES)
def test_a_new_card_costs_the_same_on_every_board(
    bob: User,
    project: Project,
    columns: Columns,
    count_queries: CountQueries,
    count: int,
) -> None:
    fill(project, columns, count)
    project.next_ticket_number = count + 1
    project.save()
    column = queries.get_column(actor=actor_of(bob), column_id=columns["backlog"].pk)
    with count_queries("create_card"):
        operations.create_card(actor=actor_of(bob), column=column, title="New")


def test_the_page_of_projects_costs_the_same_for_many(ada: User, browser_of: BrowserOf) -> None:
    browser = browser_of(ada)
    counts = []
    for more in (1, 19):
        for _ in range(more):
            factories.BoardWithColumns.create(project__owner=ada)
        browser.get("/projects")
        with CaptureQueriesContext(connection) as captured:
            answer = browser.get("/projects")
        counts.append((answer.status_code, len(captured)))
    assert counts[0] == counts[1]
