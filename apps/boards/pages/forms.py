"""Forms of new projects: what is drawn; the input of the API checks what comes back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from apps.core.camel import camelize
from apps.core.rest import problem_of
from apps.projects import folders, inputs

COLORS = [("", "None"), *((name, name.title()) for name in inputs.COLORS if name)]


class New(forms.Form):
    """What every new project may be told."""

    name = forms.CharField(max_length=inputs.NAME_LENGTH)
    description = forms.CharField(max_length=inputs.DESCRIPTION_LENGTH, required=False)
    color = forms.ChoiceField(label="Colour", choices=COLORS, required=False)

    def values(self) -> dict[str, Any]:
        """This will give what was filled in, as the input of the API reads it."""
        return {camelize(name): value for name, value in self.cleaned_data.items() if value}

    def tell(self, error: Exception) -> None:
        """This will put a refusal beside the fields it is about."""
        problem = problem_of(error)
        by_wire = {camelize(name): name for name in self.fields}
        for entry in problem.errors:
            self.add_error(by_wire.get(entry["field"]), entry["detail"])
        if not problem.errors:
            self.add_error(None, problem.detail)


def _path(*, required: bool, help_text: str) -> forms.CharField:
    attributes = {"spellcheck": "false", "autocapitalize": "off", "class": "mono"}
    return forms.CharField(
        label="Folder",
        max_length=inputs.PATH_LENGTH,
        required=required,
        help_text=help_text,
        widget=forms.TextInput(attrs=attributes),
    )


class Folder(New):
    """A repository that lies on the server."""

    path = _path(required=True, help_text="")
    initialize = forms.BooleanField(label="Make it a git repository if it is none", required=False)
    field_order = ("path", "initialize", "name", "description", "color")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        allowed = ", ".join(str(root) for root in settings.KANBANAI_PROJECT_ROOTS)
        self.fields["path"].help_text = f"The full path of a git repository, under {allowed}."


class Clone(New):
    """A repository elsewhere."""

    url = forms.CharField(
        label="Address",
        max_length=inputs.URL_LENGTH,
        help_text="https, ssh or git. It must be reachable from the server.",
        widget=forms.TextInput(
            attrs={
                "spellcheck": "false",
                "autocapitalize": "off",
                "class": "mono",
                "placeholder": "https://example.org/team/project.git",
            }
        ),
    )
    username = forms.CharField(
        label="User name", max_length=200, required=False, help_text="Only for private ones."
    )
    password = forms.CharField(
        label="Password or token",
        max_length=inputs.SECRET_LENGTH,
        required=False,
        strip=False,
        help_text="Used for this clone alone and stored nowhere.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(
        max_length=inputs.NAME_LENGTH, required=False, help_text="Empty: as in the address."
    )
    field_order = ("url", "username", "password", "name", "description", "color")


class Empty(New):
    """A repository that is begun now."""

    path = _path(required=False, help_text="")
    initialize = forms.BooleanField(initial=True, widget=forms.HiddenInput, required=False)
    field_order = ("name", "path", "description", "color")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["path"].help_text = f"Empty: a new folder in {folders.own_root()}."

    def values(self) -> dict[str, Any]:
        """This will ask for a new repository, whatever the form said."""
        return {**super().values(), "initialize": True}


MODES: dict[str, type[New]] = {"folder": Folder, "clone": Clone, "empty": Empty}
