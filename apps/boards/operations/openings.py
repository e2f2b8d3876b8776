"""A project is opened with its first board: nobody ever sees one without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from apps.boards import queries
from apps.boards.models import Priority, TicketType
from apps.boards.operations.boards import create_board
from apps.boards.operations.cards import create_card
from apps.projects import operations as project_operations

if TYPE_CHECKING:
    from apps.core.actors import Actor
    from apps.core.git import Login
    from apps.projects.models import Project

# The demo's backlog: title, body, type, priority, whether it waits for the card before it.
DEMO_CARDS = (
    (
        "Describe how a recipe is written down",
        (
            "People who find this program do not know what a recipe file looks like.\n\n"
            "Write a short page in `docs/` with a complete example, and say which fields it needs."
        ),
        TicketType.DOCS,
        Priority.HIGH,
        False,
    ),
    (
        "Find recipes by what is in the fridge",
        (
            "Given a list of ingredients, show the recipes that need nothing else.\n\n"
            "- ignore case and plural forms\n- the best match first"
        ),
        TicketType.FEAT,
        Priority.MEDIUM,
        False,
    ),
    (
        "Print a shopping list for the best match",
        "Take the first recipe found and print what is missing at home, sorted by aisle.",
        TicketType.FEAT,
        Priority.NONE,
        True,
    ),
    (
        "Amounts of half a spoon are rounded to zero",
        "`0.5 tsp` becomes `0 tsp` when a recipe is scaled down. Keep one digit.",
        TicketType.FIX,
        Priority.URGENT,
        False,
    ),
)


@transaction.atomic
def open_project(*, actor: Actor, **values: Any) -> Project:
    """This will make a project (`projects.operations.create_project`) with its first board."""
    project = project_operations.create_project(actor=actor, **values)
    create_board(actor=actor, project=project)
    return project


@transaction.atomic
def open_clone(*, actor: Actor, **values: Any) -> Project:
    """This will make a project that is being cloned (`start_clone`) with its first board."""
    project = project_operations.start_clone(actor=actor, **values)
    create_board(actor=actor, project=project)
    return project


@transaction.atomic
def open_repository(*, actor: Actor, login: Login | None = None, **values: Any) -> Project:
    """This will make a project of what `CreateProject` read: cloned where it has an address."""
    if values.get("url"):
        values.pop("initialize", None)
        return open_clone(actor=actor, login=login, **values)
    return open_project(actor=actor, **values)


@transaction.atomic
def open_demo(*, actor: Actor) -> Project:
    """This will make the demo project: a real small repository, a board, and cards to try."""
    project = project_operations.create_demo_project(actor=actor)
    create_board(actor=actor, project=project)
    column = queries.entry_column_of(project)
    before = None
    for title, prompt, ticket_type, priority, waits in DEMO_CARDS:
        before = create_card(
            actor=actor,
            column=column,
            title=title,
            prompt=prompt,
            ticket_type=ticket_type,
            priority=priority,
            depends_on=[before.pk] if waits and before else [],
        )
    return project
