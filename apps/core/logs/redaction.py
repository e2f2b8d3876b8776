"""Takes secrets out of whatever is about to be written to a log.

It works on whole events after exceptions were rendered: by the names of keys, by the shapes of
known tokens, and by the values of this server's own secrets. It errs on the side of taking out.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from structlog.typing import EventDict

GONE = "[redacted]"
# Deeper than this nothing of ours nests; what does is shown as text.
DEEPEST = 12
# A shorter text would also be found where it is no secret.
SHORTEST_KNOWN = 6

# The last word of a key decides: `client_secret`, `accessToken`, `X-Api-Key`. Numbers under such
# keys are counts and versions (`inputTokens`) and stay, but not under a password's.
_SECRET_WORDS = frozenset(
    {
        "password", "passwd", "passphrase", "pwd", "pass", "secret", "secrets", "token", "tokens",
        "authorization", "cookie", "cookies", "credential", "credentials", "apikey", "jwt",
        "ticket",
        "signature", "otp", "bearer", "dsn",
    }
)  # fmt: skip
_SECRET_PAIRS = frozenset(
    {
        "apikey", "apikeys", "privatekey", "secretkey", "accesskey", "signingkey", "encryptionkey",
        "encryptionkeys", "sessionkey", "sessionid", "accountkey", "masterkey", "keyfile",
        "authkey", "codeverifier", "csrftoken",
    }
)  # fmt: skip
_PASSWORDS = frozenset({"password", "passwd", "passphrase", "pwd", "pass", "otp"})
# What our own processors put into every event, and structlog's own marks.
_OURS = frozenset({"timestamp", "level", "logger", "_record", "_from_structlog"})
# Names of ours that only look like secrets.
_HARMLESS_KEYS = frozenset({"ticket_type", "ticketType"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_NAMES = (
    r"password|passwd|passphrase|pwd|secret|client[_-]?secret|secret[_-]?key|api[_-]?key|"
    r"access[_-]?key|private[_-]?key|encryption[_-]?keys?|signing[_-]?key|session[_-]?(?:id|key)|"
    r"(?:access|refresh|id|auth|csrf|api|session)[_-]?token|token|ticket|jwt|otp|"
    r"code[_-]?verifier|signature|kanbanai_session|kanbanai_csrf"
)
_QUERY_NAMES = _NAMES + r"|code|state|sig|key|auth|credentials?|session"

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_HEADER = re.compile(
    r"""(?ix) (["']?) \b (authorization|cookie|x-api-key|x-auth-token|x-csrftoken|x-goog-api-key)
    ["']? \s* [:=,] \s* (?: b?"(?:[^"\\]|\\.)*" | b?'(?:[^'\\]|\\.)*' | [^\r\n"']+ )"""
)
_SCHEME = re.compile(r"(?i)\b(bearer)\s+(?=\S{8,})[A-Za-z0-9._~+/:=-]+")
_BASIC = re.compile(r"(?i)\b(basic)\s+([A-Za-z0-9+/_-]{6,}={0,2})")
_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*:(?:\\*/){2})[^\s/?#\"'<>\\]*@")
_QUERY = re.compile(rf"(?i)([?&;](?:amp;)?(?:{_QUERY_NAMES})=)[^&\s\"'#<>\\]+")
_RESET_PATH = re.compile(r"(?i)(/password/reset/key/)[^/\s\"'?#]+")
_PAIR = re.compile(
    rf"""(?ix) (\\*["']?) (?<![a-z0-9]) ((?:[a-z0-9]+[_.-])*(?:{_NAMES})) (\\*["']?) \s*
    (=>|[:=]) \s*
    (?: b?"((?:[^"\\]|\\.)*)" | b?'((?:[^'\\]|\\.)*)' | (\\+["']).*?\7
      | ((?:[,;](?!\s|$)|[^\s,;&}}\])"'<>\\])+) )"""
)
_TOKENS = re.compile(
    r"""(?x) (?<![A-Za-z0-9]) (?:
        kbn_[A-Za-z0-9_-]{8,}
      | eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}
      | (?:sk|rk|pk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9_-]{8,}
      | gh[pousr]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,}
      | gl(?:pat|dt|rt|ft|cbt|ptt)-[A-Za-z0-9_.-]{12,}
      | xox[abeoprs]-[A-Za-z0-9-]{8,} | xapp-[A-Za-z0-9-]{8,}
      | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16} | AIza[A-Za-z0-9_-]{30,} | ya29\.[A-Za-z0-9_.-]{10,}
      | hf_[A-Za-z0-9]{12,} | gsk_[A-Za-z0-9]{12,} | npm_[A-Za-z0-9]{12,} | pypi-[A-Za-z0-9_-]{12,}
      | xai-[A-Za-z0-9_-]{12,} | r8_[A-Za-z0-9]{12,} | whsec_[A-Za-z0-9+/=_-]{8,}
      | SG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,} | dop_v1_[a-f0-9]{16,} | nvapi-[A-Za-z0-9_-]{12,}
      | AGE-SECRET-KEY-1[A-Z0-9]{20,} | pplx-[A-Za-z0-9]{12,} | shp(?:at|ca|pa|ss)_[a-fA-F0-9]{16,}
    )"""
)
# Most texts hold none of these and are done after one look.
_MARKS = (
    "-----begin", "@", "bearer", "basic", "cookie", "authorization", "x-", "?", "&", ";", "/reset/",
    "pass", "pwd", "secret", "key", "token", "ticket", "jwt", "otp", "session", "verifier",
    "signature", "csrf", "eyj", "kbn_", "sk-", "sk_", "rk-", "rk_", "pk-", "pk_", "ghp_", "gho_",
    "ghu_", "ghs_", "ghr_", "github_pat", "gl", "xox", "xapp", "akia", "asia", "abia", "acca",
    "aiza", "ya29", "hf_", "gsk_", "npm_", "pypi-", "xai-", "r8_", "whsec_", "sg.", "dop_",
    "nvapi", "pplx", "shpat", "shpca", "shppa", "shpss",
)  # fmt: skip
# A value after `token:` in a sentence is a word; a secret has a digit or is long.
_LOOKS_RANDOM = re.compile(r"[0-9]|.{20,}")

