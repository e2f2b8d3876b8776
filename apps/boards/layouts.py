"""The columns a board can begin with: what a column of a plan is, and the plans we bring."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from apps.boards.models import AgentMode, ColumnKey, ColumnType


class ColumnPlan(NamedTuple):
    """A column of a board to be."""

    name: str
    column_type: str
    agent_mode: str
    key: str = ""
    prompt: str = ""
    skill_name: str = ""


class Layout(NamedTuple):
    """A template the product brings; it is in no table, and nobody changes it."""

    id: UUID
    name: str
    columns: tuple[ColumnPlan, ...]


BACKLOG = ColumnPlan("Backlog", ColumnType.BACKLOG, AgentMode.NONE, ColumnKey.BACKLOG)
IN_PROGRESS = ColumnPlan("In Progress", ColumnType.ACTIVE, AgentMode.CODE, ColumnKey.IN_PROGRESS)
REVIEW = ColumnPlan("Review", ColumnType.ACTIVE, AgentMode.NONE, ColumnKey.REVIEW)
DONE = ColumnPlan("Done", ColumnType.DONE, AgentMode.NONE, ColumnKey.DONE)
PLAN = ColumnPlan("Plan", ColumnType.ACTIVE, AgentMode.PLAN)

# What a board without a template has.
DEFAULT_COLUMNS = (BACKLOG, IN_PROGRESS, REVIEW, DONE)

BUILT_IN = (
    Layout(
        UUID("00000000-0000-7000-8000-000000000001"),
        "Kanban Default",
        (BACKLOG, IN_PROGRESS, DONE),
    ),
    Layout(
        UUID("00000000-0000-7000-8000-000000000002"),
        "Plan and Review",
        (BACKLOG, PLAN, IN_PROGRESS, REVIEW, DONE),
    ),
)


def find(template_id: UUID) -> Layout | None:
    """This will find a template of ours."""
    return next((layout for layout in BUILT_IN if layout.id == template_id), None)
