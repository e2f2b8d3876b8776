"""Attempts, their turns, and everything an agent said and did in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models

from apps.agents.conversation_tables import Conversation  # noqa: F401 - Django finds it here
from apps.agents.login_tables import CredentialLogin  # noqa: F401 - Django finds it here
from apps.agents.states import ACTIVE, Reason, Status, WaitingFor
from apps.agents.usage_tables import CredentialUse  # noqa: F401 - Django finds it here
from apps.boards.models import AgentMode, Board, Card, Column
from apps.core.models import Entity
from apps.core.secrets import EncryptedJson, EncryptedText
from apps.projects.models import Project

if TYPE_CHECKING:
    from apps.accounts.models import User


class AgentProfile(Entity):
    """A named configuration of an agent, for one project or (without project) for all."""

    id_prefix = "prof"

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="agent_profiles"
    )
    agent = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    # Keys may be among it: everything is encrypted.
    config: Any = EncryptedJson(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.agent})"


class Credential(Entity):
    """A key or a login of a model provider; agents work with it, people never see it again."""

    id_prefix = "cred"

    class AuthType(models.TextChoices):
        """What its secret is: a key that somebody typed, or tokens of a login."""

        API_KEY = "api_key"
        OAUTH = "oauth"

    class Status(models.TextChoices):
        """What is known of its secret; `pending` to `expired` are those of a first login."""

        UNVERIFIED = "unverified"
        VALID = "valid"
        INVALID = "invalid"
        PENDING = "pending"
        FAILED = "failed"
        EXPIRED = "expired"

    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)
    auth_type = models.CharField(max_length=8, choices=AuthType.choices, default=AuthType.API_KEY)
    # The key, or the access token; then what renews the token, and when it ends.
    secret = EncryptedText(blank=True, default="", editable=False)
    refresh_token = EncryptedText(blank=True, default="", editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True)
    # Who is renewing the token has until then; nobody else tries meanwhile.
    renewing_until = models.DateTimeField(null=True, blank=True, editable=False)
    hint = models.CharField(max_length=20, blank=True, default="")
    # Empty: the provider's own address.
    base_url = models.CharField(max_length=500, blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.UNVERIFIED)
    checked_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")
    # The provider's own usage windows as last seen, and when that was.
    windows = models.JSONField(default=list)
    windows_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"


class Then(models.TextChoices):
    """What shall follow when an attempt has ended."""

    NOTHING = "", "nothing"
    # Another attempt in the same worktree: from scratch, with a hand-off, for another column.
    RELAUNCH = "relaunch"
    RELAY = "relay"
    STEP = "step"
    # The card's next step, since its plan was approved.
    ADVANCE = "advance"
    # The same session once more, since only its worker went away.
    RESUME = "resume"


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Attempts, narrowed by person and by state."""

    def visible_to(self, user: User) -> Self:
        """The attempts of the projects one may see."""
        if user.is_super_admin:
            return self
        return self.filter(project__in=Project.objects.visible_to(user))

    def active(self) -> Self:
        """Those that are not over."""
        return self.filter(status__in=[str(status) for status in ACTIVE])


