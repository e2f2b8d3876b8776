"""What boards take in: shape only, shared by REST, sockets and pages."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.boards.models import AgentMode, ColumnType, Priority, TicketType
from apps.core import ids
from apps.core.camel import Serializer
from apps.core.fields import StrictBoolean, StrictInteger, Text
from apps.core.paging import Part

TITLE_LENGTH = 300
PROMPT_LENGTH = 200_000
NAME_LENGTH = 100
LABEL_LENGTH = 50
SEARCH_LENGTH = 200
STATUS_LENGTH = 20
MAX_LABELS = 20
MAX_COLUMNS = 50
MAX_LINKS = 200
MAX_SET = 1_000


class Choice(serializers.ChoiceField):
    """One of a list, in any case, where null and the empty text mean none of them."""

    def to_internal_value(self, data: Any) -> Any:
        """This will read a choice; a text is trimmed and lower-cased first."""
        return super().to_internal_value(data.strip().lower() if isinstance(data, str) else data)


class NullableText(Text):
    """Text in which null means empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, allow_blank=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """This will read null as the empty text."""
        return super().run_validation("" if data is None else data)


class Labels(serializers.ListField):
    """Names of labels, each once, in the order given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=LABEL_LENGTH), max_length=MAX_LABELS, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        """This will drop repeated names."""
        return list(dict.fromkeys(super().to_internal_value(data)))


def id_list(prefix: str, **kwargs: Any) -> serializers.ListField:
    """This will be a field for a list of ids of one kind."""
    return serializers.ListField(child=ids.IdField(prefix), max_length=MAX_SET, **kwargs)


class CardFields(Serializer):
    """What may be said of a card when it is made or changed."""

    ticket_type = Choice(
        choices=TicketType.choices, required=False, allow_null=True, allow_blank=True
    )
    priority = Choice(choices=Priority.choices, required=False)
    labels = Labels(required=False)
    depends_on = id_list("card", required=False)
    is_deferred = StrictBoolean(required=False)
    is_auto_mode = StrictBoolean(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """This will store no type as the empty text."""
        if "ticket_type" in attrs:
            attrs["ticket_type"] = attrs["ticket_type"] or ""
        return attrs


class CreateCard(CardFields):
    """A new card in a chosen column."""

    column_id = ids.IdField("col")
    title = Text(max_length=TITLE_LENGTH)
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)


class CreateCardAnywhere(CardFields):
    """A new card in the first column of a project's first board."""

    project_id = ids.IdField("proj")
    title = Text(max_length=TITLE_LENGTH)
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)


class UpdateCard(CardFields):
    """Changes of a card; what is not sent stays."""

    title = Text(max_length=TITLE_LENGTH, required=False)
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)
    is_enhanced = StrictBoolean(required=False)
    disableAutoCloseOnPRMerge = StrictBoolean(  # noqa: N815 - the wire's own spelling
        source="disable_auto_close_on_pr_merge", required=False
    )
    assignees = id_list("user", required=False)


class MoveCard(Serializer):
    """Where a card goes: a column and a zero-based place, the end when it is missing."""

    column_id = ids.IdField("col")
    position = StrictInteger(required=False, allow_null=True)


class SetAutoMode(Serializer):
    """Whether a card goes on by itself, and what it does not wait for then."""

    enabled = StrictBoolean()
    skip_approval = StrictBoolean(required=False)
    skip_plan_columns = StrictBoolean(required=False)


class PipelineStep(Serializer):
    """A column a card visits, with a prompt of its own."""

    column_id = ids.IdField("col")
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)
    enabled = StrictBoolean(required=False)


class SetPipeline(Serializer):
    """The columns a card visits; none means every column of its board."""

    steps = serializers.ListField(child=PipelineStep(), max_length=MAX_LINKS)


class CreateBoard(Serializer):
    """A new board, with the columns of a template."""

    name = Text(max_length=NAME_LENGTH)
    template_id = ids.IdField("tpl", required=False, allow_null=True)


class RenameBoard(Serializer):
    """A board's new name."""

    name = Text(max_length=NAME_LENGTH, required=False)


