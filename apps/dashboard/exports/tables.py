"""What a project's document holds, table by table. Writing and reading both follow this list.

All columns of a model travel but those named here, those that are encrypted, and those that point
to what is no part of a project (a credential). A column stands in the document in camelCase; one
that points to another table here is that row's id, one that points to a person is an e-mail. A row
that has a place among its like has a `position` in the document and a rank in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import UUIDField

from apps.accounts.models import User
from apps.agents import models as agents
from apps.boards import models as boards
from apps.core.camel import camelize
from apps.core.secrets import EncryptedText
from apps.projects import models as projects

if TYPE_CHECKING:
    from django.db.models import Field, Model

VERSION = 1
PROJECT = "kanbanai.project"
ORGANIZATION = "kanbanai.organization"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One list of the document."""

    key: str
    model: type[Model]
    # From the model to its project, as the ORM spells it.
    project: str
    # Columns of the model that stay behind, each for the reason that stands beside it.
    left_out: tuple[str, ...] = ()
    # The column whose rows are counted to give `position`; `project` where it is the whole project.
    placed_in: str = ""
    order: tuple[str, ...] = ("pk",)
    # Columns that may name what is not in the document; a new home knows nothing of those.
    lenient: tuple[str, ...] = ()
    # Columns whose empty text makes no sense.
    filled: tuple[str, ...] = ()
    # The columns that tell two rows apart, beside the constraints of the database.
    unique: tuple[tuple[str, ...], ...] = ()

    @property
    def prefix(self) -> str:
        """The prefix of its rows' ids; empty where rows have none that anybody sees."""
        return str(getattr(self.model, "id_prefix", ""))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that are in the document, in the order of the model."""
        return tuple(
            one.name
            for one in self.model._meta.concrete_fields  # noqa: SLF001 - Django's documented API
            if not one.primary_key
            and one.name not in {*self.left_out, "rank"}
            and not isinstance(one, (EncryptedText, UUIDField))
            and (one.related_model in {None, User} or one.related_model in BY_MODEL)
        )

    def field(self, column: str) -> Field[Any, Any]:
        """This will be the model's field of a column."""
        return self.model._meta.get_field(column)  # type: ignore[return-value] # noqa: SLF001 - Django's documented API

    def name(self, column: str) -> str:
        """This will be a column's name in the document: `cardId`, `createdBy`, `ticketType`."""
        if self.refers_to(column) and not self.is_person(column):
            return f"{camelize(column)}Id"
        return camelize(column)

    def refers_to(self, column: str) -> type[Model] | None:
        """This will be the model a column points to."""
        return self.field(column).related_model

    def is_person(self, column: str) -> bool:
        """True where a column points to a person."""
        return self.refers_to(column) is User


BOARDS = Table(
    key="boards",
    model=boards.Board,
    project="project",
    left_out=("project",),
    placed_in="project",
    order=("rank", "pk"),
    filled=("name",),
)
COLUMNS = Table(
    key="columns",
    model=boards.Column,
    project="board__project",
    placed_in="board",
    order=("board__rank", "board_id", "rank", "pk"),
    filled=("name",),
)
CARDS = Table(
    key="cards",
    model=boards.Card,
    project="project",
    # Pipelines are a list of their own; what an agent does just now does not travel.
    left_out=("project", "pipeline", "agent_status", "has_active_agent", "live_line"),
    placed_in="column",
    order=("column_id", "rank", "pk"),
    filled=("key", "title"),
)
# A list beside the cards, of those that have one.
PIPELINES = Table(key="pipelines", model=boards.Card, project="project")
ASSIGNEES = Table(
    key="assignees",
    model=boards.Card.assignees.through,
    project="card__project",
    unique=(("card", "user"),),
)
DEPENDENCIES = Table(
    key="dependencies",
    model=boards.CardDependency,
    project="card__project",
)
ATTACHMENTS = Table(
    key="attachments",
    model=boards.Attachment,
    project="card__project",
    # Where it lies on this server's disk.
    left_out=("path",),
    filled=("filename",),
)
SCRIPTS = Table(
    key="scripts",
    model=projects.Script,
    project="project",
    left_out=("project",),
    placed_in="project",
    order=("rank", "pk"),
    filled=("name",),
)
SCRIPT_RUNS = Table(
    key="scriptRuns",
    model=projects.ScriptRun,
    project="script__project",
    # Of the process and its machine.
    left_out=("cancel_requested", "host", "beat_at"),
)
PROFILES = Table(
    key="agentProfiles",
    model=agents.AgentProfile,
    project="project",
    # The configuration may name keys in its environment: it is set anew where it is imported.
    left_out=("project", "config"),
    filled=("agent", "name"),
)
SESSIONS = Table(
    key="sessions",
    model=agents.Attempt,
    project="project",
    left_out=(
        # Known from the card.
        "project",
        "board",
        # Of a run that goes on here and nowhere else.
        "waiting_for",
        "resume_at",
        "stop_requested_at",
        "epoch",
        "lease_owner",
        "lease_expires_at",
        "dispatched_at",
        "prepared_at",
        "auto_retried",
        "then",
        "then_by",
        "column",
        "relayed_from",
        "relays_by_itself",
        "context_told",
        "summary_asked_at",
        "summarized_at",
        "live_line",
        # Of this server's disk, and of the agent's own memory on it.
        "worktree_path",
        "backup_ref",
        "session_id",
        "session_info",
        # What an agent may do is for the people of each server to say.
        "remembered_permissions",
    ),
    lenient=("profile", "column", "relayed_from"),
)
TURNS = Table(
    key="turns",
    model=agents.Turn,
    project="attempt__project",
)
MESSAGES = Table(
    key="messages",
    model=agents.Item,
    project="attempt__project",
    order=("attempt_id", "position"),
    filled=("source_id", "type"),
)
LOGS = Table(
    key="logs",
    model=agents.AttemptLog,
    project="attempt__project",
    order=("attempt_id", "seq"),
)
APPROVALS = Table(
    key="approvals",
    model=agents.Approval,
    project="attempt__project",
)

# In an order in which every row comes after those it points to.
TABLES = (
    BOARDS,
    COLUMNS,
    CARDS,
    PIPELINES,
    ASSIGNEES,
    DEPENDENCIES,
    ATTACHMENTS,
    SCRIPTS,
    SCRIPT_RUNS,
    PROFILES,
    SESSIONS,
    TURNS,
    MESSAGES,
    LOGS,
    APPROVALS,
)
BY_MODEL = {table.model: table for table in TABLES if table is not PIPELINES}

# Tables of a project that no document has, and why.
NOT_EXPORTED = {
    "projects.ProjectView": "how one person arranged and read things",
    "boards.CardView": "when one person looked",
    "agents.Conversation": "chats beside the work, mostly of one person each",
    "agents.ConversationItem": "chats beside the work, mostly of one person each",
}
# Written by hand in `writing`, since each is one object or follows rules of its own.
BY_HAND = {
    "projects.Project",
    "projects.ProjectSettings",
    "projects.ProjectMember",
    "projects.Invitation",
}
