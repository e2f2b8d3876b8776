"""Projects: a git repository, its people and its settings."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from apps.accounts.models import User
from apps.core.models import Entity
from apps.core.ranks import RankField
from apps.orgs.models import Membership, Organization


class ProjectQuerySet(models.QuerySet["Project"]):
    """Projects, narrowed to what a person may see."""

    def visible_to(self, user: User) -> Self:
        """One's own, those one is a member of, and those of one's organizations."""
        if user.is_super_admin:
            return self
        return self.filter(
            models.Q(owner=user)
            | models.Exists(ProjectMember.objects.filter(project=models.OuterRef("pk"), user=user))
            | models.Exists(
                Membership.objects.filter(
                    organization=models.OuterRef("organization_id"), user=user
                )
            )
        )


class Project(Entity):
    """A repository on this server, with the boards that work on it."""

    id_prefix = "proj"

    class Origin(models.TextChoices):
        """How the repository came here."""

        EXISTING = "existing"
        CREATED = "created"
        CLONED = "cloned"
        DEMO = "demo"

    class State(models.TextChoices):
        """Whether the repository can be worked on."""

        READY = "ready"
        CLONING = "cloning"
        CLONE_FAILED = "clone_failed"
        CLONE_CANCELLED = "clone_cancelled"

    name = models.CharField(max_length=50)
    description = models.CharField(max_length=200, blank=True, default="")
    color = models.CharField(max_length=20, blank=True, default="")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="projects"
    )
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="owned_projects")
    path = models.CharField(max_length=1000, unique=True)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.EXISTING)
    # Without credentials: what is shown, never what is fetched from.
    repository_url = models.CharField(max_length=1000, blank=True, default="")
    state = models.CharField(max_length=20, choices=State.choices, default=State.READY)
    # While cloning: percent done, what git is doing, and afterwards why it failed.
    clone_percent = models.PositiveSmallIntegerField(default=0)
    clone_phase = models.CharField(max_length=300, blank=True, default="")
    clone_cancel_requested = models.BooleanField(default=False)
    # The sign of life of the worker that clones; None while no worker has begun.
    clone_beat_at = models.DateTimeField(null=True, blank=True)
    # Cards are numbered by a counter of the project: ABC-12.
    next_ticket_number = models.PositiveIntegerField(default=1)
    # Told from above, by projects.operations.choose_credential: the key of a credential, if any.
    credential_id = models.UUIDField(null=True, blank=True, editable=False, db_index=True)

    objects = ProjectQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class ProjectRole(models.TextChoices):
    """What a member may do in the project."""

    ADMIN = "admin"
    MEMBER = "member"


class ProjectMember(models.Model):
    """One person in one project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["project", "user"], name="member_once_in_project")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}"


class Invitation(Entity):
    """A membership that waits for an account with this e-mail."""

    id_prefix = "inv"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.MEMBER)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["project", "email"], name="invitation_once_in_project")
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.project_id}"


class MergeStrategy(models.TextChoices):
    """How an attempt's branch becomes part of the base branch."""

    MERGE = "merge"
    SQUASH = "squash"
    FAST_FORWARD = "ff"


class ProjectSettings(models.Model):
    """What drives the work on a project's cards; one row a project."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="settings"
    )
    # Empty: the repository's own default branch.
    base_branch = models.CharField(max_length=255, blank=True, default="")
    branch_template = models.CharField(max_length=200, default="{prefix}/{ticketKey}-{slug}")
    copy_files = models.TextField(blank=True, default="")
    setup_script = models.TextField(blank=True, default="")
    cleanup_script = models.TextField(blank=True, default="")
    allow_scripts_to_fail = models.BooleanField(default=False)
    allow_copy_files_to_fail = models.BooleanField(default=False)
    allow_setup_script_to_fail = models.BooleanField(default=False)
    # Empty: the first installed preset, else `demo`.
    default_agent = models.CharField(max_length=40, blank=True, default="")
    default_profile_id = models.CharField(max_length=40, blank=True, default="")
    auto_commit_on_finish = models.BooleanField(default=False)
    merge_strategy = models.CharField(
        max_length=10, choices=MergeStrategy.choices, default=MergeStrategy.MERGE
    )
    ticket_prefix = models.CharField(max_length=6)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "project settings"

    def __str__(self) -> str:
        return f"settings of {self.project_id}"


class ProjectView(models.Model):
    """What one person did with one project: their order, when they opened it, their open panels."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="views")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="project_views")
    rank = RankField(blank=True, default="")
    last_opened_at = models.DateTimeField(null=True, blank=True)
    all_read_at = models.DateTimeField(null=True, blank=True)
    panel_states = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["project", "user"], name="project_view_once_a_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.project_id}"


class Script(Entity):
    """A command of a project's own, which people run by its name."""

    id_prefix = "scr"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="scripts")
    name = models.CharField(max_length=100)
    command = models.TextField()
    rank = RankField()

    def __str__(self) -> str:
        return self.name


class ScriptRun(Entity):
    """One run of a script: its process lives in a worker, this is what is known of it."""

    id_prefix = "run"

    class Status(models.TextChoices):
        """How far a run is; the last three are ends."""

        RUNNING = "running"
        SUCCESS = "success"
        FAILED = "failed"
        CANCELLED = "cancelled"

    script = models.ForeignKey(Script, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    exit_code = models.IntegerField(null=True, blank=True)
    # Why it ended when not by itself: a limit, a lost worker, a program that is not there.
    detail = models.CharField(max_length=300, blank=True, default="")
    # The end of what it printed.
    output = models.TextField(blank=True, default="")
    started_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    cancel_requested = models.BooleanField(default=False)
    # The machine that runs it, and the sign of life of its worker; none while nobody has begun.
    host = models.CharField(max_length=255, blank=True, default="")
    beat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["script"],
                condition=models.Q(status="running"),
                name="script_runs_once_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.script_id} {self.status}"
