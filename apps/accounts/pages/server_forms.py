"""The forms of the server's own settings. They check shape; inputs and operations the rest."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.accounts.models import OidcConfiguration, ServerSettings
from apps.accounts.pages.forms import plain_text

# How the API calls the fields of the form.
WIRE_NAMES = {
    "issuerUrl": "issuer_url",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "trustEmails": "trust_emails",
    "groupsClaim": "groups_claim",
    "superAdminGroups": "super_admin_groups",
    "adminGroups": "admin_groups",
}


class Server(forms.Form):
    """Who comes in, and how an agent goes on when its context is full."""

    enabled = forms.BooleanField(
        label="People must sign in",
        required=False,
        help_text="Off only while this server listens on its own machine alone.",
    )
    registration = forms.ChoiceField(
        label="Who may register",
        choices=[
            (ServerSettings.Registration.OPEN, "Everybody"),
            (ServerSettings.Registration.INVITE, "People with an invitation"),
            (ServerSettings.Registration.CLOSED, "Nobody"),
        ],
    )
    relay = forms.ChoiceField(
        label="When an agent's context fills up",
        choices=[
            (ServerSettings.Relay.OFF, "Nothing happens"),
            (ServerSettings.Relay.MANUAL, "Its panel offers a fresh session"),
            (ServerSettings.Relay.AUTO, "It goes on in a fresh session by itself"),
        ],
    )
    threshold = forms.IntegerField(
        label="Full means, in percent", min_value=50, max_value=95, help_text="50 to 95."
    )


class Provider(forms.Form):
    """An identity provider."""

    name = forms.CharField(
        label="Name", required=False, max_length=60, help_text="What the sign-in button says."
    )
    issuer_url = forms.CharField(
        label="Issuer", max_length=500, help_text="Its https address, as the provider writes it."
    )
    client_id = forms.CharField(label="Client id", max_length=255, validators=[plain_text])
    client_secret = forms.CharField(
        label="Client secret",
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Never shown again; type it whenever you save.",
    )
    scopes = forms.CharField(label="Scopes", max_length=255, initial="openid email profile")
    trust_emails = forms.BooleanField(
        label="Trust addresses that it does not call verified", required=False
    )
    groups_claim = forms.CharField(
        label="Claim that holds groups", required=False, max_length=100, validators=[plain_text]
    )
    super_admin_groups = forms.CharField(
        label="Groups of super administrators", required=False, help_text="Apart by commas."
    )
    admin_groups = forms.CharField(
        label="Groups of administrators", required=False, help_text="Apart by commas."
    )

    def wire(self) -> dict[str, Any]:
        """This will give the form's values as a client of the API sends them."""
        values = self.cleaned_data
        return {
            "name": values["name"],
            "issuerUrl": values["issuer_url"],
            "clientId": values["client_id"],
            "clientSecret": values["client_secret"],
            "scopes": values["scopes"],
            "trustEmails": values["trust_emails"],
            "groupsClaim": values["groups_claim"],
            "superAdminGroups": _names(values["super_admin_groups"]),
            "adminGroups": _names(values["admin_groups"]),
            "organizationGroups": self.initial.get("organization_groups", {}),
        }


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def initial_of(row: OidcConfiguration | None) -> dict[str, Any]:
    """This will give the form what is set now, without the secret."""
    if row is None:
        return {}
    return {
        "name": row.name,
        "issuer_url": row.issuer_url,
        "client_id": row.client_id,
        "scopes": row.scopes,
        "trust_emails": row.trust_emails,
        "groups_claim": row.groups_claim,
        "super_admin_groups": ", ".join(row.super_admin_groups),
        "admin_groups": ", ".join(row.admin_groups),
        "organization_groups": row.organization_groups,
    }
