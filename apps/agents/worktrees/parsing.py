"""Unified diffs of git as data: files, hunks, numbered lines."""

import re
from typing import Literal, TypedDict

Kind = Literal["add", "del", "context"]
Change = Literal["added", "deleted", "modified", "renamed", "copied"]

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)
_ESCAPE = re.compile(rb'\\([abtnvfr"\\]|[0-7]{3})')
_ESCAPES = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"\\": b"\\",
}
_KINDS: dict[str, Kind] = {"+": "add", "-": "del", " ": "context", "": "context"}


class Line(TypedDict):
    """A line of a hunk; a number is None on the side where the line is not."""

    kind: Kind
    oldNumber: int | None
    newNumber: int | None
    text: str
    noNewline: bool


class Hunk(TypedDict):
    """Neighbouring lines; `section` is what git shows behind the second @@."""

    header: str
    section: str
    oldStart: int
    oldLines: int
    newStart: int
    newLines: int
    lines: list[Line]


class FileDiff(TypedDict):
    """The changes of one file; modes are octal text, None where they did not change."""

    path: str
    oldPath: str | None
    change: Change
    binary: bool
    oldMode: str | None
    newMode: str | None
    similarity: int | None
    insertions: int
    deletions: int
    hunks: list[Hunk]


def parse(diff: str) -> list[FileDiff]:
    """Read what `diff.read` wrote; a text that was cut gives what is there."""
    lines = diff.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    reader = _Reader(lines)
    found: list[FileDiff] = []
    while reader.more():
        line = reader.take()
        if line.startswith("diff --git "):
            found.append(_file(reader, line))
    return found


class _Reader:
    """Lines with a place in them."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._next = 0

    def more(self) -> bool:
        return self._next < len(self._lines)

    def peek(self) -> str:
        return self._lines[self._next]

    def take(self) -> str:
        self._next += 1
        return self._lines[self._next - 1]


def _file(reader: _Reader, header: str) -> FileDiff:
    name = _header_name(header.removeprefix("diff --git "))
    found: FileDiff = {
        "path": name,
        "oldPath": None,
        "change": "modified",
        "binary": False,
        "oldMode": None,
        "newMode": None,
        "similarity": None,
        "insertions": 0,
        "deletions": 0,
        "hunks": [],
    }
    while reader.more() and not reader.peek().startswith(("diff --git ", "@@ ")):
        _extended(found, reader.take())
    while reader.more() and reader.peek().startswith("@@ "):
        _hunk(found, reader)
    return found


def _extended(found: FileDiff, line: str) -> None:  # noqa: C901 - one table of header lines
    keys = (
        *("old mode ", "new mode ", "new file mode ", "deleted file mode "),
        *("rename from ", "rename to ", "copy from ", "copy to ", "similarity index "),
        *("--- ", "+++ ", "Binary files "),
    )
    key = next((one for one in keys if line.startswith(one)), "")
    value = line.removeprefix(key)
    match key:
        case "old mode ":
            found["oldMode"] = value
        case "new mode ":
            found["newMode"] = value
        case "new file mode ":
            found["change"], found["newMode"] = "added", value
        case "deleted file mode ":
            found["change"], found["oldMode"] = "deleted", value
        case "rename from " | "copy from ":
            found["change"] = "renamed" if key == "rename from " else "copied"
            found["oldPath"] = _unquoted(value)
        case "rename to " | "copy to ":
            found["path"] = _unquoted(value)
        case "similarity index ":
            found["similarity"] = int(value.rstrip("%"))
        case "Binary files ":
            found["binary"] = True
        case "--- " | "+++ ":
            said = _unquoted(value.removesuffix("\t"))
            if said != "/dev/null" and (key == "+++ " or found["change"] == "deleted"):
                found["path"] = said[2:]


def _hunk(found: FileDiff, reader: _Reader) -> None:
    header = reader.take()
    match = _HUNK.fullmatch(header)
    if match is None:
        return
    old, old_left = int(match[1]), int(match[2] or 1)
    new, new_left = int(match[3]), int(match[4] or 1)
    lines: list[Line] = []
    found["hunks"].append(
        {
            "header": header,
            "section": match[5],
            "oldStart": old,
            "oldLines": old_left,
            "newStart": new,
            "newLines": new_left,
            "lines": lines,
        }
    )
    while reader.more() and (old_left or new_left or reader.peek().startswith("\\")):
        line = reader.take()
        if line.startswith("\\"):
            if lines:
                lines[-1]["noNewline"] = True
            continue
        kind = _KINDS.get(line[:1])
        if kind is None:
            return
        in_old, in_new = kind != "add", kind != "del"
        lines.append(
            {
                "kind": kind,
                "oldNumber": old if in_old else None,
                "newNumber": new if in_new else None,
                "text": line[1:],
                "noNewline": False,
            }
        )
        old, old_left = old + in_old, old_left - in_old
        new, new_left = new + in_new, new_left - in_new
        found["insertions"] += kind == "add"
        found["deletions"] += kind == "del"


def _header_name(names: str) -> str:
    # Both names are the same here; renames and edits say theirs in lines of their own.
    if names.startswith('"'):
        end = re.match(r'"(?:\\.|[^"\\])*"', names)
        return _unquoted(end[0] if end else names)[2:]
    return names[: len(names) // 2][2:]


def _unquoted(name: str) -> str:
    if not (name.startswith('"') and name.endswith('"') and len(name) > 1):
        return name
    raw = name[1:-1].encode("utf-8", "surrogateescape")
    plain = _ESCAPE.sub(_unescaped, raw)
    return plain.decode("utf-8", "backslashreplace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    return _ESCAPES.get(match[1]) or bytes([int(match[1], 8) & 0xFF])
