"""Fills the tables of a measured installation: `python -m bench.seed <what> <options as JSON>`.

Rows are written in bulk, past the operations: what is measured is the product with much in it, not
how it got there. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 - models need the settings
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from apps.accounts import credentials  # noqa: E402
from apps.accounts.models import Role, User  # noqa: E402
from apps.agents import states  # noqa: E402
from apps.agents.models import Attempt  # noqa: E402
from apps.boards import operations as boards  # noqa: E402
from apps.boards.models import Card  # noqa: E402
from apps.boards.outputs import board_topic  # noqa: E402
from apps.core import ranks  # noqa: E402
from apps.core.actors import Actor  # noqa: E402
from apps.core.models import Topic  # noqa: E402
from apps.projects.models import Project, ProjectSettings  # noqa: E402

CHUNK = 2_000


def person() -> User:
    """This will give the one person of the measurement."""
    found = User.objects.filter(email="ada@example.org").first()
    if found is None:
        found = User(email="ada@example.org", display_name="Ada", role=Role.USER)
        found.set_unusable_password()
        found.save()
    return found


def token() -> dict[str, Any]:
    """This will give a credential for the person."""
    return {"token": credentials.issue_jwt(person())}


def session() -> dict[str, Any]:
    """This will sign the person in, and give the cookie of the session."""
    client = Client()
    client.force_login(person())
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value}


def project(number: int = 0) -> Project:
    """This will make a project without a repository."""
    path = f"/nowhere/{number}-{Project.objects.count()}"
    made = Project.objects.create(name=f"Project {number}", owner=person(), path=path)
    ProjectSettings.objects.create(project=made)
    return made


def board(cards: int = 500, number: int = 0) -> dict[str, Any]:
    """This will make a board of some cards, most of them in its first column."""
    ada = person()
    home = project(number)
    made = boards.create_board(actor=Actor(user=ada, origin="rest"), project=home)
    columns = list(made.columns.order_by("rank"))
    places = ranks.sequence(max(cards, 1))
    rows = [
        Card(
            project=home,
            board=made,
            # One in five is done; agents must not start.
            column=columns[3] if one % 5 == 4 else columns[0],
            number=one + 1,
            key=f"BEN-{one + 1}",
            title=f"Card {one + 1} of the measured board",
            prompt="What is to be done, in a sentence or two, as people write it. " * 3,
            rank=places[one],
        )
        for one in range(cards)
    ]
    Card.objects.bulk_create(rows, batch_size=CHUNK)
    Project.objects.filter(pk=home.pk).update(next_ticket_number=cards + 1)
    return {
        "project": home.public_id,
        "board": made.public_id,
        "topic": board_topic(made.pk),
        "columns": [column.public_id for column in columns],
        "card": rows[0].public_id if rows else "",
        "cards": [row.public_id for row in rows if row.column_id == columns[0].pk][:200],
        **token(),
    }


def boards_of(count: int, cards: int) -> list[dict[str, Any]]:
    """This will make many boards, each in a project of its own."""
    return [board(cards, number) for number in range(count)]


def attempts(projects: int, each: int) -> dict[str, Any]:
    """This will make projects with a long past of attempts, and a few that run."""
    now = timezone.now()
    for number in range(projects):
        made = board(cards=20, number=number)
        cards = list(Card.objects.filter(board__project__name=f"Project {number}").order_by("key"))
        rows = []
        for one in range(each):
            began = now - timedelta(hours=6 * one, minutes=number)
            running = one == 0 and number % 10 == 0
            status = states.Status.RUNNING if running else _ENDS[one % len(_ENDS)]
            rows.append(
                Attempt(
                    card=cards[one % len(cards)],
                    board=cards[0].board,
                    project=cards[0].project,
                    number=one // len(cards) + 1,
                    agent=("demo", "claude", "codex")[one % 3],
                    status=status,
                    reason=states.Reason.AGENT_CRASHED if status == states.Status.FAILED else "",
                    queued_at=began,
                    started_at=began,
                    ended_at=None if running else began + timedelta(minutes=5),
                )
            )
        Attempt.objects.bulk_create(rows, batch_size=CHUNK)
        del made
    return token()


_ENDS = (
    states.Status.SUCCEEDED,
    states.Status.SUCCEEDED,
    states.Status.FAILED,
    states.Status.STOPPED,
)


def journal(topic: str, count: int, others: int) -> dict[str, Any]:
    """This will give a topic `count` events, and the rest of the journal `others` more."""
    now = timezone.now().isoformat(sep=" ")
    data = json.dumps({"card": {"id": "card_x", "title": "x" * 200}, "columnId": "col_x"})
    total = 0
    for name, amount in ((topic, count), *((f"other.{n}", others // 50) for n in range(50))):
        if not amount:
            continue
        first = Topic.objects.get_or_create(name=name)[0].version
        with connection.cursor() as cursor:
            cursor.execute(MANY_EVENTS, [amount, name, first, data, "{}", now, now])
        Topic.objects.filter(name=name).update(version=first + amount)
        total += amount
    return {"rows": total}


# Only SQLite's journal is grown.
MANY_EVENTS = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)
    INSERT INTO core_event (topic, version, kind, data, actor, created_at, published_at)
    SELECT %s, %s + n, 'card.updated', %s, %s, %s, %s FROM numbers
"""


WHAT: dict[str, Callable[..., Any]] = {
    "token": token,
    "session": session,
    "board": board,
    "boards": boards_of,
    "attempts": attempts,
    "journal": journal,
}


def main() -> None:
    """This will fill what the arguments say."""
    sys.stdout.write(json.dumps(WHAT[sys.argv[1]](**json.loads(sys.argv[2]))) + "\n")


if __name__ == "__main__":
    main()
