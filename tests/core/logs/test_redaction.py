"""No secret gets into a log line, whatever carries it there."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.core.logs import entries, redaction
from apps.core.logs.pump import pump
from kanbanai.settings.logs import logging_config

PRIVATE_KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACC\n"
    "-----END OPENSSH PRIVATE KEY-----"
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJlLW9mLWl0"
# A kind, what is logged, and what must not be found in any output.
TEXTS = [
    ("bearer", "sent Authorization: Bearer abcDEF123456 to it", "abcDEF123456"),
    ("bearer in a dict", "{'Authorization': 'Bearer abcDEF123456'}", "abcDEF123456"),
    ("bearer in JSON", '{"authorization": "Bearer abcDEF123456"}', "abcDEF123456"),
    ("basic", "authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    ("basic alone", "used Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    ("own token", "token kbn_Zk3jd8fKq0LmN2pQ refused", "kbn_Zk3jd8fKq0LmN2pQ"),
    ("jwt", f"bad {JWT}", JWT),
    ("jwt's payload", f"bad {JWT}", "eyJzdWIiOiJ1c2VyIn0"),
    ("openai", "key sk-proj-Zk3jd8fKq0LmN2pQ refused", "Zk3jd8fKq0LmN2pQ"),
    ("anthropic", "Incorrect key: sk-ant-api03-Zk3jd8f_Kq0-LmN2pQ", "LmN2pQ"),
    ("github", "ghp_Zk3jd8fKq0LmN2pQZk3jd8fKq0LmN2pQabcd", "Zk3jd8fKq0LmN2pQ"),
    ("github, fine", "github_pat_11ABCDEFG0Zk3jd8fKq0_LmN2pQ", "LmN2pQ"),
    ("gitlab", "glpat-Zk3jd8fKq0LmN2pQ12", "Zk3jd8fKq0LmN2pQ12"),
    ("slack", "xoxb-123456789012-abcdefABCDEF", "abcdefABCDEF"),
    ("aws", "AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    ("google", "AIzaSyA1234567890abcdefghijklmnopqrstuv", "SyA1234567890"),
    ("hugging face", "hf_Zk3jd8fKq0LmN2pQ", "Zk3jd8fKq0LmN2pQ"),
    ("?token=", "GET /api/ws?token=abcdef&since=3", "abcdef"),
    ("&ticket=", "GET /api/v1/ws?boardId=b&ticket=s3cr3t", "s3cr3t"),
    ("?code=", "/api/oidc/callback?code=s3cr3tcode&state=xyz987", "s3cr3tcode"),
    ("?state=", "/api/oidc/callback?code=s3cr3tcode&state=xyz987", "xyz987"),
    ("escaped query", "/api/ws?a=b&amp;token=abcdef", "abcdef"),
    ("password=", "login with password=hunter2 failed", "hunter2"),
    ("password: ", "password: hunter2", "hunter2"),
    ("quoted password", "password='hunter 2 3'", "hunter 2 3"),
    ("JSON in JSON", r'{"body": "{\"password\":\"hunter2\"}"}', "hunter2"),
    ("variable", "OPENAI_API_KEY=plainwordvalue", "plainwordvalue"),
    ("variable, colon", "MY_SECRET: plainwordvalue", "plainwordvalue"),
    ("cookie", "Cookie: kanbanai_session=abcdef1234; other=1", "abcdef1234"),
    ("set-cookie", "Set-Cookie: sid=abcdef1234; HttpOnly", "abcdef1234"),
    ("session cookie alone", "kanbanai_session=abcdef1234", "abcdef1234"),
    ("database address", "postgres://kanban:pa55word@db:5432/kanban", "pa55word"),
    ("its user", "redis://:pa55word@redis:6379/0", "pa55word"),
    ("git address", "cloning https://oauth2:s3cr3t@github.com/a/b.git", "s3cr3t"),
    ("token as user", "cloning https://s3cr3ttoken@github.com/a/b.git", "s3cr3ttoken"),
    ("at sign in password", "amqp://u:p@ss@host/", "p@ss"),
    ("escaped slashes", r"https:\/\/u:s3cr3t@host", "s3cr3t"),
    ("private key", f"read {PRIVATE_KEY} from disk", "b3BlbnNzaC1rZXktdjEAAAAA"),
    ("cut private key", PRIVATE_KEY[:70], "b3BlbnNzaC1rZXktdjEAAAAA"),
    ("reset link", "/accounts/password/reset/key/1a-c0ffee123/", "c0ffee123"),
]
HARMLESS = [
    "Invalid token: expired",
    "mail to ada@example.org",
    "https://example.org/@ada/post",
    "task-runner-is-working-on-it",
    "the password is wrong",
    "Basic understanding",
    "inputTokens=?",
    "git@github.com:ada/engine.git",
]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[str, str]]]:
    """Makes the real pipeline write to memory; gives a line of output and of the store."""
    before = structlog.get_config()
    root = logging.getLogger()
    captured: list[Any] = []
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(pump, "put", captured.append)
    stream = io.StringIO()

    def set_up(style: str) -> None:
        config = logging_config(level="debug", style=style)
        config["handlers"]["console"]["stream"] = stream
        logging.config.dictConfig(config)

    def outputs(style: str = "") -> tuple[str, str]:
        if style:
            set_up(style)
        kept = json.dumps([entries.of_event(event).shown() for event in captured])
        return stream.getvalue(), kept

    set_up("json")
    yield outputs
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def nothing_of(secret: str, outputs: tuple[str, str]) -> bool:
    wrong = [text for text in outputs if secret in text or json.dumps(secret)[1:-1] in text]
    withheld = any("log_line_withheld" in text for text in outputs)
    return not wrong and all(outputs) and not withheld


def fresh_logger() -> Any:
    # Loggers keep the processors they were first used with.
    return structlog.wrap_logger(logging.getLogger("tests.redaction"))


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(("kind", "text", "secret"), TEXTS, ids=[row[0] for row in TEXTS])
def test_a_secret_is_in_no_output(
    written: Callable[..., tuple[str, str]], style: str, kind: str, text: str, secret: str
) -> None:
    written(style)
    log, plain = fresh_logger(), logging.getLogger("tests.redaction.plain")
    log.info(text)
    log.warning("with a field", field=text, nested={"deep": [{"list": (text,)}]}, raw=text.encode())
    log.info("as an object", error=ValueError(text))
    plain.info("formatted %s", text)
    plain.warning("extra", extra={"detail": text})
    try:
        try:
            raise KeyError(text)  # noqa: TRY301 - the chain is what is looked at
        except KeyError as error:
            raise RuntimeError(f"outer {text}") from error
    except RuntimeError:
        log.exception("failed")
        plain.exception("failed too")

    assert nothing_of(secret, written())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "hunter2hunter2"),
        ("newPassword", "hunter2hunter2"),
        ("client_secret", "plain words"),
        ("access-token", "plainword"),
        ("Authorization", "Custom plainword"),
        ("X-Api-Key", "plainword"),
        ("cookie", "plainword"),
        ("Set-Cookie", "plainword"),
        ("privateKey", "plainword"),
        ("encryption_keys", ["plainword"]),
        ("sessionid", "plainword"),
        ("credentials", {"any": "plainword"}),
        ("ticket", "plainword"),
        ("ENCRYPTION_KEY", b"plainword"),
    ],
)
def test_what_stands_under_a_secret_name_is_in_no_output(
    written: Callable[..., tuple[str, str]], key: str, value: Any
) -> None:
    log = fresh_logger()
    log.info("said", **{key: value})
    log.info("nested", data={"headers": {key: value}, "pairs": [[key, value]]})
    log.info("raw", headers=[(key.encode(), value if isinstance(value, bytes) else b"plainword")])

    output, kept = written()
    assert nothing_of("plainword", (output, kept))
    assert nothing_of("hunter2hunter2", (output, kept))
    assert redaction.GONE in output
    assert redaction.GONE in kept


def test_counts_and_versions_stay() -> None:
    said = {"inputTokens": 12, "token_version": 3, "has_password": True, "ticketType": "bug"}

    assert redaction.redact(said) == said


def test_a_numeric_password_goes() -> None:
    assert redaction.redact({"password": 12345678}) == {"password": redaction.GONE}


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_words_stay(text: str) -> None:
    assert redaction.text(text) == text


def test_the_servers_own_secrets_are_known_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", ())
    redaction._key_text.cache_clear()
    redaction.know(['zeta "omega" 7', "tiny"])

    said = redaction.text('it was zeta "omega" 7, or zeta%20%22omega%22%207; a tiny one')

    assert said == f"it was {redaction.GONE}, or {redaction.GONE}; a tiny one"


def test_the_settings_secrets_are_known(settings: Any) -> None:
    for secret in (settings.SECRET_KEY, *settings.KANBANAI_ENCRYPTION_KEYS):
        assert redaction.text(f"before {secret} after") == f"before {redaction.GONE} after"


def test_a_line_that_cannot_be_looked_through_is_withheld() -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError

    event = {"event": "said", "level": "info", "logger": "x", "timestamp": "t", "a": Unspeakable()}

    assert redaction.redact_event(None, "", event) == {
        "event": "log_line_withheld",
        "level": "info",
        "logger": "x",
        "timestamp": "t",
    }


def test_lines_of_probes_are_left_out_unless_they_fail(
    written: Callable[..., tuple[str, str]],
) -> None:
    access = structlog.wrap_logger(logging.getLogger("kanbanai.access"))
    for path, status in (("/healthz", 200), ("/readyz", 503), ("/projects", 200)):
        access.info("request", path=path, status=status)
    fresh_logger().info("about", path="/healthz", status=200)

    said = [json.loads(line)["path"] for line in written()[0].splitlines()]
    assert said == ["/readyz", "/projects", "/healthz"]


SECRETS = st.text(
    alphabet="abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=16, max_size=40
).filter(lambda text: any(letter.isdigit() for letter in text))
CARRIERS: list[Callable[[str], Any]] = [
    lambda secret: f"Authorization: Bearer {secret}",
    lambda secret: {"Authorization": f"Bearer {secret}"},
    lambda secret: f"kbn_{secret}",
    lambda secret: f"sk-{secret}",
    lambda secret: f"eyJhbGciOi.{secret}.{secret}",
    lambda secret: f"/api/ws?token={secret}&x=1",
    lambda secret: f"/ws?ticket={secret}",
    lambda secret: f"password={secret}",
    lambda secret: {"password": secret},
    lambda secret: f'{{"api_key": "{secret}"}}',
    lambda secret: f"Cookie: kanbanai_session={secret}",
    lambda secret: {"cookies": {"kanbanai_session": secret}},
    lambda secret: f"postgres://user:{secret}@host/db",
    lambda secret: f"-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----",
    lambda secret: ValueError(f"token={secret}"),
    lambda secret: f"Bearer {secret}".encode(),
    lambda secret: [[b"authorization", secret.encode()]],
]
# Text that may stand around: it ends in no letter that would join a token's first one.
AROUND = st.text(max_size=30).map(lambda text: f"{text} ")


@hypothesis_settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), secret=SECRETS)
def test_no_place_in_an_event_hides_a_secret(data: st.DataObject, secret: str) -> None:
    carried = data.draw(st.sampled_from(CARRIERS))(secret)
    if isinstance(carried, str):
        before, after = data.draw(AROUND), data.draw(AROUND)
        assume(secret not in before + after)
        carried = f"{before}{carried} {after}"
    for wrap in data.draw(
        st.lists(
            st.sampled_from(
                [
                    lambda inner: [inner],
                    lambda inner: (1, inner),
                    lambda inner: {"name": inner},
                    lambda inner: {"more": [{"x": inner}], "y": None},
                ]
            ),
            max_size=14,
        )
    ):
        carried = wrap(carried)
    event = {"event": "said", "field": carried}

    shown = redaction.redact_event(None, "", event)

    assert secret not in repr(shown)
    assert secret not in json.dumps(entries.of_event(shown).shown())
