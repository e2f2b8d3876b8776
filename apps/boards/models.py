"""Boards, columns and cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models

from apps.core.models import Entity
from apps.core.ranks import RankField
from apps.projects.models import Project

if TYPE_CHECKING:
    from apps.accounts.models import User


class ColumnType(models.TextChoices):
    """What a column means: rules look at this, never at titles."""

    BACKLOG = "backlog"
    ACTIVE = "active"
    DONE = "done"
    ARCHIVE = "archive"


class AgentMode(models.TextChoices):
    """What entering an active column starts."""

    NONE = "none"
    PLAN = "plan"
    CODE = "code"
    SKILL = "skill"


class ColumnKey(models.TextChoices):
    """The four columns a new board has, as board clients know them."""

    BACKLOG = "backlog"
    IN_PROGRESS = "inProgress"
    REVIEW = "review"
    DONE = "done"


class BoardQuerySet(models.QuerySet["Board"]):
    """Boards, narrowed to what a person may see."""

    def visible_to(self, user: User) -> Self:
        """The boards of the projects one may see."""
        if user.is_super_admin:
            return self
        # Asked of the one project: a list of all that are visible would grow with the server.
        visible = Project.objects.visible_to(user).filter(pk=models.OuterRef("project_id"))
        return self.filter(models.Exists(visible))


class Board(Entity):
    """A set of columns in a project."""

    id_prefix = "board"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="boards")
    name = models.CharField(max_length=100)
    rank = RankField()

    objects = BoardQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Column(Entity):
    """A stage of work on a board."""

    id_prefix = "col"

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="columns")
    name = models.CharField(max_length=100)
    column_type = models.CharField(max_length=10, choices=ColumnType.choices)
    agent_mode = models.CharField(max_length=10, choices=AgentMode.choices, default=AgentMode.NONE)
    key = models.CharField(max_length=12, choices=ColumnKey.choices, blank=True, default="")
    prompt = models.TextField(blank=True, default="")
    skill_name = models.CharField(max_length=100, blank=True, default="")
    wip_limit = models.PositiveIntegerField(null=True, blank=True)
    rank = RankField()

    def __str__(self) -> str:
        return self.name


class TicketType(models.TextChoices):
    """The conventional kinds of change."""

    FEAT = "feat"
    FIX = "fix"
    CHORE = "chore"
    DOCS = "docs"
    STYLE = "style"
    REFACTOR = "refactor"
    PERF = "perf"
    TEST = "test"
    BUILD = "build"
    CI = "ci"
    REVERT = "revert"


class Priority(models.TextChoices):
    """How urgent a card is."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class CardQuerySet(models.QuerySet["Card"]):
    """Cards, narrowed to what a person may see."""

    def visible_to(self, user: User) -> Self:
        """The cards of the projects one may see."""
        if user.is_super_admin:
            return self
        # Asked of the one project: a list of all that are visible would grow with the server.
        visible = Project.objects.visible_to(user).filter(pk=models.OuterRef("project_id"))
        return self.filter(models.Exists(visible))


class Card(Entity):
    """A piece of work. `agent_status` and what follows it is written by the agents app."""

    id_prefix = "card"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="cards")
    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="cards")
    column = models.ForeignKey(Column, on_delete=models.RESTRICT, related_name="cards")
    rank = RankField()
    number = models.PositiveIntegerField()
    # As given at birth, `ABC-12`: a new prefix changes no old key.
    key = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    # The markdown body; the REST document calls it prompt, the board channels description.
    prompt = models.TextField(blank=True, default="")
    ticket_type = models.CharField(
        max_length=10, choices=TicketType.choices, blank=True, default=""
    )
    priority = models.CharField(max_length=10, choices=Priority.choices, default=Priority.NONE)
    labels = models.JSONField(default=list)
    is_enhanced = models.BooleanField(default=False)
    disable_auto_close_on_pr_merge = models.BooleanField(default=False)
    is_deferred = models.BooleanField(default=False)
    is_auto_mode = models.BooleanField(default=False)
    # In auto mode: plans count as approved, columns that plan are passed over.
    skip_approval = models.BooleanField(default=False)
    skip_plan_columns = models.BooleanField(default=False)
    # How often auto mode has seen the card enter each column, by the column's outside id.
    column_visits = models.JSONField(default=dict)
    awaiting_approval = models.BooleanField(default=False)
    pipeline = models.JSONField(default=list)
    completed_at = models.DateTimeField(null=True, blank=True)
    last_activity_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    assignees = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="assigned_cards"
    )

    # Told from above, by boards.operations.choose_credential: the key of a credential, if any.
    credential_id = models.UUIDField(null=True, blank=True, editable=False, db_index=True)

    # Told from above, by boards.operations.show_agent.
    agent_status = models.CharField(max_length=20, blank=True, default="")
    has_active_agent = models.BooleanField(default=False)
    live_line = models.CharField(max_length=200, blank=True, default="")
    branch_name = models.CharField(max_length=255, blank=True, default="")
    insertions = models.PositiveIntegerField(default=0)
    deletions = models.PositiveIntegerField(default=0)
    summary = models.TextField(blank=True, default="")

    objects = CardQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["project", "number"], name="card_number_once"),
            models.UniqueConstraint(fields=["project", "key"], name="card_key_once"),
            models.UniqueConstraint(fields=["column", "rank"], name="card_rank_unique_in_column"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["board", "column", "rank"], name="card_by_place")
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.title}"


class CardDependency(models.Model):
    """`card` may not start before `depends_on` is done."""

    card = models.ForeignKey(Card, on_delete=models.CASCADE, related_name="dependencies")
    depends_on = models.ForeignKey(Card, on_delete=models.CASCADE, related_name="dependents")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["card", "depends_on"], name="dependency_once"),
            models.CheckConstraint(
                condition=~models.Q(card=models.F("depends_on")), name="dependency_on_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.card_id} after {self.depends_on_id}"


class CardView(models.Model):
    """When one person last looked at one card."""

    card = models.ForeignKey(Card, on_delete=models.CASCADE, related_name="views")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="card_views"
    )
    viewed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["card", "user"], name="card_view_once_a_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.card_id}"


class BoardTemplate(Entity):
    """The columns a new board can begin with; those the product brings are not in this table."""

    id_prefix = "tpl"

    name = models.CharField(max_length=100)
    # [{"name", "columnType", "prompt", "agentMode", "skillName"}], from left to right.
    columns = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return self.name


class Attachment(Entity):
    """A file that belongs to a card. `path` is below MEDIA_ROOT and tells nothing."""

    id_prefix = "att"

    card = models.ForeignKey(Card, on_delete=models.CASCADE, related_name="attachments")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    path = models.CharField(max_length=200, unique=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return self.filename
