"""REST: credentials, how they are checked and used, and for which work they are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny

from apps.accounts import rules as account_rules
from apps.accounts.authentication import Nobody
from apps.agents import inputs, keys, operations, outputs
from apps.agents.api.cards import card_in
from apps.boards import outputs as board_outputs
from apps.core import problems, results
from apps.core.actors import Actor
from apps.core.moments import moment
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.core.throttling import limit
from apps.orgs import queries as org_queries
from apps.projects import outputs as project_outputs
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.agents.login_tables import CredentialLogin
    from apps.agents.models import Credential

PROVIDER = Actor.system("provider")


class Credentials(Endpoint):
    """All credentials of the server."""

    @document(
        summary="List the credentials",
        description="For everybody who is signed in, since each may be chosen; no key is shown.",
        response=list[outputs.CredentialRow],
    )
    def get(self, request: Request) -> Response:
        return results.ok(outputs.credentials(keys.credentials()))

    @document(
        summary="Keep a key of a model provider",
        description=(
            "For super admins. The key is encrypted and never shown again. Whether it works is "
            "asked by `verify`. `baseUrl` is for a server of one's own."
        ),
        request=inputs.CreateCredential,
        response=outputs.CredentialName,
        status=201,
    )
    def post(self, request: Request) -> Response:
        account_rules.require_super_admin(self.actor)
        values = self.read(inputs.CreateCredential)
        made = operations.create_credential(actor=self.actor, **values)
        return results.created(outputs.credential_name(made))


class OneCredential(Endpoint):
    """One credential, for super admins."""

    def _found(self, credential_id: UUID) -> Credential:
        account_rules.require_super_admin(self.actor)
        return keys.get_credential(credential_id)

    @document(summary="Read a credential; its key is masked", response=outputs.Credential)
    def get(self, request: Request, credential_id: UUID) -> Response:
        return results.ok(outputs.credential(self._found(credential_id)))

    @document(
        summary="Rename a credential, or give it another key or address",
        description="A new key or address is `unverified` until somebody verifies it. A new "
        "address needs the key with it: the one that is kept is not sent there.",
        request=inputs.UpdateCredential,
        response=outputs.CredentialName,
    )
    def patch(self, request: Request, credential_id: UUID) -> Response:
        found = self._found(credential_id)
        changed = operations.update_credential(
            actor=self.actor, credential=found, changes=self.read(inputs.UpdateCredential)
        )
        return results.ok(outputs.credential_name(changed))

    @document(
        summary="Delete a credential, wherever it was chosen",
        description="What ran with it stays; an agent at work keeps it until its turn ends.",
        status=204,
    )
    def delete(self, request: Request, credential_id: UUID) -> Response:
        operations.delete_credential(actor=self.actor, credential=self._found(credential_id))
        return results.no_content()


class CredentialCheck(Endpoint):
    """Whether a credential works."""

    throttle_classes = [limit("credential-checks", "60/min")]

    @document(
        summary="Ask the provider whether it takes a credential",
        description=(
            "Its list of models is asked for. A key that the provider refuses is an answer "
            "(`valid: false` with the reason). Where the provider cannot be reached, does not "
            "answer in ten seconds or answers nonsense, it is 502; where it wants to be asked "
            "later, 429 with `Retry-After`: neither says anything of the key."
        ),
        response=outputs.Verification,
        problems=(409, 429, 502, 503),
    )
    def post(self, request: Request, credential_id: UUID) -> Response:
        account_rules.require_super_admin(self.actor)
        found = keys.get_credential(credential_id)
        checked, verdict = operations.verify_credential(actor=self.actor, credential=found)
        shown: outputs.Verification = {
            "valid": verdict.valid,
            "error": verdict.error or None,
            "checkedAt": moment(cast("datetime", checked.checked_at)),
        }
        return results.ok(shown)


class CredentialUsage(Endpoint):
    """How far a credential is used."""

    @document(
        summary="Read how far a credential is used",
        description=(
            "`windows` are the provider's own, where it tells them (logins only). `local` and "
            "`localWindows` are what attempts on this server have used."
        ),
        response=outputs.CredentialUsage,
    )
    def get(self, request: Request, credential_id: UUID) -> Response:
        found = keys.get_credential(credential_id)
        return results.ok(operations.credential_usage(actor=self.actor, credential=found))


class LoginStart(Endpoint):
    """The beginning of a login at a provider."""

    throttle_classes = [limit("credential-logins", "60/min")]

    @document(
        summary="Begin a login at a provider",
        description=(
            "Makes a credential that waits for the login, or renews the login of `credentialId`. "
            "Open `authorizationUrl` in a browser within 15 minutes and ask for the status. "
            "400 for a provider without a login."
        ),
        request=inputs.BeginLogin,
        response=outputs.LoginBegun,
        status=201,
        problems=(404, 429),
    )
    def post(self, request: Request) -> Response:
        account_rules.require_super_admin(self.actor)
        asked = self.read(inputs.BeginLogin)
        known = asked.get("credential_id")
        with problems.named("credentialId"):
            credential = keys.get_credential(known) if known else None
        login, url = operations.begin_login(
            actor=self.actor, provider=asked["provider"], credential=credential
        )
        shown: outputs.LoginBegun = {
            "credentialId": login.credential.public_id,
            "authorizationUrl": url,
            "status": login.status,
            "expiresAt": moment(login.expires_at),
        }
        return results.created(shown)


class LoginState(Endpoint):
    """How far a login is."""

    @document(
        summary="Read how far the last login for a credential is",
        description="409 for a credential that is a key.",
        response=outputs.LoginStatus,
        problems=(409,),
    )
    def get(self, request: Request, credential_id: UUID) -> Response:
        account_rules.require_super_admin(self.actor)
        login = keys.newest_login(keys.get_credential(credential_id))
        return results.ok(outputs.login_status(login, now=timezone.now()))


class LoginReturn(Endpoint):
    """Where a provider sends the browser back to."""

    authentication_classes = [Nobody]
    permission_classes = [AllowAny]
    throttle_classes = [limit("credential-returns", "120/min")]

    @document(
        summary="Take the browser back from a provider",
        description="Its `state` was given out by the login's beginning, and works once.",
        query=inputs.FinishLogin,
        status=302,
        problems=(429,),
    )
    def get(self, request: Request) -> HttpResponseRedirect:
        try:
            said = self.read_query(inputs.FinishLogin)
        except ValidationError:
            return _shown(None)
        return _shown(operations.finish_login(actor=PROVIDER, **said))


def _shown(login: CredentialLogin | None) -> HttpResponseRedirect:
    result = login.status if login is not None else "unknown"
    return HttpResponseRedirect(f"{reverse('credential_login')}?{urlencode({'result': result})}")


class OrganizationChoice(Endpoint):
    """The credential of an organization's projects."""

    def shown(self, organization_id: UUID) -> Response:
        found = org_queries.get_organization(organization_id, actor=self.actor)
        return results.ok(outputs.organization_credential(found))

    @document(
        summary="Choose the credential of an organization's projects",
        description="`null` chooses none. It counts for projects and cards without their own.",
        request=inputs.ChooseCredential,
        response=outputs.OrganizationCredential,
    )
    def put(self, request: Request, organization_id: UUID) -> Response:
        found = org_queries.get_organization(organization_id, actor=self.actor)
        changed = operations.choose_for_organization(
            actor=self.actor, organization=found, **self.read(inputs.ChooseCredential)
        )
        return results.ok(outputs.organization_credential(changed))


