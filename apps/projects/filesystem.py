"""Looking around on the server's disk: below the allowed folders, and at nothing private there.

Private are KanbanAI's own data, the hidden folders of the account that runs the server (keys,
logins, settings of programs), the insides of git directories, and projects of other people.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.core import problems
from apps.projects.models import Project

if TYPE_CHECKING:
    from apps.core.actors import Actor

READ_BYTES = 1024 * 1024
# How much of a file tells whether it is text.
_SNIFF = 8192
_TEXT_CONTROLS = frozenset({7, 8, 9, 10, 12, 13, 27})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing in a folder; `name` and `path` are safe to show, whatever the disk has."""

    name: str
    path: str
    is_directory: bool
    is_repository: bool


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a folder: its entries, how many there are, and where the next part begins."""

    path: Path
    parent: Path | None
    entries: list[Entry]
    total: int
    cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Text:
    """What a text file holds; `size` in bytes is the file's, of which `content` may be a part."""

    path: Path
    content: str
    size: int
    truncated: bool


def roots() -> list[Path]:
    """This will list the folders below which people may look, links resolved."""
    return [Path(root).resolve() for root in settings.KANBANAI_PROJECT_ROOTS]


def resolve(*, actor: Actor, text: str) -> Path:
    """This will turn what a person wrote into a real path that the person may look at.

    Forbidden for everything else, whether it exists or not; an empty text is the first root.
    """
    if not text:
        return roots()[0]
    try:
        path = Path(text).expanduser() if text.startswith("~") else Path(text)
        if not path.is_absolute():
            detail = "Give the full path, beginning with /."
            raise problems.ValidationFailed.of("path", detail, "not_absolute")
        real = path.resolve()
        str(real).encode()
    except (OSError, RuntimeError, ValueError) as error:
        detail = "This is not a usable path."
        raise problems.ValidationFailed.of("path", detail) from error
    if not _is_open(real):
        raise _outside()
    _require_own(actor, real)
    return real


def _outside() -> problems.Forbidden:
    shown = ", ".join(str(root) for root in roots())
    return problems.Forbidden(f"Only what lies openly under {shown} can be looked at.")


def _is_open(real: Path) -> bool:
    """True for a real path below a root that is not private; see the module's first lines."""
    within = [root for root in roots() if real.is_relative_to(root)]
    if not within or real.is_relative_to(_data_folder()) or ".git" in real.parts:
        return False
    return not any(
        real != place
        and real.is_relative_to(place)
        and real.relative_to(place).parts[0].startswith(".")
        for place in _tops(max(within, key=lambda root: len(root.parts)))
    )


def _data_folder() -> Path:
    return Path(settings.KANBANAI_DATA_DIR).resolve()


def _tops(root: Path) -> set[Path]:
    """The folders of a root whose hidden entries are the account's own."""
    home = Path.home().resolve()
    return {root, home} if home.is_relative_to(root) else {root}


def _require_own(actor: Actor, real: Path) -> None:
    """Whoever may not see a project may not read its folder either."""
    above = [str(real), *(str(parent) for parent in real.parents)]
    here = Project.objects.filter(path__in=above)
    mine = here.visible_to(actor.person).values("pk")
    if here.exclude(pk__in=mine).exists():
        message = "This folder belongs to a project you are not in."
        raise problems.Forbidden(message)


def browse(*, actor: Actor, text: str, include_files: bool, cursor: str | None, limit: int) -> Page:
    """This will list a part of a folder: folders first, both by name.

    A link is shown as what it leads to, and only where that may be looked at too.
    """
    folder = resolve(actor=actor, text=text)
    after = _decode(cursor) if cursor else None
    try:
        found = _scan(folder, include_files=include_files)
    except OSError as error:
        raise _problem(error) from error
    found.sort()
    rest = [key for key in found if key > after] if after else found
    shown = rest[:limit]
    parent = folder.parent
    return Page(
        path=folder,
        parent=parent if parent != folder and _is_open(parent) else None,
        entries=[_entry(folder, key) for key in shown],
        total=len(found),
        cursor=_encode(shown[-1]) if len(rest) > len(shown) else None,
    )


# What a folder is sorted by: files after folders, then the name without case, then the name.
_Key = tuple[bool, str, str]


