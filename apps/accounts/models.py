"""People, their tokens and their preferences."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts.notice_tables import Notification as Notification  # noqa: PLC0414 - of these
from apps.accounts.notice_tables import OutgoingMail as OutgoingMail  # noqa: PLC0414 - as above
from apps.core.models import Entity
from apps.core.secrets import EncryptedText


class Role(models.TextChoices):
    """What a person may do on the server as a whole; projects have their own roles."""

    SUPER_ADMIN = "super_admin"
    ADMIN = "admin"
    USER = "user"


class AuthProvider(models.TextChoices):
    """Where a person signs in."""

    LOCAL = "local"
    OIDC = "oidc"


class UserManager(BaseUserManager["User"]):
    """Finds people by e-mail without regard to case."""

    def get_by_natural_key(self, username: str | None) -> User:
        """This will find a person by e-mail, whatever its case."""
        return self.get(email=(username or "").strip().lower())


class User(Entity, AbstractBaseUser):
    """A person. E-mails are stored in lower case, so that uniqueness ignores case everywhere."""

    id_prefix = "user"

    email = models.EmailField(max_length=254, unique=True)
    display_name = models.CharField(max_length=100)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.USER)
    auth_provider = models.CharField(
        max_length=10, choices=AuthProvider.choices, default=AuthProvider.LOCAL
    )
    avatar_url = models.URLField(max_length=500, blank=True, default="")
    is_active = models.BooleanField(default=True)
    # The one who works while sign-in is off: nobody's account, so no list shows it.
    is_implicit = models.BooleanField(default=False, editable=False)
    must_change_password = models.BooleanField(default=False)
    # Raised to end every token and socket of this person at once.
    token_version = models.PositiveIntegerField(default=1)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.email

    @property
    def is_super_admin(self) -> bool:
        """True for those who run the server: they see everything, and the Django admin."""
        return self.role == Role.SUPER_ADMIN

    @property
    def is_server_admin(self) -> bool:
        """True for admins and super admins."""
        return self.role in {Role.ADMIN, Role.SUPER_ADMIN}

    @property
    def is_staff(self) -> bool:
        """Django admin's question."""
        return self.is_super_admin

    @property
    def is_superuser(self) -> bool:
        """Django admin's other question."""
        return self.is_super_admin

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """Django admin asks; only super admins get in."""
        return self.is_active and self.is_super_admin

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's signature
        """Django admin asks; only super admins get in."""
        return self.is_active and self.is_super_admin

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django compares this on every request: sessions end with the password and the version."""
        return salted_hmac(
            "kanbanai.session",
            f"{self.password}:{self.token_version}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()

    def get_full_name(self) -> str:
        """The name mails and Django's pages show."""
        return self.display_name

    def get_short_name(self) -> str:
        """The name greetings show."""
        return self.display_name


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Tokens, narrowed to the ones that still open doors."""

    def usable(self) -> Self:
        """Not revoked, not expired, of a person who may sign in."""
        return self.filter(
            models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=timezone.now()),
            revoked_at__isnull=True,
            user__is_active=True,
        )


class ApiToken(Entity):
    """A personal token for scripts: only its SHA-256 is kept, its secret is shown once."""

    id_prefix = "tok"

    class Scope(models.TextChoices):
        """What a token may do: `read` only GETs, `write` everything its owner may."""

        READ = "read"
        WRITE = "write"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.WRITE)
    # The first characters of the secret, so that its owner can tell tokens apart.
    hint = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class RealtimeTicket(models.Model):
    """A one-time pass for one stream, valid for seconds, so that tokens stay out of addresses."""

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_version = models.PositiveIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket of {self.user_id}"


class Theme(models.TextChoices):
    """The look of the pages."""

    DARK = "dark"
    LIGHT = "light"
    SYSTEM = "system"


class Preferences(models.Model):
    """How one person likes the pages."""

    user = models.OneToOneField(
        User, on_delete=models.CASCADE, primary_key=True, related_name="preferences"
    )
    theme = models.CharField(max_length=10, choices=Theme.choices, default=Theme.DARK)
    high_contrast = models.BooleanField(default=False)
    sidebar_expanded = models.BooleanField(default=True)
    agent_reasoning = models.BooleanField(default=True)
    status_line = models.BooleanField(default=True)
    hidden_tool_types = models.JSONField(default=list)

    notifications = models.JSONField(default=dict)
    # Only what differs from the table of actions: action -> keys.
    shortcuts = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"


class ServerSettings(models.Model):
    """What super admins set for the whole server: one row, whose key is always 1."""

    class Registration(models.TextChoices):
        """Who may make an account."""

        OPEN = "open"
        INVITE = "invite"
        CLOSED = "closed"

    class Relay(models.TextChoices):
        """When an agent's full context goes on in a fresh session."""

        OFF = "off"
        MANUAL = "manual"
        AUTO = "auto"

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    auth_enabled = models.BooleanField(default=True)
    # Empty: as the environment says.
    registration = models.CharField(
        max_length=10, choices=Registration.choices, blank=True, default=""
    )
    relay_mode = models.CharField(max_length=10, choices=Relay.choices, default=Relay.MANUAL)
    # Percent of an agent's context window.
    relay_threshold = models.PositiveSmallIntegerField(default=80)

    class Meta:
        verbose_name_plural = "server settings"
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="server_settings_is_one_row")
        ]

    def __str__(self) -> str:
        return "server settings"


class OidcConfiguration(models.Model):
    """The identity provider, if there is one: one row, whose key is always 1."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # What the button on the sign-in page says.
    name = models.CharField(max_length=60, blank=True, default="")
    issuer_url = models.CharField(max_length=500)
    client_id = models.CharField(max_length=255)
    client_secret = EncryptedText()
    scopes = models.CharField(max_length=255, default="openid email profile")
    # Believe addresses of which the provider does not say whether they are verified.
    trust_emails = models.BooleanField(default=False)
    # The claim with a person's groups; empty: groups mean nothing here.
    groups_claim = models.CharField(max_length=100, blank=True, default="")
    super_admin_groups = models.JSONField(default=list)
    admin_groups = models.JSONField(default=list)
    # Group -> public id of the organization its people are members of.
    organization_groups = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "OIDC configuration"
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="oidc_configuration_is_one_row")
        ]

    def __str__(self) -> str:
        return self.issuer_url


class LogExport(models.Model):
    """Where the lines of the log are sent besides: one row, whose key is always 1."""

    class Kind(models.TextChoices):
        """How the receiver wants them."""

        HTTP = "http"
        OTLP = "otlp"
        SYSLOG = "syslog"

    class Level(models.TextChoices):
        """The least severe line that is sent."""

        DEBUG = "debug"
        INFO = "info"
        WARN = "warn"
        ERROR = "error"

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    enabled = models.BooleanField(default=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.HTTP)
    # Encrypted, since some receivers want a key in their address.
    endpoint = EncryptedText(blank=True, default="")
    # JSON: name -> value.
    headers = EncryptedText(blank=True, default="")
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)

    class Meta:
        verbose_name = "log export"
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="log_export_is_one_row")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {'on' if self.enabled else 'off'}"


class Identity(models.Model):
    """Who a person is at an identity provider: its issuer's name for them, which never changes."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "identities"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once_at_issuer")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