class ProjectChoice(Endpoint):
    """The credential of a project's agents."""

    def shown(self, project_id: UUID) -> Response:
        found = project_queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(project_outputs.project(found, self.actor.person))

    @document(
        summary="Choose the credential of a project's agents",
        description="`null` leaves it to the organization. It counts from each next turn on.",
        request=inputs.ChooseCredential,
        response=project_outputs.Project,
    )
    def put(self, request: Request, project_id: UUID) -> Response:
        found = project_queries.get_project(actor=self.actor, project_id=project_id)
        changed = operations.choose_for_project(
            actor=self.actor, project=found, **self.read(inputs.ChooseCredential)
        )
        return results.ok(project_outputs.project(changed, self.actor.person))


class CardChoice(Endpoint):
    """The credential of a card's agents."""

    def shown(self, project_id: UUID, card_id: UUID) -> Response:
        return results.ok(
            board_outputs.card_detail(card_in(self, project_id, card_id), viewer=self.actor.user)
        )

    @document(
        summary="Choose the credential of a card's agents",
        description="`null` leaves it to the project. It counts from the next turn on.",
        request=inputs.ChooseCredential,
        response=board_outputs.CardDetail,
    )
    def put(self, request: Request, project_id: UUID, card_id: UUID) -> Response:
        changed = operations.choose_for_card(
            actor=self.actor,
            card=card_in(self, project_id, card_id),
            **self.read(inputs.ChooseCredential),
        )
        return results.ok(board_outputs.card_detail(changed, viewer=self.actor.user))
