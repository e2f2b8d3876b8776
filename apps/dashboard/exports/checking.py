"""Reads a project's document back and believes nothing of it: every field is looked at.

What comes out has the database's names and values; ids and e-mails are still the document's.
Nothing here writes, and nothing here knows what is in the database.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import UniqueConstraint
from rest_framework import exceptions

from apps.core import ids, problems
from apps.core.rest import field_errors
from apps.dashboard.exports import graphs, tables
from apps.dashboard.exports.values import SHAPES, Wrong, branch, content_of, email_of, scalar, steps
from apps.projects import inputs as project_inputs
from apps.projects.models import ProjectRole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import Field

    from apps.core.problems import FieldError

MOST_ERRORS = 50
MOST_ROWS = 1_000_000
MOST_PEOPLE = 500
MOST_PROJECTS = 200

Row = dict[str, Any]


@dataclass
class Content:
    """A document that was found good."""

    project: Row
    settings: Row
    # E-mail and role; the owner is not among them.
    members: list[tuple[str, str]]
    invitations: list[tuple[str, str]]
    rows: dict[str, list[Row]] = field(default_factory=dict)


def contents(document: Any) -> list[Content]:
    """This will read a project's or an organization's document: one content for each project.

    ValidationFailed names the fields that are wrong, at most MOST_ERRORS of them.
    """
    if not isinstance(document, dict):
        raise problems.ValidationFailed("The document must be a JSON object.")
    version = document.get("version")
    if isinstance(version, bool) or version != tables.VERSION:
        detail = f"This server reads documents of version {tables.VERSION}."
        raise problems.ValidationFailed.of("version", detail, "unknown_version")
    match document.get("kind"):
        case tables.PROJECT:
            return [_Reader(document, "").read()]
        case tables.ORGANIZATION:
            inner = document.get("projects")
            if not isinstance(inner, list) or len(inner) > MOST_PROJECTS:
                detail = f"This must be a list of at most {MOST_PROJECTS} projects."
                raise problems.ValidationFailed.of("projects", detail)
            return [_Reader(one, f"projects.{number}.").read() for number, one in enumerate(inner)]
    detail = "This is neither the document of a project nor of an organization."
    raise problems.ValidationFailed.of("kind", detail)


class _Reader:
    """Reads one project's document, gathering everything that is wrong with it."""

    def __init__(self, document: Any, path: str) -> None:
        if not isinstance(document, dict):
            detail = "This must be an object."
            raise problems.ValidationFailed.of(path.rstrip(".") or "document", detail)
        self.document = document
        self.path = path
        self.errors: list[FieldError] = []
        # The ids of each list: a row may point to one that comes later in its own.
        self.known: dict[str, set[str]] = {}

    def wrong(self, path: str, detail: str, code: str = "invalid") -> None:
        """This will note what is wrong, and give up where it is too much."""
        found: FieldError = {"field": f"{self.path}{path}", "code": code, "detail": detail}
        self.errors.append(found)
        if len(self.errors) >= MOST_ERRORS:
            self.stop()

    def stop(self) -> None:
        """This will refuse the document if anything is wrong with it."""
        if self.errors:
            message = "The document has fields that are not valid."
            raise problems.ValidationFailed(message, errors=self.errors)

    def read(self) -> Content:
        """This will read all of it, or raise what is wrong."""
        content = Content(
            project=self.project(),
            settings=self.settings(),
            members=list(self.people("members")),
            invitations=list(self.people("invitations")),
        )
        raw = {table.key: self.list_of(table.key) for table in tables.TABLES}
        if sum(map(len, raw.values())) > MOST_ROWS:
            self.wrong("", f"A document may have at most {MOST_ROWS} rows.")
            self.stop()
        for table in tables.TABLES:
            self.known[table.key] = set(_texts(raw[table.key]))
        for table in tables.TABLES:
            content.rows[table.key] = list(self.rows(table, raw[table.key]))
        self.stop()
        for path, detail in graphs.faults(content.rows):
            self.wrong(path, detail)
        self.stop()
        return content

    def list_of(self, key: str) -> list[Any]:
        """This will give one of the document's lists; a missing one is empty."""
        found = self.document.get(key, [])
        if isinstance(found, list):
            return found
        self.wrong(key, "This must be a list.")
        return []

    def object_of(self, key: str) -> dict[str, Any]:
        """This will give one of the document's objects."""
        found = self.document.get(key)
        if isinstance(found, dict):
            return found
        self.wrong(key, "This must be an object.", "required" if found is None else "invalid")
        return {}

    def checked(self, key: str, reader: Any) -> Row:
        """This will read an object with one of the inputs that REST uses."""
        try:
            reader.is_valid(raise_exception=True)
        except exceptions.ValidationError as error:
            for found in field_errors(error.detail, key):
                self.wrong(found["field"], found["detail"], found["code"])
            return {}
        return dict(reader.validated_data)

    def project(self) -> Row:
        """This will read the project itself."""
        raw = self.object_of("project")
        facts = {
            name: raw[name]
            for name in ("name", "description", "color")
            if raw.get(name) is not None and raw[name] != ""
        }
        found = self.checked("project", project_inputs.UpdateProject(data=facts))
        if raw and "name" not in facts:
            self.wrong("project.name", "This field is required.", "required")
        number = raw.get("nextTicketNumber", 1)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**31:
            self.wrong("project.nextTicketNumber", "A whole number above zero is required.")
            number = 1
        owner = raw.get("owner")
        return {
            **found,
            "next_ticket_number": number,
            "owner": self.tried("project.owner", email_of, owner) if owner is not None else None,
        }

    def settings(self) -> Row:
        """This will read the project's settings."""
        raw = self.object_of("settings")
        found = self.checked("settings", project_inputs.UpdateSettings(data=raw))
        self.tried("settings.baseBranch", branch, found.get("base_branch", ""))
        return found

    def people(self, key: str) -> Iterator[tuple[str, str]]:
        """This will read members or invitations, each e-mail once."""
        raw = self.list_of(key)
        if len(raw) > MOST_PEOPLE:
            self.wrong(key, f"At most {MOST_PEOPLE} people are taken.")
            return
        seen = set()
        for number, one in enumerate(raw):
            path = f"{key}.{number}"
            if not isinstance(one, dict):
                self.wrong(path, "This must be an object.")
                continue
            email = self.tried(f"{path}.email", email_of, one.get("email"))
            role = one.get("role", "member")
            if role not in list(ProjectRole.values):
                self.wrong(f"{path}.role", "This is not a role.", "invalid_choice")
            elif email and email not in seen:
                seen.add(email)
                yield email, str(role)

    def rows(self, table: tables.Table, raw: list[Any]) -> Iterator[Row]:
        """This will read the rows of a list, and what holds between them."""
        if table is tables.PIPELINES:
            yield from self.pipelines(raw)
            return
        taken: set[str] = set()
        unique = _unique(table)
        seen: dict[tuple[str, ...], set[tuple[Any, ...]]] = defaultdict(set)
        for number, one in enumerate(raw):
            path = f"{table.key}.{number}"
            if not isinstance(one, dict):
                self.wrong(path, "This must be an object.")
                continue
            row = self.row(table, one, path)
            if table.prefix:
                row["id"] = self.identity(table, one.get("id"), f"{path}.id", taken)
            if table is tables.ATTACHMENTS:
                row["content"] = self.tried(f"{path}.content", content_of, one.get("content"))
            for names in unique:
                key = tuple(str(row.get(name)) for name in names)
                if key in seen[names]:
                    shown = ", ".join(names)
                    self.wrong(path, f"Another row has the same {shown}.", "repeated")
                seen[names].add(key)
            yield row

    def tried(self, path: str, read: Callable[[Any], Any], value: Any) -> Any:
        """This will read a value with a function, and note where it is wrong (None)."""
        try:
            return read(value)
        except Wrong as wrong:
            self.wrong(path, wrong.detail, wrong.code)
            return None

    def identity(self, table: tables.Table, value: Any, path: str, taken: set[str]) -> str:
        """This will read a row's own id, which no other row may have."""
        try:
            text = ids.encode(table.prefix, ids.decode(table.prefix, value))
        except problems.NotFound:
            self.wrong(path, "Not a valid id.")
            return ""
        if text in taken:
            self.wrong(path, "Another row has this id.", "repeated")
        taken.add(text)
        return text

    def row(self, table: tables.Table, one: dict[str, Any], path: str) -> Row:
        """This will read the columns of one row."""
        row: Row = {}
        for column in table.columns:
            name = table.name(column)
            try:
                row[column] = self.value(table, column, one, name)
            except Wrong as wrong:
                self.wrong(f"{path}.{name}", wrong.detail, wrong.code)
        if table.placed_in:
            position = one.get("position")
            if isinstance(position, bool) or not isinstance(position, int):
                self.wrong(f"{path}.position", "A whole number is required.")
                position = 0
            row["position"] = position
        return row

    def value(self, table: tables.Table, column: str, one: dict[str, Any], name: str) -> Any:
        """This will read one value, or raise what is wrong with it."""
        target = table.field(column)
        if name not in one:
            return _missing(target)
        value = one[name]
        if value is None:
            if target.null or column in table.lenient:
                return None
            raise Wrong("This field may not be null.", "null")
        if table.is_person(column):
            return email_of(value)
        if table.refers_to(column):
            return self.reference(table, column, value)
        found = scalar(target, value)
        if not found and column in table.filled:
            raise Wrong("This field may not be blank.", "blank")
        check = SHAPES.get((table.key, column))
        if check is not None:
            check(found, one)
        return found

    def reference(self, table: tables.Table, column: str, value: Any) -> str | None:
        """This will read the id of another row of the document."""
        other = tables.BY_MODEL[table.refers_to(column)]  # type: ignore[index]
        try:
            text = ids.encode(other.prefix, ids.decode(other.prefix, value))
        except problems.NotFound as error:
            raise Wrong("Not a valid id.") from error
        if text not in self.known[other.key]:
            if column in table.lenient:
                return None
            raise Wrong(f"No row of {other.key} has this id.", "not_found")
        return text

    def pipelines(self, raw: list[Any]) -> Iterator[Row]:
        """This will read the columns that cards visit, each with its prompt."""
        cards = self.known.get(tables.CARDS.key, set())
        for number, one in enumerate(raw):
            path = f"pipelines.{number}"
            card = one.get("cardId") if isinstance(one, dict) else None
            if not isinstance(card, str) or card not in cards:
                self.wrong(f"{path}.cardId", "No row of cards has this id.", "not_found")
                continue
            found = self.tried(f"{path}.steps", steps, one.get("steps"))
            if found is not None:
                yield {"card": card, "pipeline": found}


def _missing(target: Field[Any, Any]) -> Any:
    """What a column holds of which the document says nothing."""
    if target.has_default():
        return target.get_default()
    by_itself = getattr(target, "auto_now", False) or getattr(target, "auto_now_add", False)
    if target.null or by_itself:
        return None
    raise Wrong("This field is required.", "required")


def _texts(rows: list[Any]) -> Iterator[str]:
    """The ids that rows say they have."""
    for row in rows:
        found = row.get("id") if isinstance(row, dict) else None
        if isinstance(found, str):
            yield found


def _unique(table: tables.Table) -> list[tuple[str, ...]]:
    """The sets of columns that tell rows apart, of those that are in the document."""
    found = list(table.unique)
    for constraint in table.model._meta.constraints:  # noqa: SLF001 - Django's documented API
        if isinstance(constraint, UniqueConstraint) and constraint.condition is None:
            names = tuple(name for name in constraint.fields if name != "project")
            if set(names) <= set(table.columns):
                found.append(names)
    return found
