"""What the dashboard takes in; how the range is chosen is said in `ranges`."""

from __future__ import annotations

from rest_framework import serializers

from apps.core import fields, ids
from apps.core.camel import Serializer


class ReadOverview(Serializer):
    """Two moments, else a preset, else its short name; the last seven days without any."""

    # `from` is a word of Python; `get_fields` gives the field its name.
    start = serializers.CharField(required=False, help_text="ISO 8601, inclusive; sent as `from`.")
    to = serializers.CharField(required=False, help_text="ISO 8601, exclusive.")
    time_range_preset = serializers.CharField(required=False)
    range = serializers.ChoiceField(choices=["24h", "7d", "30d", "90d", "all"], required=False)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """This will call the first field `from`."""
        fields = super().get_fields()
        return {("from" if name == "start" else name): field for name, field in fields.items()}


class Export(Serializer):
    """Whether the files of cards come along with what is in them, or by their names only."""

    attachments = serializers.ChoiceField(choices=["names", "content"], default="names")


class ExportOrganization(Serializer):
    """The organization; else the one of the header, else the only one there is."""

    organization_id = ids.IdField("org", required=False, allow_null=True)


class ImportOptions(Serializer):
    """Where the project goes: an organization, and a repository that is there already."""

    organization_id = ids.IdField("org", required=False, allow_null=True)
    path = fields.Text(max_length=1000, required=False, trim_whitespace=False)


class ImportFile(ImportOptions):
    """A document as a file of a form."""

    file = serializers.FileField(allow_empty_file=False)
