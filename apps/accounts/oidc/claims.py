"""What the product believes of a verified token: who somebody is, and in which groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.accounts.oidc.refusals import Refused
from apps.core import fields

EMAIL_LENGTH = 254
NAME_LENGTH = 100
SUBJECT_LENGTH = 255
AVATAR_LENGTH = 500
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class Claims:
    """A person as the provider sees them; `email` is in lower case and may be empty."""

    issuer: str
    subject: str
    email: str
    email_is_verified: bool
    name: str
    avatar_url: str
    groups: frozenset[str]


def read(
    payload: Mapping[str, Any], *, issuer: str, groups_claim: str, trust_emails: bool
) -> Claims:
    """This will read verified claims; Refused `oidc_token` without a usable subject.

    `trust_emails` counts an address as verified where the provider does not say; where it says no,
    it is not.
    """
    subject = payload.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH or _is_odd(subject):
        raise Refused("oidc_token", "The token names nobody.")
    verified = payload.get("email_verified")
    email = _email(payload.get("email"))
    return Claims(
        issuer=issuer,
        subject=subject,
        email=email,
        # Some providers write booleans as text.
        email_is_verified=bool(email)
        and (verified is True or verified == "true" if verified is not None else trust_emails),
        name=_name(payload) or email.partition("@")[0],
        avatar_url=_avatar(payload.get("picture")),
        groups=_groups(payload.get(groups_claim)) if groups_claim else frozenset(),
    )


def _is_odd(text: str) -> bool:
    return fields.text_problem(text, multiline=False) is not None


def _email(value: object) -> str:
    if not isinstance(value, str) or len(value) > EMAIL_LENGTH or _is_odd(value):
        return ""
    try:
        validate_email(value)
    except ValidationError:
        return ""
    return value.lower()


def _name(payload: Mapping[str, Any]) -> str:
    for claim in ("name", "preferred_username", "nickname"):
        value = payload.get(claim)
        if isinstance(value, str) and value.strip() and not _is_odd(value.strip()):
            return value.strip()[:NAME_LENGTH]
    return ""


def _avatar(value: object) -> str:
    if not isinstance(value, str) or len(value) > AVATAR_LENGTH or _is_odd(value):
        return ""
    return value if value.startswith("https://") else ""


def _groups(value: object) -> frozenset[str]:
    """One group as text, or a list of them; anything else is none."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(group for group in listed[:MOST_GROUPS] if isinstance(group, str))