class Attempt(Entity):
    """One run of one agent on one card; numbered per card, never reused."""

    id_prefix = "sess"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="attempts")
    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="attempts")
    card = models.ForeignKey(Card, on_delete=models.CASCADE, related_name="attempts")
    # Where the card works while this attempt is on it: its step.
    column = models.ForeignKey(
        Column, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    number = models.PositiveIntegerField()
    agent = models.CharField(max_length=40)
    profile = models.ForeignKey(AgentProfile, on_delete=models.SET_NULL, null=True, blank=True)
    # What it works with now, or worked with last.
    credential = models.ForeignKey(
        Credential, on_delete=models.SET_NULL, null=True, blank=True, related_name="attempts"
    )
    mode = models.CharField(max_length=10, choices=AgentMode.choices, default=AgentMode.CODE)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    waiting_for = models.CharField(
        max_length=12, choices=WaitingFor.choices, blank=True, default=""
    )
    reason = models.CharField(max_length=24, choices=Reason.choices, blank=True, default="")
    # One sentence of detail to the reason, or why a queued attempt waits.
    detail = models.CharField(max_length=500, blank=True, default="")
    resume_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)

    # Ownership: who runs the current turn. The row decides, never the broker's message.
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=200, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)

    base_branch = models.CharField(max_length=255, blank=True, default="")
    base_sha = models.CharField(max_length=64, blank=True, default="")
    branch = models.CharField(max_length=255, blank=True, default="")
    worktree_path = models.CharField(max_length=1000, blank=True, default="")
    backup_ref = models.CharField(max_length=255, blank=True, default="")
    merged_sha = models.CharField(max_length=64, blank=True, default="")
    sandbox_level = models.CharField(max_length=12, blank=True, default="")
    # When the files were copied and the setup script had run: a retry repeats what had failed.
    prepared_at = models.DateTimeField(null=True, blank=True)
    # A lost host is made up for once by itself, and only before the agent's first tool call.
    auto_retried = models.BooleanField(default=False)
    # What was asked for while the agent had still to end, and by whom.
    then = models.CharField(max_length=10, choices=Then.choices, blank=True, default="")
    then_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The session this one got its hand-off from, and how many in a row nobody had asked for.
    relayed_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    relays_by_itself = models.PositiveSmallIntegerField(default=0)
    # That people were told once how full the context is.
    context_told = models.BooleanField(default=False)
    # When a summary was last asked for, and when the model had written one.
    summary_asked_at = models.DateTimeField(null=True, blank=True)
    summarized_at = models.DateTimeField(null=True, blank=True)

    # The agent's own handle, for resuming.
    session_id = models.CharField(max_length=200, blank=True, default="")
    session_info = models.JSONField(default=dict)
    remembered_permissions = models.JSONField(default=list)

    # Numbers items and logs; taken together with the rows it numbers.
    last_seq = models.PositiveIntegerField(default=0)
    last_position = models.PositiveIntegerField(default=0)

    todos = models.JSONField(default=list)
    live_line = models.CharField(max_length=200, blank=True, default="")
    summary = models.TextField(blank=True, default="")
    context_used = models.PositiveBigIntegerField(default=0)
    context_size = models.PositiveBigIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    files_changed = models.PositiveIntegerField(default=0)
    insertions = models.PositiveIntegerField(default=0)
    deletions = models.PositiveIntegerField(default=0)

    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["card", "number"], name="attempt_number_once_a_card"),
            models.UniqueConstraint(
                fields=["card"],
                condition=models.Q(status__in=sorted(str(status) for status in ACTIVE)),
                name="one_active_attempt_a_card",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["status", "queued_at"], name="attempt_by_status"),
            models.Index(fields=["project", "ended_at"], name="attempt_by_project_end"),
            models.Index(fields=["board", "status"], name="attempt_by_board_status"),
            # What overviews count and sort by, whole: their rows need not be read for it.
            models.Index(
                fields=["project", "agent", "status", "queued_at", "ended_at"],
                name="attempt_to_count",
            ),
            models.Index(fields=["queued_at", "id", "project"], name="attempt_by_begin"),
            models.Index(fields=["ended_at", "id", "project", "status"], name="attempt_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} #{self.number} {self.status}"

    @property
    def is_active(self) -> bool:
        """True while it is not over."""
        return self.status in ACTIVE


class Turn(Entity):
    """One prompt and what the agent did about it. Queued turns are the follow-ups in line."""

    id_prefix = "run"

    class Status(models.TextChoices):
        """Where a turn stands."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    prompt = models.TextField()
    # Answers to a request that outlived its process continue the session with this note.
    is_continuation = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    stop_reason = models.CharField(max_length=20, blank=True, default="")
    # What the agent worked with in this turn, and what that has used.
    credential = models.ForeignKey(
        Credential,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="turns",
        # Without it, whoever begins a turn would wait for whoever deletes the credential.
        db_constraint=False,
    )
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["attempt", "number"], name="turn_number_once"),
            models.UniqueConstraint(
                fields=["attempt"],
                condition=models.Q(status="running"),
                name="one_running_turn_an_attempt",
            ),
        ]

    def __str__(self) -> str:
        return f"turn {self.number} of {self.attempt_id}"


class Item(Entity):
    """A conversation item. `position` is its place; `seq` rises with every change, for replay."""

    id_prefix = "msg"

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="items")
    turn_number = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField()
    seq = models.PositiveIntegerField()
    # The agent's own id of a message or tool call: a second event with it changes this row.
    source_id = models.CharField(max_length=200)
    type = models.CharField(max_length=12)
    data = models.JSONField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["attempt", "position"], name="item_position_once"),
            models.UniqueConstraint(fields=["attempt", "source_id"], name="item_source_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["attempt", "seq"], name="item_by_seq")]

    def __str__(self) -> str:
        return f"{self.type} {self.position} of {self.attempt_id}"


class AttemptLog(models.Model):
    """A line the runner or the agent's error stream wrote."""

    class Level(models.TextChoices):
        """How bad it is."""

        INFO = "info"
        WARN = "warn"
        ERROR = "error"

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="logs")
    seq = models.PositiveIntegerField()
    level = models.CharField(max_length=5, choices=Level.choices, default=Level.INFO)
    message = models.TextField()
    ts = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["attempt", "seq"], name="log_seq_once")
        ]

    def __str__(self) -> str:
        return f"{self.level}: {self.message[:60]}"


class Approval(Entity):
    """A question of the agent to a person: it outlives the process that asked."""

    id_prefix = "appr"

    class Kind(models.TextChoices):
        """What is asked."""

        PERMISSION = "permission"
        PLAN = "plan"
        QUESTION = "question"

    class Status(models.TextChoices):
        """Whether it was answered."""

        PENDING = "pending"
        ANSWERED = "answered"
        WITHDRAWN = "withdrawn"

    class Decision(models.TextChoices):
        """The answers a person may give."""

        ALLOW_ONCE = "allow_once"
        ALLOW_ALWAYS = "allow_always"
        DENY = "deny"

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="approvals")
    turn_number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.CharField(max_length=500)
    # Tool kind, command, locations, plan text, the agent's own options.
    request = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    decision = models.CharField(max_length=12, choices=Decision.choices, blank=True, default="")
    feedback = models.TextField(blank=True, default="")
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["attempt", "status"], name="approval_by_status")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}: {self.title[:60]}"


class SlotLock(models.Model):
    """One row whose lock serializes admission, so that simultaneous requests keep every limit."""

    name = models.CharField(max_length=40, primary_key=True)

    def __str__(self) -> str:
        return self.name