class ListCards(Part):
    """Which cards of a project to list: those that match everything that is given."""

    board_id = ids.IdField("board", required=False)
    column_id = ids.IdField("col", required=False)
    label = Text(max_length=LABEL_LENGTH, required=False)  # type: ignore[assignment] # a field's own
    search = Text(max_length=SEARCH_LENGTH, required=False, allow_blank=True)
    assignee = ids.IdField("user", required=False)
    agent_status = Text(max_length=STATUS_LENGTH, required=False)


class ListColumns(Serializer):
    """Which columns to list: of one board, or of all boards of the project."""

    board_id = ids.IdField("board", required=False)


class CreateColumn(Serializer):
    """A new column."""

    board_id = ids.IdField("board")
    name = Text(max_length=NAME_LENGTH)
    column_type = Choice(choices=ColumnType.choices)
    agent_mode = Choice(choices=AgentMode.choices, required=False)
    skill_name = NullableText(max_length=NAME_LENGTH, required=False)
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)
    wip_limit = StrictInteger(required=False, allow_null=True, min_value=1, max_value=10_000)


class UpdateColumn(Serializer):
    """Changes of a column; what is not sent stays."""

    name = Text(max_length=NAME_LENGTH, required=False)
    agent_mode = Choice(choices=AgentMode.choices, required=False)
    skill_name = NullableText(max_length=NAME_LENGTH, required=False)
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)
    wip_limit = StrictInteger(required=False, allow_null=True, min_value=1, max_value=10_000)


class UploadAttachment(Serializer):
    """A file for a card."""

    file = serializers.FileField(allow_empty_file=True)


class TemplateColumn(Serializer):
    """A column of a template."""

    name = Text(max_length=NAME_LENGTH)
    column_type = Choice(choices=ColumnType.choices)
    agent_mode = Choice(choices=AgentMode.choices, required=False)
    skill_name = NullableText(max_length=NAME_LENGTH, required=False)
    prompt = NullableText(max_length=PROMPT_LENGTH, multiline=True, required=False)


class CreateTemplate(Serializer):
    """Columns to keep for boards to come, from left to right."""

    name = Text(max_length=NAME_LENGTH)
    columns = serializers.ListField(child=TemplateColumn(), min_length=1, max_length=MAX_COLUMNS)


class UpdateTemplate(Serializer):
    """Another name or other columns; what is not sent stays."""

    name = Text(max_length=NAME_LENGTH, required=False)
    columns = serializers.ListField(
        child=TemplateColumn(), min_length=1, max_length=MAX_COLUMNS, required=False
    )


class ReorderBoards(Serializer):
    """Every board of a project, in the new order."""

    ids = id_list("board")


class ReorderColumns(Serializer):
    """Every column of one board, in the new order."""

    ids = id_list("col")


class SocketCreateCard(Serializer):
    """`create_card` of the board socket."""

    column_id = ids.IdField("col")
    title = Text(max_length=TITLE_LENGTH)
    description = NullableText(
        source="prompt", max_length=PROMPT_LENGTH, multiline=True, required=False
    )
    ticket_type = Choice(choices=TicketType.choices, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """This will store no type as the empty text."""
        return {**attrs, "ticket_type": attrs.get("ticket_type") or ""}


class SocketMoveCard(Serializer):
    """`move_card` of the board socket."""

    card_id = ids.IdField("card")
    to_column_id = ids.IdField("col")
    to_index = StrictInteger()


class SocketUpdateCard(CardFields):
    """`update_card` of the board socket."""

    card_id = ids.IdField("card")
    title = Text(max_length=TITLE_LENGTH, required=False)
    description = NullableText(
        source="prompt", max_length=PROMPT_LENGTH, multiline=True, required=False
    )
    is_enhanced = StrictBoolean(required=False)
    disableAutoCloseOnPRMerge = StrictBoolean(  # noqa: N815 - the wire's own spelling
        source="disable_auto_close_on_pr_merge", required=False
    )


class SocketCard(Serializer):
    """A command that only names a card."""

    card_id = ids.IdField("card")
