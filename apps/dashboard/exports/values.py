"""Single values of a document: what fits a column, and what the JSON in a column looks like."""

from __future__ import annotations

import base64
import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils.dateparse import parse_datetime

from apps.agents.worktrees import names
from apps.boards.inputs import MAX_LABELS
from apps.core.fields import text_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]

TEXT_LENGTH = 1_000_000
JSON_DEPTH = 30
LABEL_LENGTH = 50
EARLIEST, LATEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
KEY = re.compile(r"[A-Z0-9]{1,6}-([1-9][0-9]{0,8})")


class Wrong(Exception):
    """A value that cannot be taken: a code and a sentence."""

    def __init__(self, detail: str, code: str = "invalid") -> None:
        super().__init__(detail)
        self.detail, self.code = detail, code


def email_of(value: Any) -> str:
    """This will read an e-mail in lower case; `Wrong` where it is none."""
    try:
        if isinstance(value, str):
            validate_email(value)
            return value.lower()
    except ValidationError:
        pass
    raise Wrong("Enter a valid email address.")


def scalar(target: models.Field[Any, Any], value: Any) -> Any:
    """This will read a value for a column of the database; `Wrong` where it does not fit."""
    found = _of_kind(target, value)
    try:
        target.run_validators(found)
    except ValidationError as error:
        raise Wrong(" ".join(error.messages)) from error
    chosen = not target.choices or found in dict(target.flatchoices)
    if not chosen and not (found == "" and target.blank):
        raise Wrong("This is not a valid choice.", "invalid_choice")
    return found


def _of_kind(target: models.Field[Any, Any], value: Any) -> Any:
    match target:
        case models.JSONField():
            if target.has_default() and type(value) is not type(target.get_default()):
                raise Wrong("This has the wrong kind of value.")
            return plain(value)
        case models.BooleanField() if not isinstance(value, bool):
            raise Wrong("Must be a valid boolean.")
        case models.BooleanField():
            return value
        case models.IntegerField():
            return _integer(target, value)
        case models.DecimalField():
            return _decimal(value)
        case models.DateTimeField():
            return _moment(value)
    if not isinstance(value, str):
        raise Wrong("Not a valid string.")
    _require_text(value)
    return value


def _integer(target: models.IntegerField[Any, Any], value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong("A valid integer is required.")
    # SQLite would take any; PostgreSQL has these bounds.
    kind = target.get_internal_type()
    bits = 15 if "Small" in kind else 63 if "Big" in kind else 31
    lowest = 0 if kind.startswith("Positive") else -(2**bits)
    if not lowest <= value < 2**bits:
        raise Wrong(f"The number must be between {lowest} and {2**bits - 1}.")
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Wrong("A valid number is required.")
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise Wrong("A valid number is required.") from error
    if not found.is_finite():
        raise Wrong("A valid number is required.")
    return found


def _moment(value: Any) -> dt.datetime:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Wrong("This must be an ISO 8601 time with its zone.")
    if not EARLIEST <= found <= LATEST:
        raise Wrong("This time is not between the years 1970 and 2200.")
    return found.astimezone(dt.UTC)


def _require_text(value: str) -> None:
    if len(value) > TEXT_LENGTH:
        raise Wrong(f"At most {TEXT_LENGTH} characters are taken.", "max_length")
    if "\x00" in value:
        raise Wrong("Null characters are not allowed.", "characters")


def content_of(value: Any) -> bytes | None:
    """This will read what is in a file, in base 64; None where the document does not say."""
    try:
        return None if value is None else base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as error:
        raise Wrong("This must be base 64.") from error


def plain(value: Any, depth: int = 0) -> Any:
    """This will give JSON as it is, unless it is too deep or a text in it cannot be stored."""
    if depth > JSON_DEPTH:
        raise Wrong("This is nested too deeply.")
    match value:
        case str():
            _require_text(value)
        case dict():
            for key, inner in value.items():
                _require_text(key)
                plain(inner, depth + 1)
        case list():
            for inner in value:
                plain(inner, depth + 1)
    return value


# --- what the JSON in a column looks like -------------------------------------------------------


def _labels(value: Any, _row: Row) -> None:
    good = isinstance(value, list) and all(
        isinstance(label, str) and 0 < len(label) <= LABEL_LENGTH for label in value
    )
    if not good or len(value) > MAX_LABELS:
        raise Wrong(f"This must be a list of at most {MAX_LABELS} short texts.")


def steps(value: Any) -> list[Any]:
    """This will read the columns that a card visits."""
    good = isinstance(value, list) and all(
        isinstance(step, dict)
        and isinstance(step.get("columnId"), str)
        and isinstance(step.get("prompt", ""), (str, type(None)))
        and isinstance(step.get("enabled", True), bool)
        for step in value
    )
    if not good:
        raise Wrong("This must be a list of columns, each with its prompt.")
    return list(plain(value))


def _todos(value: Any, _row: Row) -> None:
    good = isinstance(value, list) and all(
        isinstance(one, dict) and {"id", "text"} <= one.keys() for one in value
    )
    if not good:
        raise Wrong("This must be a list of steps, each with id and text.")


def _object(value: Any, _row: Row) -> None:
    if not isinstance(value, dict):
        raise Wrong("This must be an object.")


def _message(value: Any, row: Row) -> None:
    _object(value, row)
    tool = value.get("tool")
    if row.get("type") == "tool" and not (
        isinstance(tool, dict)
        and isinstance(tool.get("name"), str)
        and isinstance(tool.get("status"), str)
    ):
        raise Wrong("A tool's message needs the tool's name and status.")
    if not isinstance(value.get("text", ""), str):
        raise Wrong("A message's text must be a text.")


def _key(value: Any, row: Row) -> None:
    found = KEY.fullmatch(value)
    if found is None or found[1] != str(row.get("number")):
        raise Wrong("This must be the prefix and the number of the card, such as ABC-12.")


def branch(value: Any, _row: Row | None = None) -> None:
    """This will refuse what is no name of a branch: names go to git, which has options."""
    if value and not names.is_valid(value):
        raise Wrong("This is not the name of a branch.")


def _commit(value: Any, _row: Row) -> None:
    if value and not COMMIT.fullmatch(value):
        raise Wrong("This is not the id of a commit.")


def _file_name(value: Any, _row: Row) -> None:
    if (
        any(one in value for one in "/\\")
        or value in {".", ".."}
        or text_problem(value, multiline=False)
    ):
        raise Wrong("This is not the name of a file.")


SHAPES: dict[tuple[str, str], Callable[[Any, Row], None]] = {
    ("cards", "labels"): _labels,
    ("cards", "key"): _key,
    ("cards", "branch_name"): branch,
    ("sessions", "todos"): _todos,
    ("sessions", "base_branch"): branch,
    ("sessions", "branch"): branch,
    ("sessions", "base_sha"): _commit,
    ("sessions", "merged_sha"): _commit,
    ("messages", "data"): _message,
    ("approvals", "request"): _object,
    ("attachments", "filename"): _file_name,
}
