"""Choosing a credential on pages: for a card in its drawer, for an organization in the settings."""

from __future__ import annotations

import json

import pytest

from apps.accounts.models import User
from apps.agents import operations
from apps.agents.models import Credential
from apps.boards.models import Board, Column
from apps.orgs.models import Organization
from tests import factories
from tests.people import BrowserOf, actor_of


@pytest.fixture
def credential(root: User) -> Credential:
    return operations.create_credential(
        actor=actor_of(root), name="The team's", provider="mistral", api_key="mistral-key-012345"
    )


def test_a_card_s_credential_is_chosen_in_its_drawer(
    browser_of: BrowserOf,
    ada: User,
    eve: User,
    board: Board,
    columns: dict[str, Column],
    credential: Credential,
) -> None:
    card = factories.Card.create(column=columns["backlog"])
    browser = browser_of(ada)
    drawer = f"/boards/{board.public_id}/cards/{card.public_id}/drawer?tab=brief"
    path = f"/cards/{card.public_id}/credential"
    option = f'<option value="{credential.public_id}" selected>The team&#x27;s</option>'
    assert b"As the project" in browser.get(drawer).content
    assert option not in browser.get(drawer).content.decode()

    assert browser.post(path, {"credentialId": credential.public_id}).status_code == 204

    card.refresh_from_db()
    assert card.credential_id == credential.pk
    assert option in browser.get(drawer).content.decode()
    unknown = browser.post(path, {"credentialId": "cred_01h455vb4pex5vsknk084sn02q"})
    assert unknown.status_code == 400
    assert json.loads(unknown.headers["HX-Trigger"])["toast"]["variant"] == "bad"
    assert browser.post(path, {"credentialId": "no id"}).status_code == 400
    assert browser_of(eve).post(path, {"credentialId": ""}).status_code == 404
    card.refresh_from_db()
    assert card.credential_id == credential.pk

    assert browser.post(path, {"credentialId": ""}).status_code == 204

    card.refresh_from_db()
    assert card.credential_id is None


def test_without_credentials_a_drawer_offers_none(
    browser_of: BrowserOf, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = factories.Card.create(column=columns["backlog"])
    drawer = f"/boards/{board.public_id}/cards/{card.public_id}/drawer?tab=brief"

    assert b"brief-credential" not in browser_of(ada).get(drawer).content


def test_an_organization_s_credential_is_chosen_by_its_admins(
    browser_of: BrowserOf, ada: User, bob: User, eve: User, credential: Credential
) -> None:
    organization = factories.Organization.create(name="The Engine")
    factories.Membership.create(organization=organization, user=ada, role="admin")
    factories.Membership.create(organization=organization, user=bob, role="member")
    path = f"/organizations/{organization.public_id}/credential"
    page = "/settings/credentials"
    assert b"The Engine" in browser_of(ada).get(page).content
    assert b"New key" not in browser_of(ada).get(page).content
    assert browser_of(bob).get(page).status_code == 403
    assert browser_of(ada).post(page, {"delete": credential.public_id}).status_code == 403

    given = {"credentialId": credential.public_id}
    answer = browser_of(ada).post(path, given)

    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    organization.refresh_from_db()
    assert organization.default_credential_id == credential.pk
    for other in (bob, eve):
        browser_of(other).post(path, {"credentialId": ""})
        assert Organization.objects.get().default_credential_id == credential.pk
    assert browser_of(ada).post(path, {"credentialId": "cred_x"}).status_code == 302
    assert Organization.objects.get().default_credential_id == credential.pk
