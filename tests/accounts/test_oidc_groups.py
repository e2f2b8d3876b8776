"""What groups at the identity provider give here: roles, memberships, and an account at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import OidcConfiguration, Role, ServerSettings, User
from apps.core.models import Event
from apps.orgs.models import Membership, Organization, OrganizationRole
from tests import factories
from tests.accounts.provider import GRACE, Provider, reset, walk

SignIn = Callable[..., str]


@pytest.fixture
def sign_in(
    provider: Provider, configuration: OidcConfiguration, organization: Organization, root: User
) -> SignIn:
    """Signs Grace in with these groups; gives where she ends."""
    configuration.scopes = "openid email profile groups"
    configuration.groups_claim = "groups"
    configuration.super_admin_groups = ["operators"]
    configuration.admin_groups = ["leads", "desk"]
    configuration.organization_groups = {
        "engineers": organization.public_id,
        "mechanics": organization.public_id,
    }
    configuration.save()

    def enter(*groups: str) -> str:
        provider.tell(people={"grace": GRACE | {"groups": list(groups)}})
        return walk(Client(), provider)

    return enter


def grace() -> User:
    return User.objects.get(email="grace@example.org")


def organizations() -> list[str]:
    return [row.organization.name for row in Membership.objects.filter(user=grace())]


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["operators"], "super_admin"),
        (["operators", "leads"], "super_admin"),
        (["desk"], "admin"),
        (["others"], "user"),
        (["OPERATORS"], "user"),
        ([], "user"),
    ],
)
def test_groups_give_roles(sign_in: SignIn, groups: list[str], role: str) -> None:
    sign_in(*groups)

    assert grace().role == role


def test_roles_follow_the_groups_at_the_next_sign_in(sign_in: SignIn) -> None:
    sign_in("operators")
    sign_in("leads")
    lowered = grace().role
    sign_in()

    assert (lowered, grace().role) == ("admin", "user")
    kinds = Event.objects.filter(topic="server").values_list("kind", flat=True)
    assert list(kinds.order_by("version")) == ["user.created", "user.updated", "user.updated"]


def test_the_last_super_admin_stays_one(sign_in: SignIn, root: User) -> None:
    sign_in("operators")
    root.role = Role.USER
    root.save()

    assert sign_in() == "/"
    assert grace().role == Role.SUPER_ADMIN


def test_groups_do_not_lower_who_has_a_password_here(
    sign_in: SignIn, provider: Provider, root: User
) -> None:
    factories.User.create(email="grace@example.org", role=Role.ADMIN)

    sign_in()
    kept = grace().role
    sign_in("operators")

    assert (kept, grace().role) == ("admin", "super_admin")


def test_without_a_claim_groups_mean_nothing(
    sign_in: SignIn, configuration: OidcConfiguration
) -> None:
    configuration.groups_claim = ""
    configuration.save()

    sign_in("operators", "engineers")

    assert (grace().role, organizations()) == ("user", [])


def test_groups_make_members_and_end_it(sign_in: SignIn, organization: Organization) -> None:
    sign_in("engineers")
    joined = organizations()
    sign_in("mechanics")
    stayed = organizations()
    sign_in()

    assert (joined, stayed, organizations()) == (["Engines"], ["Engines"], [])
    topic = f"org.{organization.public_id}"
    told = Event.objects.filter(topic=topic).order_by("version").values_list("kind", flat=True)
    assert list(told) == ["membership.created", "membership.deleted"]


def test_other_organizations_and_administrators_are_left_alone(
    sign_in: SignIn, organization: Organization
) -> None:
    sign_in()
    other = factories.Organization.create(name="Wheels", members=[grace()])
    Membership.objects.create(organization=organization, user=grace(), role=OrganizationRole.ADMIN)

    sign_in()

    assert sorted(organizations()) == ["Engines", "Wheels"]
    assert other.memberships.count() == 1


def test_an_organization_that_is_gone_keeps_nobody_out(
    sign_in: SignIn, organization: Organization
) -> None:
    organization.delete()

    assert sign_in("engineers") == "/"
    assert organizations() == []


@pytest.mark.parametrize(
    ("group", "end"),
    [
        ("operators", "/"),
        ("desk", "/"),
        ("engineers", "/"),
        ("others", "/accounts/login/?error=oidc_not_admitted"),
    ],
)
def test_a_group_that_is_named_admits_although_registration_is_closed(
    sign_in: SignIn, group: str, end: str
) -> None:
    ServerSettings.objects.create(registration="closed")

    assert sign_in(group) == end


def test_closed_accounts_do_not_come_back_by_group(sign_in: SignIn, provider: Provider) -> None:
    sign_in("operators")
    User.objects.filter(email="grace@example.org").update(is_active=False)
    reset(provider)

    assert sign_in("operators") == "/accounts/login/?error=oidc_closed"