_known: tuple[str, ...] = ()


def know(secrets: Iterable[str]) -> None:
    """This will have these very texts taken out from now on, however they are quoted."""
    global _known  # noqa: PLW0603 - the secrets of the process
    forms = set(_known)
    for secret in secrets:
        if len(secret) >= SHORTEST_KNOWN:
            forms |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    _key_text.cache_clear()
    # The longest first: one may be a part of another.
    _known = tuple(sorted(forms, key=lambda text: (-len(text), text)))


def redact_event(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """This will take the secrets out of a log event: a processor that stands before every writer.

    An event it cannot go through is replaced as a whole.
    """
    try:
        return {
            _key_text(str(key)): value if key in _OURS else _value(str(key), value, 0)
            for key, value in event.items()
        }
    except Exception:  # noqa: BLE001 - a line that was not looked through must not be written
        kept = {key: event.get(key) for key in ("timestamp", "level", "logger")}
        return {**kept, "event": "log_line_withheld"}


def redact(value: Any) -> Any:
    """This will give a value of any shape without the secrets in it."""
    return _value("", value, 0)


@lru_cache(maxsize=2048)
def is_secret_key(key: str) -> bool:
    """True for names under which secrets are kept."""
    if key in _HARMLESS_KEYS:
        return False
    words = [word.lower() for word in _WORDS.findall(key)]
    if not words:
        return False
    return words[-1] in _SECRET_WORDS or "".join(words[-2:]) in _SECRET_PAIRS


@lru_cache(maxsize=2048)
def _key_text(key: str) -> str:
    """The same few names come again and again."""
    return text(key)


def _value(key: str, value: Any, depth: int) -> Any:  # noqa: PLR0911 - one line for each kind
    if value is None or isinstance(value, bool):
        return value
    if key and is_secret_key(key) and not _is_count(key, value):
        return GONE if value not in ("", b"") else value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, (int, float)):
        return value
    if depth >= DEEPEST:
        return text(repr(value))
    if isinstance(value, Mapping):
        return {
            _key_text(name) if isinstance(name, str) else name: _value(str(name), inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return _sequence(value, depth)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return text(bytes(value).decode("utf-8", "replace"))
    return text(str(value) if isinstance(value, BaseException) else repr(value))


def _sequence(value: Any, depth: int) -> list[Any]:
    items = list(value)
    # A header as raw ASGI scopes and clients have it: a pair of name and value.
    if len(items) == 2 and isinstance(items[0], (str, bytes)):  # noqa: PLR2004
        name = items[0].decode("latin1") if isinstance(items[0], bytes) else items[0]
        return [text(name), _value(name, items[1], depth + 1)]
    return [_value("", inner, depth + 1) for inner in items]


def _is_count(key: str, value: Any) -> bool:
    if not isinstance(value, (int, float)):
        return False
    return not any(word.lower() in _PASSWORDS for word in _WORDS.findall(key))


def text(value: str) -> str:
    """This will take the secrets out of a text."""
    for secret in _known:
        if secret in value:
            value = value.replace(secret, GONE)
    if len(value) < SHORTEST_KNOWN:
        return value
    lowered = value.lower()
    if not any(mark in lowered for mark in _MARKS):
        return value
    value = _PRIVATE_KEY.sub(GONE, value)
    value = _IN_URL.sub(rf"\1{GONE}@", value)
    value = _HEADER.sub(rf"\1\2: {GONE}", value)
    value = _SCHEME.sub(rf"\1 {GONE}", value)
    value = _BASIC.sub(_basic, value)
    value = _QUERY.sub(rf"\1{GONE}", value)
    value = _RESET_PATH.sub(rf"\1{GONE}", value)
    value = _PAIR.sub(_pair, value)
    return _TOKENS.sub(GONE, value)


def _basic(match: re.Match[str]) -> str:
    """`Basic` before something that is base64 of `name:password`; a word in a sentence stays."""
    encoded = match[2]
    try:
        inner = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_")
    except (ValueError, binascii.Error):
        return match[0]
    return f"{match[1]} {GONE}" if b":" in inner else match[0]


def _pair(match: re.Match[str]) -> str:
    bare = match[8]
    sign = match[4]
    if bare is not None:
        is_password = any(word in match[2].lower() for word in _PASSWORDS)
        if bare.startswith(GONE[:-1]):
            return match[0]
        is_variable = match[2].isupper()
        if sign == ":" and not (is_password or is_variable or _LOOKS_RANDOM.search(bare)):
            return match[0]
    return f"{match[1]}{match[2]}{match[3]}{sign}{GONE}"
