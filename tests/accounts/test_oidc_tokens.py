"""ID tokens that no honest provider issues: forged, borrowed, incomplete."""

from __future__ import annotations

import datetime as dt
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from apps.accounts.models import OidcConfiguration
from apps.accounts.oidc import claims, client, discovery, keys, wire
from apps.accounts.oidc.refusals import Refused
from tests.accounts.provider import Provider

URI = "https://id.example.org/jwks"
ISSUER = "https://id.example.org"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, key_id: str, **more: str) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    found: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return found | {"kid": key_id} | more


PUBLISHED = [jwk(RSA_KEY, "rsa", use="sig"), jwk(EC_KEY, "ec")]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked; each answers with the published keys."""
    found: list[str] = []

    def answer(url: str) -> dict[str, Any]:
        found.append(url)
        return {"keys": PUBLISHED}

    monkeypatch.setattr(wire, "get_json", answer)
    return found


@pytest.fixture
def own_client(asked: list[str]) -> client.Client:
    """The client of a provider that is not asked for anything but keys."""
    provider = discovery.Provider(
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
        jwks_uri=URI,
        userinfo_endpoint="",
        token_auth_methods=("client_secret_basic",),
        names_itself=False,
    )
    row = OidcConfiguration(issuer_url=ISSUER, client_id="kanban", client_secret="s")
    return client.Client(row, provider)


def token(
    key: Any = RSA_KEY, *, algorithm: str = "RS256", key_id: str | None = "rsa", **changes: Any
) -> str:
    # Made when the tests are collected, which may be long before the last of them runs.
    now = timezone.now()
    payload = {
        "iss": ISSUER,
        "sub": "grace",
        "aud": "kanban",
        "iat": now,
        "exp": now + dt.timedelta(days=1),
        "nonce": "n",
        **changes,
    }
    present = {name: value for name, value in payload.items() if value is not None}
    headers = {"kid": key_id} if key_id else {}
    return jwt.encode(present, key, algorithm=algorithm, headers=headers)


@pytest.mark.parametrize(
    "good",
    [
        token(),
        token(EC_KEY, algorithm="ES256", key_id="ec"),
        token(key_id=None),
        token(aud=["kanban", "other"], azp="kanban"),
        token(aud=["kanban"]),
    ],
)
def test_a_good_token_is_believed(own_client: client.Client, good: str) -> None:
    assert own_client.verify_token(good, nonce="n")["sub"] == "grace"


def signed_with_the_public_key() -> str:
    """The public key, which everybody knows, taken for a shared secret."""
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    payload = token().split(".")[1]
    header = base64url_encode(b'{"alg":"HS256","kid":"rsa"}').decode()
    signature = hmac.digest(public, f"{header}.{payload}".encode(), "sha256")
    return f"{header}.{payload}.{base64url_encode(signature).decode()}"


@pytest.mark.parametrize(
    "bad",
    [
        token("", algorithm="none"),
        signed_with_the_public_key(),
        token("the client's secret, long enough for its algorithm", algorithm="HS256"),
        token(algorithm="RS512"),
        token(algorithm="PS256"),
        token(OTHER_KEY),
        token(key_id="unknown"),
        # A key of the wrong kind for the algorithm.
        token(key_id="ec"),
        token(EC_KEY, algorithm="ES256", key_id="rsa"),
        token(iss="https://evil.example.org"),
        token(iss=None),
        token(aud="another"),
        token(aud=None),
        token(aud=["kanban", "other"]),
        token(aud=["kanban", "other"], azp="other"),
        token(azp="other"),
        token(sub=None),
        token(exp=None),
        token(iat=None),
        token(exp=timezone.now() - dt.timedelta(seconds=61)),
        # Far enough from the moment at which this module was loaded.
        token(iat=timezone.now() + dt.timedelta(days=1)),
        token(nbf=timezone.now() + dt.timedelta(days=1)),
        token(nonce="another"),
        token(nonce=None),
        "",
        "no token",
        "a.b.c",
        token()[:-4] + "AAAA",
    ],
)
def test_a_bad_token_is_refused(own_client: client.Client, bad: str) -> None:
    with pytest.raises((Refused, SuspiciousOperation)) as caught:
        own_client.verify_token(bad, nonce="n")

    if isinstance(caught.value, Refused):
        assert caught.value.code == "oidc_token"


def test_unknown_keys_are_looked_for_once_in_a_while(asked: list[str]) -> None:
    assert keys.find(URI, key_id="rsa", algorithm="RS256").key_id == "rsa"
    assert asked == [URI]

    for number in range(5):
        with pytest.raises(Refused):
            keys.find(URI, key_id=f"unknown-{number}", algorithm="RS256")

    assert asked == [URI, URI]
    assert keys.find(URI, key_id="ec", algorithm="ES256").key_id == "ec"
    assert asked == [URI, URI]


@pytest.mark.parametrize(
    "useless",
    [
        {},
        {"keys": "none"},
        {"keys": []},
        {"keys": [1, {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}]},
        {"keys": [{"kty": "RSA", "use": "enc"}]},
        {"keys": [{"kty": "EC", "crv": "P-521"}]},
        {"keys": [{"kty": "RSA", "alg": "RS512"}]},
    ],
)
def test_keys_that_cannot_be_used_are_none(
    monkeypatch: pytest.MonkeyPatch, useless: dict[str, Any]
) -> None:
    monkeypatch.setattr(wire, "get_json", lambda _url: useless)

    with pytest.raises(Refused, match="lists no key"):
        keys.fetch(URI)


def test_a_broken_key_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"keys": [{"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"}]}
    monkeypatch.setattr(wire, "get_json", lambda _url: broken)

    with pytest.raises(Refused, match="cannot be read"):
        keys.find(f"{URI}/broken", key_id="x", algorithm="RS256")


# --- discovery -----------------------------------------------------------------------------------

DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": URI,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example.org"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://id.example.org/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": 1},
    ],
)
def test_a_provider_that_speaks_for_others_or_in_the_clear_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(wire, "get_json", lambda _url: DOCUMENT | changes)

    with pytest.raises(Refused) as caught:
        discovery.fetch(ISSUER)

    assert caught.value.code == "oidc_unavailable"


def test_a_slash_at_the_end_is_the_same_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "get_json", lambda _url: DOCUMENT | {"issuer": f"{ISSUER}/"})

    assert discovery.fetch(ISSUER).issuer == f"{ISSUER}/"


def test_the_provider_is_not_asked_each_time(asked: list[str], provider: Provider) -> None:
    del asked[:]
    with pytest.raises(Refused):
        discovery.load(provider.issuer)

    assert asked == [f"{provider.issuer}/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://id.example.org/realms/a", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("http://id.example.org", False),
        ("ftp://id.example.org", False),
        ("https://user:password@id.example.org", False),
        ("https://id.example.org/#fragment", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_nobody_can_listen_to_are_used(url: object, *, is_safe: bool) -> None:
    assert wire.is_safe(url) is is_safe


# --- claims --------------------------------------------------------------------------------------


def read(**payload: Any) -> claims.Claims:
    return claims.read(
        {"sub": "grace", **payload}, issuer=ISSUER, groups_claim="groups", trust_emails=False
    )


@pytest.mark.parametrize("subject", [None, "", 1, "x" * 256, "a\x00b"])
def test_a_token_of_nobody_is_refused(subject: object) -> None:
    with pytest.raises(Refused):
        read(sub=subject)


@pytest.mark.parametrize(
    ("said", "is_verified"),
    [(True, True), ("true", True), (False, False), (1, False), (["true"], False), ({}, False)],
)
def test_an_address_is_verified_where_the_provider_says_so(
    said: object, *, is_verified: bool
) -> None:
    found = read(email="grace@example.org", email_verified=said)

    assert found.email_is_verified is is_verified


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["a", "b"], {"a", "b"}),
        ("a", {"a"}),
        (["a", 1, None, ["b"]], {"a"}),
        ({"a": 1}, set()),
        (None, set()),
    ],
)
def test_groups_are_texts(groups: object, expected: set[str]) -> None:
    assert read(groups=groups).groups == expected


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"name": "Grace"}, "Grace"),
        ({"name": " ", "preferred_username": "grace"}, "grace"),
        ({"name": "a\x1b[31m", "email": "grace@example.org"}, "grace"),
        ({"name": ["Grace"], "nickname": "G"}, "G"),
        ({"name": "x" * 200}, "x" * 100),
    ],
)
def test_a_name_is_found(payload: dict[str, Any], name: str) -> None:
    assert read(**payload).name == name


def test_pictures_come_over_https() -> None:
    assert read(picture="https://id.example.org/g.png").avatar_url == "https://id.example.org/g.png"
    assert read(picture="http://id.example.org/g.png").avatar_url == ""
    assert read(picture="https://x/" + "y" * 500).avatar_url == ""
