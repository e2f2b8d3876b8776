"""What comes in for projects: shape only."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from apps.core import fields, ids, problems
from apps.core.camel import Serializer
from apps.projects.models import MergeStrategy, ProjectRole

NAME_LENGTH = 50
DESCRIPTION_LENGTH = 200
PATH_LENGTH = 1000
URL_LENGTH = 1000
SECRET_LENGTH = 4096
SCRIPT_LENGTH = 64_000
SCRIPT_NAME_LENGTH = 100
MOST_SCRIPTS = 100
FILE_PATH_LENGTH = 4096
COLORS = ("", "gray", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink")
MOST_PROJECTS = 10_000
PANEL_STATE_BYTES = 4096
PANEL_STATES_AT_ONCE = 500


class CreateProject(Serializer):
    """A repository on the server (`path`), a new one (`initialize`) or one to clone (`url`)."""

    name = fields.Text(max_length=NAME_LENGTH, required=False)
    path = fields.Text(max_length=PATH_LENGTH, required=False, trim_whitespace=False)
    url = fields.Text(max_length=URL_LENGTH, required=False)
    username = fields.Text(max_length=SECRET_LENGTH, required=False, write_only=True)
    password = fields.Text(
        max_length=SECRET_LENGTH, required=False, trim_whitespace=False, write_only=True
    )
    initialize = fields.StrictBoolean(default=False)
    organization_id = ids.IdField("org", required=False, allow_null=True)
    description = fields.Text(
        max_length=DESCRIPTION_LENGTH, required=False, allow_blank=True, multiline=True
    )
    color = serializers.ChoiceField(COLORS, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A name and a folder, unless an address says both."""
        required = serializers.ValidationError("This field is required.", code="required")
        if "url" in attrs:
            if attrs["initialize"]:
                wrong = "Either clone a repository or begin one."
                raise serializers.ValidationError({"initialize": wrong}, code="invalid")
            return attrs
        if "name" not in attrs:
            raise serializers.ValidationError({"name": required.detail})
        if "path" not in attrs and not attrs["initialize"]:
            raise serializers.ValidationError({"path": required.detail})
        return attrs


class UpdateProject(Serializer):
    """New facts of a project; at least one."""

    name = fields.Text(max_length=NAME_LENGTH, required=False)
    description = fields.Text(
        max_length=DESCRIPTION_LENGTH, required=False, allow_blank=True, multiline=True
    )
    color = serializers.ChoiceField(COLORS, required=False)


class UpdateSettings(Serializer):
    """New settings of a project; whether an agent exists is asked by the agents app."""

    base_branch = fields.Text(max_length=255, required=False, allow_blank=True)
    branch_template = fields.Text(max_length=200, required=False)
    copy_files = fields.Text(
        max_length=SCRIPT_LENGTH, required=False, allow_blank=True, multiline=True
    )
    setup_script = fields.Text(
        max_length=SCRIPT_LENGTH,
        required=False,
        allow_blank=True,
        multiline=True,
        trim_whitespace=False,
    )
    cleanup_script = fields.Text(
        max_length=SCRIPT_LENGTH,
        required=False,
        allow_blank=True,
        multiline=True,
        trim_whitespace=False,
    )
    allow_scripts_to_fail = fields.StrictBoolean(required=False)
    allow_copy_files_to_fail = fields.StrictBoolean(required=False)
    allow_setup_script_to_fail = fields.StrictBoolean(required=False)
    default_agent = fields.Text(max_length=40, required=False, allow_blank=True)
    default_profile_id = fields.Text(max_length=40, required=False, allow_blank=True)
    auto_commit_on_finish = fields.StrictBoolean(required=False)
    merge_strategy = serializers.ChoiceField(MergeStrategy.choices, required=False)
    ticket_prefix = fields.Text(max_length=6, required=False)

    def validate_ticketPrefix(self, value: str) -> str:  # noqa: N802 - DRF looks it up by wire name
        """Letters and digits, in upper case."""
        upper = value.upper()
        if not (upper.isascii() and upper.isalnum()):
            message = "Use one to six letters A-Z and digits."
            raise serializers.ValidationError(message)
        return upper


class Login(Serializer):
    """A login for a clone that is tried again."""

    username = fields.Text(max_length=SECRET_LENGTH, required=False, write_only=True)
    password = fields.Text(
        max_length=SECRET_LENGTH, required=False, trim_whitespace=False, write_only=True
    )


class ReorderProjects(Serializer):
    """Projects in a person's order."""

    ids = serializers.ListField(child=ids.IdField("proj"), max_length=MOST_PROJECTS)


class AddMember(Serializer):
    """Somebody for the project, by e-mail."""

    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(ProjectRole.choices, default=ProjectRole.MEMBER)


class UpdateMember(Serializer):
    """Another role."""

    role = serializers.ChoiceField(ProjectRole.choices)


class ListProjects(Serializer):
    """Which projects to list."""

    organization_id = ids.IdField("org", required=False)


class ListFiles(Serializer):
    """Which files to list: those whose path holds `search`, a page of them."""

    search = fields.Text(max_length=200, required=False, allow_blank=True, default="")
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=20_000, default=20_000)


class BrowseFolder(Serializer):
    """A folder of the server to look into, a part of it."""

    path = fields.Text(
        max_length=FILE_PATH_LENGTH, default="", allow_blank=True, trim_whitespace=False
    )
    include_files = serializers.BooleanField(default=False)
    cursor = fields.Text(max_length=FILE_PATH_LENGTH, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=500)


class ReadFile(Serializer):
    """A file of the server to read."""

    path = fields.Text(max_length=FILE_PATH_LENGTH, trim_whitespace=False)


class CreateScript(Serializer):
    """A command of a project's own."""

    name = fields.Text(max_length=SCRIPT_NAME_LENGTH)
    command = fields.Text(max_length=SCRIPT_LENGTH, multiline=True, trim_whitespace=False)


class UpdateScript(Serializer):
    """Another name or command; what is not sent stays."""

    name = fields.Text(max_length=SCRIPT_NAME_LENGTH, required=False)
    command = fields.Text(
        max_length=SCRIPT_LENGTH, multiline=True, trim_whitespace=False, required=False
    )


class ReorderScripts(Serializer):
    """Every script of a project, in the new order."""

    ids = serializers.ListField(child=ids.IdField("scr"), max_length=MOST_SCRIPTS)


def read_panel_states(body: object) -> dict[str, Any]:
    """This will check panel states: an object of opaque JSON by card id, 4 KB each at most."""
    if not isinstance(body, dict):
        message = "The body must be a JSON object keyed by card id."
        raise problems.ValidationFailed(message)
    if len(body) > PANEL_STATES_AT_ONCE:
        message = f"At most {PANEL_STATES_AT_ONCE} panels can be saved at once."
        raise problems.ValidationFailed(message)
    for key, value in body.items():
        try:
            ids.decode("card", key)
        except problems.NotFound:
            raise problems.ValidationFailed.of(str(key), "Not a valid id.") from None
        if not fields.is_storable(value):
            raise problems.ValidationFailed.of(key, "This cannot be stored.")
        if len(json.dumps(value, ensure_ascii=False).encode()) > PANEL_STATE_BYTES:
            detail = f"A panel's state may have {PANEL_STATE_BYTES} bytes."
            raise problems.ValidationFailed.of(key, detail, "too_long")
    return body