def _scan(folder: Path, *, include_files: bool) -> list[_Key]:
    # Asked once for the whole folder, since there may be very many entries.
    without_hidden = not _is_open(folder / ".hidden")
    data = _data_folder()
    found: list[_Key] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name == ".git" or (without_hidden and name.startswith(".")):
                continue
            if entry.is_symlink():
                is_folder = _kind_behind(entry)
            elif name == data.name and folder == data.parent:
                is_folder = None
            else:
                is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder is not None and (is_folder or include_files):
                found.append((not is_folder, name.casefold(), name))
    return found


def _kind_behind(link: os.DirEntry[str]) -> bool | None:
    """Whether a link leads to a folder; None when it leads nowhere one may look."""
    try:
        real = Path(link.path).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return real.is_dir() if _is_open(real) else None


def _entry(folder: Path, key: _Key) -> Entry:
    is_file, _sorted_as, name = key
    path = folder / name
    return Entry(
        name=_shown(name),
        path=_shown(str(path)),
        is_directory=not is_file,
        is_repository=not is_file and os.path.lexists(path / ".git"),
    )


def _shown(text: str) -> str:
    """A name as text: bytes that are no UTF-8 and control characters become U+FFFD."""
    plain = os.fsencode(text).decode("utf-8", "replace")
    return "".join("\ufffd" if unicodedata.category(one) == "Cc" else one for one in plain)


def _encode(key: _Key) -> str:
    text = ("f" if key[0] else "d").encode() + os.fsencode(key[2])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _decode(cursor: str) -> _Key:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        kind, name = raw[:1], os.fsdecode(raw[1:])
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    if kind not in {b"d", b"f"} or not name:
        raise _bad_cursor()
    return (kind == b"f", name.casefold(), name)


def _bad_cursor() -> problems.ValidationFailed:
    return problems.ValidationFailed.of("cursor", "This is no cursor of ours.")


def read(*, actor: Actor, text: str) -> Text:
    """This will read the first megabyte of a text file; 415 for anything that is no text.

    Only regular files are opened: a pipe or a device could hold us, or do something.
    """
    path = resolve(actor=actor, text=text)
    try:
        data, size = _bytes_of(path)
    except OSError as error:
        raise _problem(error) from error
    truncated = size > len(data)
    if _is_binary(data[:_SNIFF]):
        raise problems.UnsupportedMediaType("This file is not text.")
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Where the limit cuts a character in two, the file may still be text.
        if not (truncated and error.end == len(data) and len(data) - error.start < 4):  # noqa: PLR2004 - the longest character has four bytes
            raise problems.UnsupportedMediaType("This file is not UTF-8 text.") from error
        content = data[: error.start].decode("utf-8")
    return Text(path=path, content=content, size=size, truncated=truncated)


def _bytes_of(path: Path) -> tuple[bytes, int]:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise _not_regular(path)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _not_regular(path)
        # Somebody may have put a link into the way since the path was looked at.
        if Path(f"/proc/self/fd/{descriptor}").readlink() != path:
            raise _outside()
        data = b""
        while len(data) < READ_BYTES and (more := file.read(READ_BYTES - len(data))):
            data += more
        return data, max(found.st_size, len(data))


def _not_regular(path: Path) -> problems.Problem:
    if path.is_dir():
        return problems.ValidationFailed.of("path", "This is a folder.", "is_a_directory")
    return problems.UnsupportedMediaType("This is not a regular file.")


def _is_binary(head: bytes) -> bool:
    return any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head)  # noqa: PLR2004 - the ASCII control range


def _problem(error: OSError) -> problems.Problem:
    match error.errno:
        case errno.ENOENT:
            return problems.NotFound("There is nothing at this path.")
        case errno.ENOTDIR:
            return problems.ValidationFailed.of("path", "This is not a folder.", "not_a_directory")
        case errno.EACCES | errno.EPERM:
            return problems.Forbidden("The server may not read this.")
        case errno.ELOOP:
            return _outside()
        case errno.ENAMETOOLONG | errno.EINVAL:
            return problems.ValidationFailed.of("path", "This is not a usable path.")
    return problems.Unavailable("The server cannot read this now.")
