"""One factory for each table; what a test does not name is made up, and always valid."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone
from factory.declarations import (
    LazyAttribute,
    LazyFunction,
    RelatedFactory,
    SelfAttribute,
    Sequence,
    SubFactory,
    Trait,
)
from factory.django import DjangoModelFactory
from factory.helpers import post_generation

from apps.accounts import models as accounts
from apps.agents import models as agents
from apps.agents import states
from apps.boards import models as boards
from apps.core import ranks
from apps.orgs import models as orgs
from apps.projects import models as projects

# What every person in the tests signs in with.
PASSWORD = "a horse, a battery and a staple"


class User(DjangoModelFactory[accounts.User]):
    """A person who may sign in with PASSWORD."""

    class Meta:
        model = accounts.User

    email = Sequence(lambda n: f"person{n}@example.org")
    display_name = LazyAttribute(lambda o: o.email.split("@")[0].title())
    password = LazyFunction(lambda: make_password(PASSWORD))

    class Params:
        super_admin = Trait(role=accounts.Role.SUPER_ADMIN)
        admin = Trait(role=accounts.Role.ADMIN)


class ApiToken(DjangoModelFactory[accounts.ApiToken]):
    """A token whose secret is nobody's; to call with one, issue it by its operation."""

    class Meta:
        model = accounts.ApiToken

    user = SubFactory(User)
    name = Sequence(lambda n: f"token {n}")
    hint = "kbn_abcd"
    digest = Sequence(lambda n: hashlib.sha256(str(n).encode()).hexdigest())


class Preferences(DjangoModelFactory[accounts.Preferences]):
    class Meta:
        model = accounts.Preferences

    user = SubFactory(User)


class Organization(DjangoModelFactory[orgs.Organization]):
    """An organization; `admin=` and `members=` make its memberships."""

    class Meta:
        model = orgs.Organization
        skip_postgeneration_save = True

    name = Sequence(lambda n: f"Organization {n}")

    @post_generation
    def admin(self, create: bool, extracted: accounts.User | None, **kwargs: Any) -> None:  # noqa: FBT001
        """Makes the given person an admin."""
        if extracted is not None:
            Membership.create(organization=self, user=extracted, role=orgs.OrganizationRole.ADMIN)

    @post_generation
    def members(
        self,
        create: bool,  # noqa: FBT001
        extracted: list[accounts.User] | None,
        **kwargs: Any,
    ) -> None:
        """Makes the given people plain members."""
        for user in extracted or []:
            Membership.create(organization=self, user=user)


class Membership(DjangoModelFactory[orgs.Membership]):
    class Meta:
        model = orgs.Membership

    organization = SubFactory(Organization)
    user = SubFactory(User)


class Project(DjangoModelFactory[projects.Project]):
    """A project with settings and no board; its path names no real folder unless given one."""

    class Meta:
        model = projects.Project
        skip_postgeneration_save = True

    name = Sequence(lambda n: f"Project {n}")
    owner = SubFactory(User)
    path = Sequence(lambda n: f"/nowhere/project-{n}")
    settings = RelatedFactory("tests.factories.ProjectSettings", "project")

    @post_generation
    def members(
        self,
        create: bool,  # noqa: FBT001
        extracted: list[accounts.User] | None,
        **kwargs: Any,
    ) -> None:
        """Makes the given people plain members."""
        for user in extracted or []:
            ProjectMember.create(project=self, user=user)


class ProjectSettings(DjangoModelFactory[projects.ProjectSettings]):
    class Meta:
        model = projects.ProjectSettings

    project = SubFactory(Project, settings=None)
    ticket_prefix = "ABC"


class ProjectMember(DjangoModelFactory[projects.ProjectMember]):
    class Meta:
        model = projects.ProjectMember

    project = SubFactory(Project)
    user = SubFactory(User)


class Invitation(DjangoModelFactory[projects.Invitation]):
    class Meta:
        model = projects.Invitation

    project = SubFactory(Project)
    email = Sequence(lambda n: f"invited{n}@example.org")
    invited_by = SelfAttribute("project.owner")


class ProjectView(DjangoModelFactory[projects.ProjectView]):
    class Meta:
        model = projects.ProjectView

    project = SubFactory(Project)
    user = SubFactory(User)


def rank(number: int) -> str:
    """The rank of the thing with this number, counted from 0."""
    return ranks.sequence(number + 1)[-1]


class Board(DjangoModelFactory[boards.Board]):
    """A board without columns; BoardWithColumns makes the four that a new board has."""

    class Meta:
        model = boards.Board
        skip_postgeneration_save = True

    project = SubFactory(Project)
    name = "Main Board"
    rank = LazyAttribute(lambda o: rank(o.project.boards.count()))


