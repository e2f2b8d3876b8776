"""The overview: one shape for REST, the socket, the event stream and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

from apps.core.moments import moment
from apps.projects import outputs as project_outputs

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.boards.models import Board
    from apps.dashboard.backups import shelf
    from apps.dashboard.exports.filling import Imported


class TimeRange(TypedDict):
    """The range an overview looks at: `from` inclusive, `to` exclusive, UTC."""

    preset: NotRequired[str]


# `from` is a word of Python, so these two keys cannot be written in a class.
TimeRangeBounds = TypedDict("TimeRangeBounds", {"from": NotRequired[str], "to": NotRequired[str]})


class ChosenRange(TimeRange, TimeRangeBounds):
    """A preset, or two moments."""


class Point(TypedDict):
    """One value of a series, at the end of its bucket."""

    timestamp: str
    value: int
    bucketSizeSeconds: int


class Series(TypedDict):
    """A number over time."""

    label: str
    unit: str
    points: list[Point]
    total: int
    trend: str


class Metrics(TypedDict):
    """Headline numbers and their series."""

    byKey: dict[str, Series]
    activeAttempts: int
    attemptsInRange: int
    successRateInRange: float
    reviewItemsCount: int
    projectsWithActivity: int


class ActiveAttempt(TypedDict):
    """An attempt that is not over; `state` is exact where `status` is one of six words."""

    attemptId: str
    projectId: str
    projectName: str
    boardId: str
    cardId: str
    cardTitle: str
    ticketKey: str
    agentId: str
    status: str
    state: str
    waitingFor: str | None
    startedAt: str | None
    updatedAt: str
    elapsedSeconds: NotRequired[int]
    priority: NotRequired[str]


class RecentAttempt(TypedDict):
    """An attempt that ended in the range."""

    attemptId: str
    projectId: str
    projectName: str
    boardId: str
    cardId: str
    cardTitle: str
    ticketKey: str
    agentId: str
    status: str
    occurredAt: str
    durationSeconds: NotRequired[int]
    errorSummary: NotRequired[str]


class InboxItem(TypedDict):
    """Something a person should look at."""

    id: str
    type: str
    kind: str
    attemptId: str
    projectId: str
    projectName: str
    boardId: str
    cardId: str
    cardTitle: str
    ticketKey: str
    agentId: str
    agentName: str
    status: str
    cardStatus: str
    createdAt: str
    updatedAt: str
    finishedAt: str | None
    lastUpdatedAt: str
    prUrl: str | None
    reason: NotRequired[str]
    errorSummary: NotRequired[str]
    stuckForSeconds: NotRequired[int]


class InboxMeta(TypedDict):
    """How many there are."""

    totalItems: int
    totalReview: int
    totalFailed: int
    totalStuck: int


class InboxItems(TypedDict):
    """What to look at, by kind."""

    review: list[InboxItem]
    failed: list[InboxItem]
    stuck: list[InboxItem]
    meta: InboxMeta


class ColumnCardCounts(TypedDict):
    """Cards by the four well-known columns."""

    backlog: int
    inProgress: int
    review: int
    done: int


class Health(TypedDict):
    """How a project does."""

    activityScore: int
    failureRateInRange: float
    isHighActivity: bool
    isAtRisk: bool
    notes: NotRequired[str]


class ProjectSnapshot(TypedDict):
    """A project at a glance."""

    projectId: str
    id: str
    boardId: str | None
    name: str
    status: str
    repositorySlug: str
    repositoryPath: str
    createdAt: str
    totalCards: int
    openCards: int
    columnCardCounts: ColumnCardCounts
    activeAttempts: int
    activeAttemptsCount: int
    attemptsInRange: int
    failedAttemptsInRange: int
    failureRateInRange: float
    health: Health


class AgentStats(TypedDict):
    """An agent at a glance; a rate is null where nothing says it."""

    agentId: str
    agentName: str
    status: str
    attemptsStarted: int
    attemptsSucceeded: int
    attemptsFailed: int
    successRate: float | None
    attemptsInRange: int
    successRateInRange: float | None
    lastActiveAt: str | None
    lastActivityAt: str | None
    hasActivityInRange: bool
    currentActiveAttempts: int


class OverviewMeta(TypedDict):
    """The version of this shape, and what can be chosen."""

    version: str
    availableTimeRangePresets: list[str]


class DashboardOverview(TypedDict):
    """Mission control."""

    timeRange: ChosenRange
    generatedAt: str
    updatedAt: str
    metrics: Metrics
    activeAttempts: list[ActiveAttempt]
    recentAttemptActivity: list[RecentAttempt]
    inboxItems: InboxItems
    projectSnapshots: list[ProjectSnapshot]
    agentStats: list[AgentStats]
    attemptsInRange: int
    successRateInRange: float
    projectsWithActivityInRange: int
    meta: OverviewMeta


class ImportedProject(TypedDict):
    """A project that came out of a document; `boardId` is its first board."""

    project: project_outputs.Project
    boardId: str
    # Files of which the document had the names only.
    attachmentsLeftOut: int


def imported(found: Imported, board: Board, user: User) -> ImportedProject:
    """This will show what an import made."""
    return {
        "project": project_outputs.project(found.project, user),
        "boardId": board.public_id,
        "attachmentsLeftOut": found.attachments_left_out,
    }


class Backup(TypedDict):
    """A backup of the whole server."""

    filename: str
    size: int
    createdAt: str


class BackupsMeta(TypedDict):
    """Whether a backup is being made just now."""

    busy: bool


def backup(found: shelf.Backup) -> Backup:
    """This will show a backup."""
    return {
        "filename": found.filename,
        "size": found.size,
        "createdAt": moment(found.created_at),
    }
