"""The form of where the log is sent. It checks shape; the input checks everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.accounts import log_inputs, models
from apps.core import problems
from apps.core.secrets import MASK

TYPES = [
    ("http", "HTTP, JSON arrays"),
    ("otlp", "OpenTelemetry (OTLP over HTTP)"),
    ("syslog", "syslog (RFC 5424)"),
]
LEVELS = [("debug", "everything"), ("info", "info"), ("warn", "warnings"), ("error", "errors")]


class LogExport(forms.Form):
    """Where the log is sent."""

    enabled = forms.BooleanField(label="Send the log", required=False)
    type = forms.ChoiceField(label="How", choices=TYPES)
    endpoint = forms.CharField(
        label="Address",
        required=False,
        max_length=log_inputs.ENDPOINT_LENGTH,
        help_text="https://host/path, or udp://, tcp:// or tls://host:port for syslog.",
    )
    headers = forms.CharField(
        label="Headers",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text="One a line, as in “Authorization: Bearer …”. Masked values stay as they are, "
        "as long as the address does.",
    )
    level = forms.ChoiceField(label="From", choices=LEVELS)

    def clean_headers(self) -> dict[str, str]:
        """Reads a name and a value from each line."""
        found: dict[str, str] = {}
        for line in self.cleaned_data["headers"].splitlines():
            name, colon, value = line.partition(":")
            if not line.strip():
                continue
            if not colon:
                message = "Each line is a name, a colon and a value."
                raise ValidationError(message, code="invalid")
            found[name.strip()] = value.strip()
        return found

    def wire(self) -> dict[str, Any]:
        """The form's values under the names of the API."""
        return dict(self.cleaned_data)


def initial_of(row: models.LogExport, headers: Iterable[str]) -> dict[str, Any]:
    """This will fill the form with what is set, values of headers masked."""
    return {
        "enabled": row.enabled,
        "type": row.kind,
        "endpoint": row.endpoint,
        "headers": "\n".join(f"{name}: {MASK}" for name in headers),
        "level": row.level,
    }


def named(problem: problems.ValidationFailed) -> problems.ValidationFailed:
    """This will put what is wrong with one header beside the field of all of them."""
    for error in problem.errors:
        field, _dot, header = error["field"].partition(".")
        if header:
            error["field"], error["detail"] = field, f"{header}: {error['detail']}"
    return problem
