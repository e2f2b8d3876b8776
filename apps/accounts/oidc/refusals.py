"""Why a sign-in through the provider failed: a code for addresses, a sentence for people."""

from __future__ import annotations

SENTENCES = {
    "oidc_denied": "The identity provider did not let you in.",
    "oidc_state": "This sign-in was begun elsewhere or took too long. Try again.",
    "oidc_exchange": "This sign-in took too long or was used before. Try again.",
    "oidc_client": (
        "The identity provider refused this server. An administrator must look at its settings."
    ),
    "oidc_token": "The identity provider's answer could not be verified.",
    "oidc_unavailable": "The identity provider cannot be reached at the moment. Try again later.",
    "oidc_secret": (
        "This server cannot read its secret for the identity provider. An administrator must "
        "enter it again."
    ),
    "oidc_email": "The identity provider did not tell an e-mail address of yours.",
    "oidc_email_unverified": "The identity provider has not verified your e-mail address yet.",
    "oidc_taken": (
        "Your e-mail address belongs to an account of somebody else at the identity provider. "
        "Ask an administrator."
    ),
    "oidc_not_admitted": "You may not make an account here. Ask for an invitation.",
    "oidc_closed": "Your account here is closed.",
}


class Refused(Exception):
    """Nobody is signed in; `code` is one of SENTENCES, `detail` is for the log and for admins."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail or SENTENCES[code]
        super().__init__(self.detail)
