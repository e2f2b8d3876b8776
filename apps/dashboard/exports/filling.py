"""From the rows of a document to the rows of a new project: new ids, new ranks, nothing at work.

An attempt that was under way where the document comes from was interrupted, as far as this server
can know; the same goes for its turns, its questions and the runs of scripts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from apps.agents.models import Approval, Turn
from apps.agents.states import FINAL, Reason, Status, rest_spelling
from apps.core import ids, ranks
from apps.dashboard.exports import tables
from apps.projects.models import ScriptRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.db.models import Model

    from apps.dashboard.exports.checking import Content
    from apps.projects.models import Project

    Row = dict[str, Any]

ROWS_AT_ONCE = 500
PUBLIC_ID = re.compile(rf"(?<![a-z0-9_])[a-z]{{2,6}}_{ids.SUFFIX}")


@dataclass
class People:
    """The accounts that the e-mails of a document stand for here."""

    # Whose work it is believed to be.
    authors: Mapping[str, UUID] = field(default_factory=dict)
    # Who works in the new project.
    members: Mapping[str, UUID] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A project that came out of a document."""

    project: Project
    # Files of which the document had the names only.
    attachments_left_out: int


class Names:
    """The new ids of a document's rows."""

    def __init__(self, content: Content) -> None:
        self.keys: dict[str, UUID] = {}
        for table in tables.TABLES:
            if not table.prefix or table is tables.PIPELINES:
                continue
            old = sorted(row["id"] for row in content.rows[table.key])
            # Both rise with time, so that rows keep the order in which they were made.
            fresh = sorted(ids.uuid7() for _ in old)
            self.keys.update(zip(old, fresh, strict=True))

    def renamed(self, value: Any) -> Any:
        """This will write the new ids wherever a text, or JSON, mentions the old ones."""
        match value:
            case str():
                return PUBLIC_ID.sub(self._new, value) if "_" in value else value
            case dict():
                return {self.renamed(key): self.renamed(inner) for key, inner in value.items()}
            case list():
                return [self.renamed(inner) for inner in value]
        return value

    def _new(self, match: re.Match[str]) -> str:
        old = match[0]
        key = self.keys.get(old)
        return ids.encode(old.partition("_")[0], key) if key else old


def fill(project: Project, content: Content, names: Names, people: People) -> None:
    """This will write all rows of a document but its attachments, a few hundred at a time."""
    rows = content.rows
    _settle(rows)
    shown = {
        row["card"]: rest_spelling(row["status"], "")
        for row in sorted(rows["sessions"], key=_number)
    }
    steps = {row["card"]: row["pipeline"] for row in rows["pipelines"]}
    board_of_card = {row["id"]: names.keys[row["board"]] for row in rows["cards"]}
    for table in tables.TABLES:
        if table in {tables.PIPELINES, tables.ATTACHMENTS}:
            continue
        made = _instances(table, rows[table.key], names, people)
        for instance, row in made:
            if "project" in table.left_out:
                instance.project_id = project.pk
            if table is tables.CARDS:
                instance.pipeline = names.renamed(steps.get(row["id"], []))
                instance.agent_status = shown.get(row["id"], "")
            if table is tables.SESSIONS:
                instance.board_id = board_of_card[row["card"]]
        insert(table.model, [instance for instance, _row in made])


def _number(row: Row) -> int:
    return int(row["number"])


def _settle(rows: dict[str, list[Row]]) -> None:
    """Ends whatever was under way."""
    for row in rows["sessions"]:
        if row["status"] not in FINAL:
            row["status"] = Status.INTERRUPTED
            row["reason"] = Reason.HOST_LOST
            row["ended_at"] = row["ended_at"] or row["updated_at"] or timezone.now()
    for row in rows["turns"]:
        if row["status"] in {Turn.Status.QUEUED, Turn.Status.RUNNING}:
            row["status"] = Turn.Status.CANCELLED
    for row in rows["approvals"]:
        if row["status"] == Approval.Status.PENDING:
            row["status"] = Approval.Status.WITHDRAWN
    for row in rows["scriptRuns"]:
        if row["status"] == ScriptRun.Status.RUNNING:
            row["status"] = ScriptRun.Status.CANCELLED
            row["finished_at"] = row["finished_at"] or timezone.now()


def _instances(
    table: tables.Table, rows: list[Row], names: Names, people: People
) -> list[tuple[Any, Row]]:
    placed = _ranks(table, rows) if table.placed_in else {}
    now = timezone.now()
    made = []
    for number, row in enumerate(rows):
        values: Row = {}
        for column in table.columns:
            value = row[column]
            target = table.field(column)
            if table.is_person(column):
                known = people.members if table is tables.ASSIGNEES else people.authors
                values[target.attname] = known.get(value) if value else None
            elif table.refers_to(column):
                values[target.attname] = names.keys[value] if value else None
            elif getattr(target, "auto_now", False) or getattr(target, "auto_now_add", False):
                values[column] = value or now
            else:
                values[column] = names.renamed(value)
        if table is tables.ASSIGNEES and values["user_id"] is None:
            continue
        if table.prefix:
            values["id"] = names.keys[row["id"]]
        if table.placed_in:
            values["rank"] = placed[number]
        made.append((table.model(**values), row))
    return made


def _ranks(table: tables.Table, rows: list[Row]) -> dict[int, str]:
    """A rank for each row, in the order of the positions within what holds them."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[row.get(table.placed_in)].append(number)
    found: dict[int, str] = {}
    for numbers in groups.values():
        numbers.sort(key=lambda number: rows[number]["position"])
        found.update(zip(numbers, ranks.sequence(len(numbers)), strict=True))
    return found


def insert(model: type[Model], rows: list[Any]) -> None:
    """This will insert rows as they are: their times are those of the document, not of now."""
    fields = [one for one in model._meta.concrete_fields if not one.primary_key or _has_key(model)]  # noqa: SLF001 - Django's documented API
    most = connection.ops.bulk_batch_size(fields, rows) if rows else 1
    size = max(1, min(most, ROWS_AT_ONCE))
    manager: Any = model._base_manager  # noqa: SLF001 - as every model has it
    for start in range(0, len(rows), size):
        # What loaddata does row by row: `raw` leaves auto_now and auto_now_add alone.
        manager.all()._insert(  # noqa: SLF001 - bulk_create has no way to keep times
            rows[start : start + size], fields=fields, using=connection.alias, raw=True
        )


def _has_key(model: type[Model]) -> bool:
    return hasattr(model, "id_prefix")
