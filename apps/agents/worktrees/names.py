"""Names of branches: from a template, always valid, never one that is taken."""

import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from apps.core import git

DEFAULT_TEMPLATE = "{prefix}/{ticketKey}-{slug}"
DEFAULT_TYPE = "feat"
TYPES = (
    *("fix", "feat", "chore", "refactor", "docs", "test", "perf"),
    *("ci", "build", "style", "revert", "hotfix"),
)
SLUG_LIMIT = 50
NAME_LIMIT = 120

_TYPE = re.compile(
    rf"\s*({'|'.join(TYPES)})(?:\([^)]*\))?(?:!?:|\s)\s*(.*)", re.IGNORECASE | re.DOTALL
)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|[\ud800-\udfff]|\.lock(?:/|$)")
_OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "œ": "oe"})


def branch_name(
    template: str,
    *,
    prefix: str,
    ticket_key: str,
    title: str,
    ticket_type: str | None = None,
) -> str:
    """Fill a template's ``{prefix} {ticketKey} {type} {slug}`` and give a valid branch name.

    The type is the ticket's, else the conventional word at the start of the title (``fix: …``),
    else ``feat``; where the template shows the type, the slug does not repeat the word.
    """
    word, rest = conventional(title)
    shown = rest if "{type}" in template and ticket_type is None else title
    values = {
        "prefix": _component(prefix),
        "ticketKey": _component(ticket_key),
        "type": _component(ticket_type or word or DEFAULT_TYPE).lower(),
        "slug": slug(shown),
    }
    filled = re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], ""), template)
    return sanitise(filled, fallback=f"kanbanai/{values['slug'] or 'task'}")


def conventional(title: str) -> tuple[str | None, str]:
    """Split ``Fix(ui): the rest`` in ``fix`` and ``the rest``; no such word gives None."""
    match = _TYPE.fullmatch(title)
    return (match[1].lower(), match[2]) if match else (None, title)


def slug(title: str, *, limit: int = SLUG_LIMIT) -> str:
    """Give a title in lower case, without accents, words joined by hyphens, cut at a hyphen."""
    words = re.sub(r"[^a-z0-9]+", "-", _folded(title).lower()).strip("-")
    if len(words) <= limit:
        return words
    cut = words[: limit + 1].rpartition("-")[0] or words[:limit]
    return cut[:limit].strip("-")


def sanitise(name: str, *, fallback: str = "kanbanai/task") -> str:
    """Give the nearest valid branch name of plain ASCII; nothing usable gives the fallback."""
    parts = [part for part in map(_component, name.split("/")) if part]
    if parts and parts[0].lower() == "refs":
        parts[0] = "branch"
    found = "/".join(parts)[:NAME_LIMIT]
    while not is_valid(found) and found:
        found = found[:-1]  # the cut may have left a dot, a slash or ".lock" at the end
    return found or fallback


def is_valid(name: str) -> bool:
    """Say whether git takes this as the name of a branch."""
    return (
        bool(name)
        and _FORBIDDEN.search(name) is None
        and not name.startswith(("-", "/", "."))
        and not name.endswith(("/", "."))
        and name not in {"@", "HEAD"}
        and _OBJECT_NAME.fullmatch(name) is None
    )


def taken(repository: Path) -> frozenset[str]:
    """Give the names in use: local branches, and branches of remotes without the remote's name."""
    lines = git.text(
        "for-each-ref", "--format=%(refname)", "refs/heads/", "refs/remotes/", at=repository
    )
    found: set[str] = set()
    for ref in lines.splitlines():
        if ref.startswith("refs/heads/"):
            found.add(ref.removeprefix("refs/heads/"))
        else:
            found.add(ref.removeprefix("refs/remotes/").partition("/")[2])
    return frozenset(found - {"", "HEAD"})


def unique(name: str, names: Collection[str]) -> str:
    """Give the name, or the nearest one that can live beside all the others.

    Git keeps branches as paths: ``feat`` and ``feat/x`` exclude each other, and on some disks so
    do ``Feat`` and ``feat``.
    """
    lowered = {one.casefold() for one in names}
    folders = {folder for one in lowered for folder in _folders(one)}
    while blocked := [one for one in _folders(name.casefold()) if one in lowered]:
        at = len(min(blocked, key=len))
        name = f"{name[:at]}-{name[at + 1 :]}"
    candidate, number = name, 1
    while candidate.casefold() in lowered or candidate.casefold() in folders:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _folders(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold() if "ß" in text else text)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return plain.translate(_LETTERS)


def _component(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", _folded(text))
    plain = re.sub(r"\.{2,}", ".", re.sub(r"-{2,}", "-", plain)).strip("-.")
    while plain.lower().endswith(".lock"):
        plain = plain[: -len(".lock")].strip("-.")
    return plain
