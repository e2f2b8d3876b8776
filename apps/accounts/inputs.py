"""What comes in about people: shape only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.validators import EmailValidator
from rest_framework import serializers

from apps.accounts import notifications, shortcuts
from apps.accounts.models import ApiToken, Role, ServerSettings, Theme
from apps.accounts.oidc import wire
from apps.core import camel, fields, paging, problems

EMAIL_LENGTH = 254
NAME_LENGTH = 100
# Hashing takes time that grows with the text; nobody types more.
PASSWORD_LENGTH = 256
SEARCH_LENGTH = 200
TOKEN_DAYS = 3650
HIDDEN_TOOL_TYPES = 100
KEYS_LENGTH = 30
GROUP_LENGTH = 200
MOST_GROUPS = 200


class Email(fields.Text):
    """An e-mail address, made lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=EMAIL_LENGTH, **kwargs)
        self.validators.append(EmailValidator())

    def to_internal_value(self, data: Any) -> str:
        """This will read the address; uniqueness ignores case because only this case exists."""
        return super().to_internal_value(data).lower()


class Password(fields.Text):
    """A password, exactly as typed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=PASSWORD_LENGTH, trim_whitespace=False, **kwargs)


class SetUp(camel.Serializer):
    """The first account."""

    email = Email()
    password = Password()
    display_name = fields.Text(max_length=NAME_LENGTH, required=False, allow_blank=True)


class Register(SetUp):
    """A further account."""


class SignIn(camel.Serializer):
    """E-mail and password."""

    email = fields.Text(max_length=EMAIL_LENGTH)
    password = Password()


class ChangePassword(camel.Serializer):
    """The old and the new password."""

    current_password = Password()
    new_password = Password()


class CreateToken(camel.Serializer):
    """A personal token: `expiresInDays` left out means that it never ends by itself."""

    name = fields.Text(max_length=NAME_LENGTH)
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, default=ApiToken.Scope.WRITE)
    expires_in_days = fields.StrictInteger(
        min_value=1, max_value=TOKEN_DAYS, required=False, allow_null=True, default=None
    )


class UpdatePreferences(camel.Serializer):
    """Any part of the preferences; unknown keys are refused."""

    theme = serializers.ChoiceField(choices=Theme.choices, required=False)
    high_contrast = fields.StrictBoolean(required=False)
    sidebar_expanded = fields.StrictBoolean(required=False)
    agent_reasoning = fields.StrictBoolean(required=False)
    status_line = fields.StrictBoolean(required=False)
    hidden_tool_types = serializers.ListField(
        child=fields.Text(max_length=NAME_LENGTH), max_length=HIDDEN_TOOL_TYPES, required=False
    )

    def to_internal_value(self, data: Any) -> Any:
        """This will refuse keys that do not exist before it reads the others."""
        unknown_keys(data, self.fields)
        return super().to_internal_value(data)


class SearchUsers(camel.Serializer):
    """A part of a name or an e-mail."""

    q = fields.Text(max_length=SEARCH_LENGTH, required=False, allow_blank=True, default="")


class ListNotifications(paging.Part):
    """A part of one's notifications, of the unread ones alone where that is wanted."""

    unread = serializers.BooleanField(default=False)


class ListUsers(camel.Serializer):
    """A page of the list of people."""

    search = fields.Text(max_length=SEARCH_LENGTH, required=False, allow_blank=True, default="")
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=50)
    cursor = paging.cursor_field()


class CreateUser(camel.Serializer):
    """A person made by an admin."""

    email = Email()
    name = fields.Text(max_length=NAME_LENGTH)
    role = serializers.ChoiceField(choices=Role.choices)


class UpdateUser(camel.Serializer):
    """A person's new name or role."""

    name = fields.Text(max_length=NAME_LENGTH, required=False)
    role = serializers.ChoiceField(choices=Role.choices, required=False)


class UpdateAuth(camel.Serializer):
    """Who may come in."""

    enabled = fields.StrictBoolean()
    registration = serializers.ChoiceField(
        choices=ServerSettings.Registration.choices, required=False
    )


def unknown_keys(data: Any, known: Iterable[str], *, path: str = "") -> None:
    """Refuses keys that do not exist, all of them at once."""
    unknown = sorted(set(map(str, data)) - set(known)) if isinstance(data, dict) else []
    if unknown:
        raise problems.ValidationFailed(
            errors=[
                {"field": path + key, "code": "unknown", "detail": "There is no such setting."}
                for key in unknown
            ]
        )


class HeardEvents(camel.Serializer):
    """What one wants to hear of."""

    agent_completed = fields.StrictBoolean(required=False)
    agent_failed = fields.StrictBoolean(required=False)
    approval_needed = fields.StrictBoolean(required=False)
    input_needed = fields.StrictBoolean(required=False)
    script_finished = fields.StrictBoolean(required=False)
    invitation = fields.StrictBoolean(required=False)


