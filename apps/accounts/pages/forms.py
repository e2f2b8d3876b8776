"""The forms of accounts' pages. They check shape; operations check everything else."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm, SignupForm
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from typing_extensions import override

from apps.accounts import inputs, operations, rules
from apps.accounts.models import ApiToken, User
from apps.core import fields, problems
from apps.core.actors import Actor

NEW_PASSWORD = {"autocomplete": "new-password"}
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "no end")]


def plain_text(value: str) -> None:
    """Refuses control characters and half surrogates, as the API does."""
    wrong = fields.text_problem(value, multiline=False)
    if wrong:
        raise ValidationError(wrong, code="characters")


class Name(forms.CharField):
    """A person's name, or a thing's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=inputs.NAME_LENGTH, validators=[plain_text], strip=True, **kwargs
        )


class Password(forms.CharField):
    """A password, exactly as typed."""

    def __init__(self, *, autocomplete: str = "new-password", **kwargs: Any) -> None:
        super().__init__(
            max_length=inputs.PASSWORD_LENGTH,
            strip=False,
            widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
            validators=[plain_text],
            **kwargs,
        )


def show_problem(form: forms.Form, problem: problems.Problem, names: dict[str, str]) -> None:
    """This will put a problem's errors beside the fields they are about; `names` maps them."""
    for error in problem.errors:
        name = names.get(error["field"], error["field"])
        form.add_error(name if name in form.fields else None, error["detail"])
    if not problem.errors:
        form.add_error(None, problem.detail)


class SetUp(forms.Form):
    """The first account."""

    email = forms.EmailField(
        label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": ""})
    )
    name = Name(label="Your name", required=False)
    password = Password(label="Password", help_text="At least 8 characters.")
    password2 = Password(label="Password again")

    def clean(self) -> dict[str, Any]:
        """Asks that both passwords are the same."""
        data: dict[str, Any] = super().clean() or {}
        if "password" in data and "password2" in data and data["password"] != data["password2"]:
            self.add_error("password2", "The two passwords are not the same.")
        return data


class SignIn(LoginForm):  # type: ignore[misc]
    """Allauth's form, without its own link to a new password: the page has one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""


class SignUp(SignupForm):  # type: ignore[misc]
    """Allauth's form, saved by our own operation."""

    name = Name(label="Your name", required=False)
    field_order = ("email", "name", "password1")

    def clean_email(self) -> str:
        """Asks whether this address may register at all."""
        email = str(super().clean_email())
        try:
            rules.require_registration(email)
        except problems.Problem as problem:
            raise ValidationError(problem.detail) from problem
        return email

    @override
    def save(self, request: HttpRequest) -> User:
        """This will make the account."""
        return operations.register(
            actor=Actor(user=None, origin="page", name="visitor"),
            email=self.cleaned_data["email"],
            password=self.cleaned_data["password1"],
            display_name=self.cleaned_data["name"],
        )


class Profile(forms.Form):
    """What others see of a person."""

    display_name = Name(label="Name")


class ChangePassword(forms.Form):
    """The old password, and the new one twice."""

    current_password = Password(label="Current password", autocomplete="current-password")
    new_password = Password(label="New password", help_text="At least 8 characters.")
    new_password2 = Password(label="New password again")

    def clean(self) -> dict[str, Any]:
        """Asks that both new passwords are the same."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("new_password") != data.get("new_password2"):
            self.add_error("new_password2", "The two passwords are not the same.")
        return data


class Token(forms.Form):
    """A new token for scripts."""

    name = Name(label="Name", help_text="What it is for, such as the machine it lives on.")
    scope = forms.ChoiceField(
        label="It may",
        choices=[(ApiToken.Scope.WRITE, "read and write"), (ApiToken.Scope.READ, "only read")],
        initial=ApiToken.Scope.WRITE,
    )
    expires = forms.ChoiceField(
        label="It ends after", choices=LIFETIMES, initial="90", required=False
    )
