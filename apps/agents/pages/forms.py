"""Forms of a project's settings: what is drawn; the inputs of the API check what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from apps.agents import keys
from apps.agents.pages import shapes
from apps.boards import outputs as board_outputs
from apps.boards import queries as board_queries
from apps.boards.models import AgentMode, ColumnType
from apps.core import ids
from apps.core.camel import camelize
from apps.core.rest import problem_of
from apps.projects.inputs import COLORS
from apps.projects.models import MergeStrategy

if TYPE_CHECKING:
    from apps.core.camel import Serializer
    from apps.projects.models import Project, ProjectSettings

MODES = {
    AgentMode.NONE: "No agent: people work here",
    AgentMode.PLAN: "An agent plans",
    AgentMode.CODE: "An agent works",
    AgentMode.SKILL: "An agent follows a skill",
}
TYPES = {
    ColumnType.ACTIVE: "Work",
    ColumnType.BACKLOG: "Backlog",
    ColumnType.DONE: "Done",
    ColumnType.ARCHIVE: "Archive, hidden on the board",
}


def read(
    serializer: type[Serializer], form: forms.Form, names: list[str], **more: Any
) -> dict[str, Any]:
    """This will read fields of a form as an input of the API does."""
    data = {camelize(name): form.cleaned_data[name] for name in names} | more
    reader = serializer(data=data)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def tell(form: forms.Form, error: Exception) -> None:
    """This will put a problem beside the field it is about."""
    problem = problem_of(error)
    by_wire = {camelize(name): name for name in form.fields}
    for entry in problem.errors:
        form.add_error(by_wire.get(entry["field"]), entry["detail"])
    if not problem.errors:
        form.add_error(None, problem.detail)


def _script(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "mono"}),
    )


class General(forms.Form):
    """What the project is called."""

    name = forms.CharField(max_length=50)
    description = forms.CharField(max_length=200, required=False)
    color = forms.ChoiceField(label="Colour", choices=[(name, name.title()) for name in COLORS])
    ticket_prefix = forms.CharField(
        label="Prefix of card keys",
        max_length=6,
        help_text="Letters and digits. Cards that exist keep their keys.",
    )


class Git(forms.Form):
    """Where branches start and how they come back."""

    base_branch = forms.CharField(
        max_length=255, required=False, help_text="Empty: the repository's own default branch."
    )
    branch_template = forms.CharField(
        max_length=200, help_text="Tokens: {prefix}, {ticketKey}, {type}, {slug}."
    )
    merge_strategy = forms.ChoiceField(choices=MergeStrategy.choices)
    auto_commit_on_finish = forms.BooleanField(
        label="Commit when an agent has finished", required=False
    )


class Scripts(forms.Form):
    """What runs around an agent's work."""

    copy_files = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text="One file a line, copied from the repository's folder: .env.example -> .env",
    )
    setup_script = _script("Setup script", "Before the agent starts, in its own folder.")
    cleanup_script = _script("Cleanup script", "After the agent has ended; may fail.")
    allow_scripts_to_fail = forms.BooleanField(label="Go on when a script fails", required=False)
    allow_copy_files_to_fail = forms.BooleanField(
        label="Go on when a file is missing", required=False
    )
    allow_setup_script_to_fail = forms.BooleanField(
        label="Go on when the setup script fails", required=False
    )


class Agents(forms.Form):
    """Who takes a card when nobody chooses."""

    default_agent = forms.ChoiceField(required=False)
    credential_id = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "The first one that is installed")]
        for agent in shapes.agents():
            missing = "" if agent["available"] else " (not installed)"
            choices.append((agent["key"], f"{agent['label']}{missing}"))
        self.fields["default_agent"] = forms.ChoiceField(choices=choices, required=False)
        kept = [(row.public_id, f"{row.name} ({row.provider})") for row in keys.credentials()]
        self.fields["credential_id"] = forms.ChoiceField(
            label="Credential",
            choices=[("", "The organization's, or the only one there is"), *kept],
            required=False,
            help_text="What agents work with on cards that have none of their own.",
        )


SECTIONS: dict[str, type[forms.Form]] = {
    "general": General,
    "git": Git,
    "scripts": Scripts,
    "agents": Agents,
}


def initial_of(project: Project, settings: ProjectSettings) -> dict[str, Any]:
    """This will be the present values of every section."""
    key = project.credential_id
    return {
        field: getattr(project, field, None)
        if field in {"name", "description", "color"}
        else getattr(settings, field, None)
        for form in SECTIONS.values()
        for field in form.base_fields
    } | {"credential_id": ids.encode("cred", key) if key else ""}


class Member(forms.Form):
    """Somebody for the project."""

    email = forms.CharField(required=False)


class Confirm(forms.Form):
    """The project's name, typed once more."""

    confirm = forms.CharField(required=False)


class NewBoard(forms.Form):
    """A board of a template's columns."""

    name = forms.CharField(max_length=100)
    template_id = forms.ChoiceField(required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="new-board-%s")
        choices = [("", "Backlog, In Progress, Review, Done")]
        for template in board_outputs.templates(board_queries.templates()):
            names = ", ".join(column["name"] for column in template["columns"])
            choices.append((template["id"], f"{template['name']}: {names}"))
        self.fields["template_id"] = forms.ChoiceField(
            label="Columns", choices=choices, required=False
        )

    def clean_template_id(self) -> str | None:
        """This will choose no template by the empty text."""
        return self.cleaned_data["template_id"] or None


class Column(forms.Form):
    """What can be changed of a column."""

    name = forms.CharField(max_length=100)
    agent_mode = forms.ChoiceField(label="When a card enters", choices=list(MODES.items()))
    skill_name = forms.CharField(
        label="Skill", max_length=100, required=False, help_text="Only where one is followed."
    )
    wip_limit = forms.IntegerField(
        label="Cards at a time",
        min_value=1,
        max_value=10_000,
        required=False,
        help_text="How many agents may work here at once. Empty: as many as there is room for.",
    )
    prompt = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Said to the agent besides what the card says.",
    )


class NewColumn(Column):
    """A column at the right end of a board."""

    column_type = forms.ChoiceField(label="Type", choices=list(TYPES.items()))
    agent_mode = forms.ChoiceField(
        label="When a card enters it",
        choices=list(MODES.items()),
        initial=AgentMode.CODE,
        required=False,
        help_text="Only columns for work have agents.",
    )
    field_order = ("name", "column_type", "agent_mode", "skill_name", "wip_limit", "prompt")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="new-column-%s")

    def clean_agent_mode(self) -> str:
        """This will let agents work where no other mode was chosen."""
        return self.cleaned_data["agent_mode"] or AgentMode.CODE
