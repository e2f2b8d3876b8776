"""The shapes of what boards show, with the names of the wire."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from apps.core.paging import Paged


class Board(TypedDict):
    """A board of a project."""

    id: str
    name: str
    projectId: str
    position: int


class Column(TypedDict):
    """A column as REST shows it."""

    id: str
    name: str
    columnType: str
    position: int
    boardId: str
    key: str | None
    prompt: str
    agentMode: str
    skillName: str | None
    wipLimit: int | None


class Person(TypedDict):
    """Somebody on a card."""

    id: str
    displayName: str


class Stats(TypedDict):
    """Lines an agent's branch adds and removes."""

    insertions: int
    deletions: int


class Card(TypedDict):
    """A card in lists, snapshots and events."""

    id: str
    ticketKey: str
    title: str
    description: NotRequired[str]
    projectId: str
    boardId: str
    columnId: str
    position: int
    ticketType: str | None
    priority: str
    labels: list[str]
    assignees: list[Person]
    isEnhanced: bool
    disableAutoCloseOnPRMerge: bool
    isAutoMode: bool
    isDeferred: bool
    awaitingApproval: bool
    credentialId: str | None
    dependsOn: list[str]
    blocked: bool
    hasActiveAgent: bool
    agentStatus: str | None
    liveLine: str | None
    branchName: str | None
    stats: Stats
    createdAt: str
    updatedAt: str


class Attachment(TypedDict):
    """A file of a card; `size` in bytes."""

    id: str
    filename: str
    contentType: str
    size: int
    createdAt: str


class CardDetail(Card):
    """One card alone."""

    hasUnread: bool
    useWorktree: bool
    skipApproval: bool
    skipPlanColumns: bool
    columnName: str
    prompt: str
    completedAt: str | None
    summary: str | None
    pipeline: list[dict[str, Any]]
    attachments: list[Attachment]


class CardStatus(TypedDict):
    """Where a card stands, for scripts."""

    id: str
    title: str
    columnName: str
    hasActiveAgent: bool


class NewCard(TypedDict):
    """A card just made, for scripts."""

    id: str
    title: str
    projectId: str
    columnId: str
    position: int


class PipelineStep(TypedDict):
    """A column a card visits."""

    columnId: str
    columnName: str
    prompt: str
    enabled: bool


class Pipeline(TypedDict):
    """The columns a card visits, in order."""

    steps: list[PipelineStep]


class ProjectInFrame(TypedDict):
    """A project as the frame of every page lists it."""

    id: str
    name: str
    color: str
    boardId: str | None


class StateColumn(TypedDict):
    """A column in a board snapshot."""

    id: str
    key: NotRequired[str]
    title: str
    cardIds: list[str]
    columnType: str
    agentMode: str
    wipLimit: int | None


class ColumnsChanged(TypedDict):
    """The columns of a board and their order, without cards."""

    columns: dict[str, Column]
    columnOrder: list[str]


class TemplateColumn(TypedDict):
    """A column of a template."""

    name: str
    columnType: str
    prompt: str
    agentMode: str
    skillName: str


class BoardTemplate(TypedDict):
    """The columns a board can begin with; nobody changes those the product brings."""

    id: str
    name: str
    columns: list[TemplateColumn]
    isBuiltIn: bool
    createdBy: str | None


class BoardState(TypedDict):
    """A whole board, consistent with `version` of its topic."""

    columns: dict[str, StateColumn]
    columnOrder: list[str]
    cards: dict[str, Card]
    attempts: dict[str, Any]
    version: int


class Version(TypedDict):
    """The version of the topic an answer is consistent with; a stream goes on from here."""

    version: int


class Versions(Version):
    """`version` is the board's if one was asked for, else the project's; each board's beside it."""

    versions: dict[str, int]


class PagedVersions(Versions, Paged):
    """The same for a part of a list."""


class CardEvent(TypedDict):
    """What the journal says of a card that was created, changed or moved."""

    projectId: str
    boardId: str
    card: Card
    columnId: str
    index: int
    fromColumnId: NotRequired[str]
    fromBoardId: NotRequired[str]
    changes: NotRequired[list[str]]


class CardDeleted(TypedDict):
    """What the journal says of a card that is gone."""

    projectId: str
    boardId: str
    id: str
    columnId: str
