"""Signing in at a real identity provider: who gets in, as whom, and who does not."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import operations
from apps.accounts.models import Identity, OidcConfiguration, Role, ServerSettings, User
from apps.accounts.oidc.refusals import SENTENCES
from apps.core.models import Event
from tests import factories
from tests.accounts.provider import GRACE, Provider, begin, come_back, reset, start, stop, walk
from tests.people import BrowserOf, actor_of

pytestmark = pytest.mark.usefixtures("root", "configuration")


def refused(code: str) -> str:
    return f"/accounts/login/?error={code}"


def query_of(location: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(location).query).items()}


def replaced(location: str, **changes: str) -> str:
    parts = urlsplit(location)
    return parts._replace(query=urlencode(query_of(location) | changes)).geturl()


def test_a_new_person_gets_an_account_and_a_session(provider: Provider) -> None:
    browser = Client()

    end = walk(browser, provider)

    grace = User.objects.get(email="grace@example.org")
    assert end == "/"
    assert browser.get("/api/v1/auth/me").json()["data"] == {
        "id": grace.public_id,
        "email": "grace@example.org",
        "displayName": "Grace Hopper",
        "role": "user",
    }
    assert (grace.auth_provider, grace.has_usable_password()) == ("oidc", False)
    assert grace.last_login is not None
    identity = Identity.objects.get()
    assert (identity.user, identity.issuer, identity.subject) == (grace, provider.issuer, "grace")
    assert list(Event.objects.values_list("topic", "kind")) == [("server", "user.created")]


def test_the_request_carries_state_nonce_and_pkce(provider: Provider) -> None:
    first, second = query_of(begin(Client())), query_of(begin(Client()))

    assert {name: first[name] for name in ("response_type", "scope", "client_id")} == {
        "response_type": "code",
        "scope": "openid email profile",
        "client_id": "kanban",
    }
    assert first["redirect_uri"] == "http://testserver/api/oidc/callback"
    assert first["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]


def test_it_works_under_both_prefixes(provider: Provider) -> None:
    browser = Client()
    location = provider.sign_in(begin(browser))

    answer = browser.get(f"/api/v1/oidc/callback?{urlsplit(location).query}")

    assert answer.headers["Location"] == "/"
    assert Client().get("/api/oidc/login").status_code == 302


def test_the_second_time_it_is_the_same_person(provider: Provider) -> None:
    walk(Client(), provider)
    # An address that changed over there does not make somebody else of her.
    provider.tell(people={"grace": GRACE | {"email": "hopper@example.org"}})

    browser = Client()
    walk(browser, provider)

    assert browser.get("/api/v1/auth/me").json()["data"]["email"] == "grace@example.org"
    assert User.objects.count() == 2
    assert Identity.objects.count() == 1


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("in_token", [True, False])
def test_claims_come_with_the_token_or_with_the_userinfo(
    provider: Provider, algorithm: str, *, in_token: bool
) -> None:
    provider.tell(algorithm=algorithm, claimsInToken=in_token)

    assert walk(Client(), provider) == "/"
    assert User.objects.filter(email="grace@example.org", display_name="Grace Hopper").exists()


@pytest.mark.parametrize(
    ("wanted", "end"),
    [
        ("/projects?sort=name", "/projects?sort=name"),
        ("", "/"),
        ("https://evil.example.org/", "/"),
        ("//evil.example.org/", "/"),
        ("/\\evil.example.org", "/"),
        ("projects", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_the_way_ends_on_a_page_of_ours(provider: Provider, wanted: str, end: str) -> None:
    assert walk(Client(), provider, f"?{urlencode({'next': wanted})}") == end


def test_the_login_page_has_a_button(configuration: OidcConfiguration) -> None:
    configuration.name = "Example & Sons"
    configuration.save()

    page = Client().get("/accounts/login/?next=/projects").content.decode()

    assert 'href="http://testserver/api/oidc/login?next=%2Fprojects"' in page
    assert "Continue with Example &amp; Sons" in page
    status = Client().get("/api/v1/settings/auth-status").json()["data"]
    assert status == {"authEnabled": True, "oidcEnabled": True, "hasUsers": True}


def test_without_a_provider_there_is_no_way(configuration: OidcConfiguration) -> None:
    configuration.delete()

    answer = Client().get("/api/v1/oidc/login")

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert b"Continue with" not in Client().get("/accounts/login/").content


@pytest.mark.parametrize("code", SENTENCES)
def test_the_login_page_says_why(code: str) -> None:
    page = Client().get(f"/accounts/login/?error={code}").content.decode()

    assert SENTENCES[code].replace("'", "&#x27;") in page


def test_the_login_page_repeats_nothing_unknown() -> None:
    page = Client().get("/accounts/login/?error=<b>boo</b>").content.decode()

    assert "boo" not in page


def test_another_client_gets_its_token_in_the_fragment(
    provider: Provider, nobody: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CORS_ALLOWED_ORIGINS", ["https://desk.example.org"])
    browser = Client()
    client = urlencode({"client": "https://desk.example.org/in?x=1"})

    end = walk(browser, provider, f"?{client}")

    address, _, fragment = end.partition("#")
    assert address == "https://desk.example.org/in?x=1"
    token = parse_qs(fragment)["token"][0]
    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert nobody.get("/api/v1/auth/me").json()["data"]["email"] == "grace@example.org"
    assert browser.get("/api/v1/auth/me").status_code == 401


def test_another_client_is_told_why_not(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CORS_ALLOWED_ORIGINS", ["https://desk.example.org"])
    provider.tell(deny=True)

    end = walk(Client(), provider, "?client=https://desk.example.org/in")

    assert end == "https://desk.example.org/in#error=oidc_denied"


@pytest.mark.parametrize(
    "client",
    [
        "https://evil.example.org/",
        "https://desk.example.org.evil.example.org/",
        "https://desk.example.org@evil.example.org/",
        "http://desk.example.org/",
        "//desk.example.org/",
        "https://desk.example.org/#a",
        "https://[",
    ],
)
def test_only_known_clients_get_tokens(monkeypatch: pytest.MonkeyPatch, client: str) -> None:
    monkeypatch.setattr(settings, "CORS_ALLOWED_ORIGINS", ["https://desk.example.org"])

    answer = Client().get("/api/v1/oidc/login", {"client": client})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "client"


# --- what goes wrong on the way ------------------------------------------------------------------


def nobody_came() -> bool:
    return not User.objects.filter(email="grace@example.org").exists()


def test_who_is_not_let_in_over_there_is_not_let_in_here(provider: Provider) -> None:
    provider.tell(deny=True)

    assert walk(Client(), provider, "?next=/projects") == (
        "/accounts/login/?error=oidc_denied&next=%2Fprojects"
    )
    assert nobody_came()


def test_a_wrong_secret_is_the_servers_fault(
    provider: Provider, configuration: OidcConfiguration
) -> None:
    configuration.client_secret = "another secret"
    configuration.save()

    assert walk(Client(), provider) == refused("oidc_client")
    assert nobody_came()


def test_a_new_secret_counts_at_once(provider: Provider, configuration: OidcConfiguration) -> None:
    location = provider.sign_in(begin(Client()))
    provider.tell(secret="a new secret of the client")
    stale = come_back(Client(), location).headers["Location"]
    before = walk(Client(), provider)
    configuration.client_secret = "a new secret of the client"
    configuration.save()

    assert stale == refused("oidc_state")
    assert before == refused("oidc_client")
    assert walk(Client(), provider) == "/"


def test_a_code_that_is_over_is_refused(provider: Provider) -> None:
    browser = Client()
    location = provider.sign_in(begin(browser))
    provider.tell(skew=120)

    assert come_back(browser, location).headers["Location"] == refused("oidc_exchange")
    assert nobody_came()


def test_the_way_back_can_be_walked_once(provider: Provider) -> None:
    browser = Client()
    location = provider.sign_in(begin(browser))
    come_back(browser, location)

    again = come_back(browser, location)

    assert again.headers["Location"] == refused("oidc_state")


def test_a_code_of_another_sign_in_is_refused(provider: Provider) -> None:
    browser = Client()
    first = provider.sign_in(begin(browser))
    second = provider.sign_in(begin(browser))

    swapped = replaced(second, code=query_of(first)["code"])

    assert come_back(browser, swapped).headers["Location"] == refused("oidc_exchange")
    assert nobody_came()


@pytest.mark.parametrize("state", ["", "another", "oidc_states", "x" * 201, "\x00"])
def test_a_wrong_state_is_refused(provider: Provider, state: str) -> None:
    browser = Client()
    location = provider.sign_in(begin(browser))

    answer = come_back(browser, replaced(location, state=state))

    assert answer.headers["Location"] == refused("oidc_state")
    assert nobody_came()


def test_another_browser_cannot_finish(provider: Provider) -> None:
    location = provider.sign_in(begin(Client()))

    assert come_back(Client(), location).headers["Location"] == refused("oidc_state")


def test_two_windows_do_not_disturb_each_other(provider: Provider) -> None:
    browser = Client()
    first, second = begin(browser, "?next=/one"), begin(browser, "?next=/two")

    two = come_back(browser, provider.sign_in(second)).headers["Location"]
    one = come_back(browser, provider.sign_in(first)).headers["Location"]

    assert (two, one) == ("/two", "/one")


def test_a_sign_in_takes_ten_minutes_at_most(provider: Provider) -> None:
    browser = Client()
    location = provider.sign_in(begin(browser))
    session = browser.session
    states = session["oidc_states"]
    states[query_of(location)["state"]]["added_on"] -= 601
    session["oidc_states"] = states
    session.save()

    assert come_back(browser, location).headers["Location"] == refused("oidc_state")


def test_a_wrong_nonce_is_refused(provider: Provider) -> None:
    browser = Client()
    location = provider.sign_in(replaced(begin(browser), nonce="of-somebody-else"))

    assert come_back(browser, location).headers["Location"] == refused("oidc_token")
    assert nobody_came()


@pytest.mark.parametrize("issuer", ["https://evil.example.org", ""])
def test_an_answer_of_another_issuer_is_refused(provider: Provider, issuer: str) -> None:
    browser = Client()
    location = provider.sign_in(begin(browser))

    answer = come_back(browser, replaced(location, iss=issuer))

    assert answer.headers["Location"] == refused("oidc_token")


@pytest.mark.parametrize(
    ("skew", "lifetime", "end"),
    [
        (50, 3600, "/"),
        (-50, 3600, "/"),
        (-50, 1, "/"),
        (-90, 1, refused("oidc_token")),
        (90, 3600, refused("oidc_token")),
    ],
)
def test_clocks_may_differ_by_a_minute(
    provider: Provider, skew: int, lifetime: int, end: str
) -> None:
    provider.tell(skew=skew, tokenSeconds=lifetime)

    assert walk(Client(), provider) == end


def test_new_keys_of_the_provider_are_found(provider: Provider) -> None:
    walk(Client(), provider)
    asked = provider.tell(rotate=True)

    assert walk(Client(), provider) == "/"
    assert provider.tell() == asked + 1


@pytest.mark.parametrize("moment", ["at the beginning", "on the way back"])
def test_a_provider_that_is_down_is_said_to_be(
    configuration: OidcConfiguration, moment: str
) -> None:
    own = start()
    try:
        reset(own)
        configuration.issuer_url = own.issuer
        configuration.save()
        browser = Client()
        if moment == "on the way back":
            location = own.sign_in(begin(browser))
            own.process.kill()
            own.process.wait(10)
            end = come_back(browser, location).headers["Location"]
        else:
            own.process.kill()
            own.process.wait(10)
            end = begin(browser)
    finally:
        stop(own)

    assert end == refused("oidc_unavailable")


# --- whose account it is -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email_verified": False}, "oidc_email_unverified"),
        ({"email_verified": None}, "oidc_email_unverified"),
        ({"email_verified": "false"}, "oidc_email_unverified"),
        ({"email": None}, "oidc_email"),
        ({"email": "no address"}, "oidc_email"),
    ],
)
def test_an_address_must_be_verified(
    provider: Provider, ada: User, changes: dict[str, Any], code: str
) -> None:
    claims = GRACE | {"email": "ada@example.org"} | changes
    provider.tell(people={"grace": {key: claims[key] for key in claims if claims[key] is not None}})

    assert walk(Client(), provider) == refused(code)
    assert not Identity.objects.exists()


@pytest.mark.parametrize(
    ("said", "end"),
    [({}, "/"), ({"email_verified": False}, refused("oidc_email_unverified"))],
)
def test_a_trusted_provider_need_not_say_that_it_verifies(
    provider: Provider, configuration: OidcConfiguration, said: dict[str, bool], end: str
) -> None:
    configuration.trust_emails = True
    configuration.save()
    provider.tell(people={"grace": {"email": "grace@example.org"} | said})

    assert walk(Client(), provider) == end


def test_a_verified_address_links_the_account_and_ends_what_was(
    provider: Provider, ada: User, browser_of: BrowserOf, nobody: APIClient
) -> None:
    reset(provider, {"email": "Ada@Example.org", "email_verified": True})
    before = browser_of(ada)
    issued = operations.create_token(actor=actor_of(ada), name="laptop")
    browser = Client()

    walk(browser, provider)

    assert browser.get("/api/v1/auth/me").json()["data"]["id"] == ada.public_id
    ada.refresh_from_db()
    assert (ada.auth_provider, ada.has_usable_password()) == ("oidc", False)
    # Whoever knew the password may have been somebody else.
    assert before.get("/api/v1/auth/me").status_code == 401
    nobody.credentials(HTTP_AUTHORIZATION=f"Bearer {issued.secret}")
    assert nobody.get("/api/v1/auth/me").status_code == 401


def test_who_runs_the_server_keeps_the_password(provider: Provider, root: User) -> None:
    reset(provider, {"email": "root@example.org", "email_verified": True})
    browser = Client()

    walk(browser, provider)

    assert browser.get("/api/v1/auth/me").json()["data"]["id"] == root.public_id
    root.refresh_from_db()
    assert (root.auth_provider, root.has_usable_password(), root.role) == (
        "local",
        True,
        "super_admin",
    )


def test_an_address_that_went_to_somebody_else_over_there_opens_nothing(
    provider: Provider,
) -> None:
    walk(Client(), provider)
    provider.at.cookies.clear()
    provider.tell(people={"successor": GRACE}, who="successor")

    assert walk(Client(), provider) == refused("oidc_taken")


def test_a_closed_account_stays_closed(provider: Provider, ada: User) -> None:
    walk(Client(), provider)
    User.objects.exclude(role=Role.SUPER_ADMIN).update(is_active=False)
    known = walk(Client(), provider)
    reset(provider, {"email": "ada@example.org", "email_verified": True})
    provider.tell(people={"x": {"email": "ada@example.org", "email_verified": True}}, who="x")

    assert known == refused("oidc_closed")
    assert walk(Client(), provider) == refused("oidc_closed")


def test_only_those_whom_the_policy_admits_get_an_account(provider: Provider) -> None:
    settings_row = ServerSettings.objects.create(registration="invite")
    uninvited = walk(Client(), provider)
    project = factories.Project.create()
    factories.Invitation.create(project=project, email="grace@example.org")
    invited = walk(Client(), provider)
    settings_row.registration = "closed"
    settings_row.save()
    provider.at.cookies.clear()
    provider.tell(
        people={"bess": {"email": "bess@example.org", "email_verified": True}}, who="bess"
    )

    assert (uninvited, invited) == (refused("oidc_not_admitted"), "/")
    grace = User.objects.get(email="grace@example.org")
    assert project.members.filter(user=grace).exists()
    assert walk(Client(), provider) == refused("oidc_not_admitted")
    # Who is here already stays welcome.
    reset(provider)
    assert walk(Client(), provider) == "/"


def test_they_have_no_password_to_change_or_reset(
    provider: Provider, mailoutbox: list[Any]
) -> None:
    browser = Client()
    walk(browser, provider)
    change = {"currentPassword": "x", "newPassword": "quite another horse, battery"}

    over_rest = browser.post("/api/v1/auth/change-password", change, "application/json")
    by_page = browser.get("/settings/password")
    Client().post("/accounts/password/reset/", {"email": "grace@example.org"})

    assert over_rest.status_code == 409
    assert by_page.status_code == 409
    assert mailoutbox == []
    assert "/settings/password" not in browser.get("/settings/profile").content.decode()