class UpdateNotifications(camel.Serializer):
    """Any part of what one wants to hear, and how; unknown keys are refused."""

    in_app = fields.StrictBoolean(required=False)
    browser = fields.StrictBoolean(required=False)
    sound = fields.StrictBoolean(required=False)
    email = fields.StrictBoolean(required=False)
    events = HeardEvents(required=False)

    def to_internal_value(self, data: Any) -> Any:
        """This will give what was sent, under the wire's own keys, once it is known to be right."""
        unknown_keys(data, self.fields)
        heard = data.get("events") if isinstance(data, dict) else None
        unknown_keys(heard, notifications.EVENTS, path="events.")
        super().to_internal_value(data)
        return data


class UpdateContextRelay(camel.Serializer):
    """When an agent's full context goes on in a fresh session."""

    mode = serializers.ChoiceField(choices=ServerSettings.Relay.choices)
    threshold = fields.StrictInteger(min_value=50, max_value=95, default=80)


class UpdateShortcuts(camel.Serializer):
    """Keys by action, null for the default ones; actions left out stay as they are."""

    shortcuts = serializers.DictField(
        child=fields.Text(max_length=KEYS_LENGTH, allow_null=True), allow_empty=True
    )

    def validate_shortcuts(self, value: dict[str, str | None]) -> dict[str, str | None]:
        """This will refuse actions that do not exist, and keys that pages cannot hear."""
        unknown_keys(value, shortcuts.DEFAULTS, path="shortcuts.")
        wrong = {
            action: [serializers.ErrorDetail("There are no such keys.", code="invalid")]
            for action, keys in value.items()
            if keys is not None and not shortcuts.is_possible(action, keys)
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return value


class Groups(serializers.ListField):
    """Names of groups at the identity provider."""

    def __init__(self) -> None:
        super().__init__(
            child=fields.Text(max_length=GROUP_LENGTH), max_length=MOST_GROUPS, default=list
        )


class OrganizationGroups(serializers.DictField):
    """Organizations by the group whose people are their members."""

    def __init__(self) -> None:
        super().__init__(child=fields.Text(max_length=NAME_LENGTH), default=dict)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """This will bound the groups' names and number."""
        found: dict[str, str] = super().to_internal_value(data)
        if len(found) > MOST_GROUPS or any(len(group) > GROUP_LENGTH for group in found):
            message = "These are too many groups, or one has too long a name."
            raise serializers.ValidationError(message, code="max_length")
        if any(fields.text_problem(group, multiline=False) for group in found):
            message = "Control characters are not allowed."
            raise serializers.ValidationError(message, code="characters")
        return found


class IssuerUrl(fields.Text):
    """The address of an identity provider: https, or on this machine."""

    def to_internal_value(self, data: Any) -> str:
        """This will read the address as the provider writes it."""
        text = super().to_internal_value(data)
        if not wire.is_safe(text) or "?" in text:
            message = "Enter the issuer's https address."
            raise serializers.ValidationError(message, code="invalid")
        return text


class ConfigureProvider(camel.Serializer):
    """The identity provider; what is left out gets its default."""

    issuer_url = IssuerUrl(max_length=500)
    client_id = fields.Text(max_length=255)
    client_secret = fields.Text(max_length=1000, trim_whitespace=False)
    name = fields.Text(max_length=60, allow_blank=True, default="")
    scopes = fields.Text(max_length=255, default="openid email profile")
    trust_emails = fields.StrictBoolean(default=False)
    groups_claim = fields.Text(max_length=100, allow_blank=True, default="")
    super_admin_groups = Groups()
    admin_groups = Groups()
    organization_groups = OrganizationGroups()

    def validate_scopes(self, value: str) -> str:
        """This will see to `openid`, without which there is no sign-in."""
        words = value.split()
        if "openid" not in words:
            message = "The scopes must hold openid."
            raise serializers.ValidationError(message, code="invalid")
        return " ".join(words)


class StartSignIn(camel.Serializer):
    """Where to go once the identity provider let somebody in.

    `next` is a path of our own pages. `client` is the address of another client whose origin is one
    of KANBANAI_CORS_ORIGINS: the token is put in its fragment.
    """

    next = fields.Text(max_length=2000, required=False, allow_blank=True, default="")
    client = fields.Text(max_length=2000, required=False, allow_blank=True, default="")


class FinishSignIn(camel.Serializer):
    """What the identity provider sends back with the browser."""

    code = fields.Text(max_length=4000, required=False, allow_blank=True, default="")
    state = fields.Text(max_length=200, required=False, allow_blank=True, default="")
    error = fields.Text(max_length=200, required=False, allow_blank=True, default="")
    iss = fields.Text(max_length=500, required=False, allow_blank=True, default="")
