"""One card with everything around it, whoever asks, and however it was come by."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.boards import operations, outputs, queries
from apps.boards.models import Attachment, Card, Column, ColumnType
from tests import factories
from tests.people import ClientOf, actor_of

Columns = dict[str, Column]


@pytest.fixture
def card(columns: Columns) -> Card:
    return factories.Card.create(column=columns["backlog"])


def attached(card: Card, filename: str, *, minutes_ago: int) -> Attachment:
    made = Attachment.objects.create(
        card=card, filename=filename, content_type="text/plain", size=6_000_000_000, path=filename
    )
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    Attachment.objects.filter(pk=made.pk).update(created_at=moment)
    made.refresh_from_db()
    return made


def test_everything_around_a_card_is_shown_in_its_order(
    ada: User, bob: User, columns: Columns, card: Card
) -> None:
    first = factories.Card.create(column=columns["review"])
    second = factories.Card.create(column=columns["done"])
    assert columns["done"].column_type == ColumnType.DONE
    for other in (second, first):
        factories.CardDependency.create(card=card, depends_on=other)
    card.assignees.add(bob)
    card.assignees.add(ada)
    newer = attached(card, "newer.txt", minutes_ago=1)
    older = attached(card, "older.txt", minutes_ago=9)
    # What belongs to other cards is not shown here.
    factories.CardDependency.create(card=first, depends_on=second)
    first.assignees.add(bob)
    attached(first, "other.txt", minutes_ago=5)

    shown = outputs.card_detail(card, viewer=bob)

    assert shown["dependsOn"] == [second.public_id, first.public_id]
    assert shown["blocked"] is True
    assert shown["assignees"] == [
        {"id": bob.public_id, "displayName": bob.display_name},
        {"id": ada.public_id, "displayName": ada.display_name},
    ]
    assert shown["attachments"] == [outputs.attachment(older), outputs.attachment(newer)]
    assert shown["hasUnread"] is True


def test_a_card_is_read_for_who_looked_at_it_and_for_nobody_else(
    ada: User, bob: User, card: Card
) -> None:
    operations.see_card(actor=actor_of(bob), card=card)
    asked = {
        name: outputs.card_detail(card, viewer=viewer)["hasUnread"]
        for name, viewer in (("bob", bob), ("ada", ada), ("nobody", None), ("bob again", bob))
    }
    assert asked == {"bob": False, "ada": True, "nobody": False, "bob again": False}


def test_a_write_answers_what_a_reading_answers(
    bob: User, columns: Columns, card: Card, client_of: ClientOf
) -> None:
    operations.see_card(actor=actor_of(bob), card=card)
    attached(card, "note.txt", minutes_ago=2)
    card.assignees.add(bob)
    address = f"/api/v1/projects/{card.project.public_id}/cards/{card.public_id}"
    place = {"columnId": columns["review"].public_id}
    moved = client_of(bob).patch(f"{address}/move", place, format="json")
    read = client_of(bob).get(address)
    assert moved.status_code == 200
    assert moved.json()["data"] == read.json()["data"]
    assert moved.headers["ETag"] == read.headers["ETag"]
    assert moved.json()["data"]["hasUnread"] is True


def test_another_object_of_the_same_card_shows_what_came_since(bob: User, card: Card) -> None:
    changed = operations.update_card(actor=actor_of(bob), card=card, changes={"title": "New"})
    assert outputs.card_detail(changed, viewer=bob)["attachments"] == []
    attached(card, "late.txt", minutes_ago=0)
    found = queries.get_card(actor=actor_of(bob), card_id=card.pk)
    assert [one["filename"] for one in outputs.card_detail(found, viewer=bob)["attachments"]] == [
        "late.txt"
    ]