class Column(DjangoModelFactory[boards.Column]):
    class Meta:
        model = boards.Column

    board = SubFactory(Board)
    name = Sequence(lambda n: f"Column {n}")
    column_type = boards.ColumnType.BACKLOG
    rank = LazyAttribute(lambda o: rank(o.board.columns.count()))

    class Params:
        backlog = Trait(
            name="Backlog",
            column_type=boards.ColumnType.BACKLOG,
            key=boards.ColumnKey.BACKLOG,
            rank=rank(0),
        )
        in_progress = Trait(
            name="In Progress",
            column_type=boards.ColumnType.ACTIVE,
            agent_mode=boards.AgentMode.CODE,
            key=boards.ColumnKey.IN_PROGRESS,
            rank=rank(1),
        )
        review = Trait(
            name="Review",
            column_type=boards.ColumnType.ACTIVE,
            key=boards.ColumnKey.REVIEW,
            rank=rank(2),
        )
        done = Trait(
            name="Done",
            column_type=boards.ColumnType.DONE,
            key=boards.ColumnKey.DONE,
            rank=rank(3),
        )


class BoardWithColumns(Board):
    """A board with Backlog, In Progress, Review and Done."""

    backlog = RelatedFactory(Column, "board", backlog=True)
    in_progress = RelatedFactory(Column, "board", in_progress=True)
    review = RelatedFactory(Column, "board", review=True)
    done = RelatedFactory(Column, "board", done=True)


def _take_number(project: projects.Project) -> int:
    """The project's next number, taken."""
    project.refresh_from_db(fields=["next_ticket_number"])
    taken = project.next_ticket_number
    project.next_ticket_number = taken + 1
    project.save(update_fields=["next_ticket_number"])
    return taken


class Card(DjangoModelFactory[boards.Card]):
    """A card at the end of its column, with the project's next number."""

    class Meta:
        model = boards.Card

    column = SubFactory(Column)
    board = SelfAttribute("column.board")
    project = SelfAttribute("board.project")
    rank = LazyAttribute(lambda o: rank(o.column.cards.count()))
    title = Sequence(lambda n: f"Card {n}")

    number = LazyAttribute(lambda o: _take_number(o.project))
    key = LazyAttribute(lambda o: f"ABC-{o.number}")


class CardDependency(DjangoModelFactory[boards.CardDependency]):
    class Meta:
        model = boards.CardDependency

    card = SubFactory(Card)
    depends_on = SubFactory(Card)


class CardView(DjangoModelFactory[boards.CardView]):
    class Meta:
        model = boards.CardView

    card = SubFactory(Card)
    user = SubFactory(User)
    viewed_at = LazyFunction(timezone.now)


class AgentProfile(DjangoModelFactory[agents.AgentProfile]):
    class Meta:
        model = agents.AgentProfile

    agent = "demo"
    name = Sequence(lambda n: f"Profile {n}")


class Attempt(DjangoModelFactory[agents.Attempt]):
    """A queued attempt of the demo agent; traits give it another state."""

    class Meta:
        model = agents.Attempt

    card = SubFactory(Card)
    board = SelfAttribute("card.board")
    project = SelfAttribute("card.project")
    number = LazyAttribute(lambda o: o.card.attempts.count() + 1)
    agent = "demo"
    queued_at = LazyFunction(timezone.now)

    class Params:
        running = Trait(status=states.Status.RUNNING, started_at=LazyFunction(timezone.now))
        waiting = Trait(
            status=states.Status.WAITING,
            waiting_for=states.WaitingFor.INPUT,
            started_at=LazyFunction(timezone.now),
        )
        succeeded = Trait(
            status=states.Status.SUCCEEDED,
            started_at=LazyFunction(timezone.now),
            ended_at=LazyFunction(timezone.now),
        )
        failed = Trait(
            status=states.Status.FAILED,
            reason=states.Reason.AGENT_CRASHED,
            started_at=LazyFunction(timezone.now),
            ended_at=LazyFunction(timezone.now),
        )


class Turn(DjangoModelFactory[agents.Turn]):
    class Meta:
        model = agents.Turn

    attempt = SubFactory(Attempt)
    number = LazyAttribute(lambda o: o.attempt.turns.count() + 1)
    prompt = "Do it."


class Item(DjangoModelFactory[agents.Item]):
    """A message of the agent, next in its attempt."""

    class Meta:
        model = agents.Item

    attempt = SubFactory(Attempt)
    position = LazyAttribute(lambda o: o.attempt.items.count() + 1)
    seq = SelfAttribute("position")
    source_id = Sequence(lambda n: f"source-{n}")
    type = "message"
    data = LazyFunction(lambda: {"role": "assistant", "text": "Hello."})


class AttemptLog(DjangoModelFactory[agents.AttemptLog]):
    class Meta:
        model = agents.AttemptLog

    attempt = SubFactory(Attempt)
    seq = LazyAttribute(lambda o: o.attempt.logs.count() + 1)
    message = "A line."
    ts = LazyFunction(timezone.now)


class Approval(DjangoModelFactory[agents.Approval]):
    class Meta:
        model = agents.Approval

    attempt = SubFactory(Attempt, running=True)
    turn_number = 1
    kind = agents.Approval.Kind.PERMISSION
    title = "Run the tests"
