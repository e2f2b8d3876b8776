"""Who is at the other end of a connection, what it asks for, and whether it may stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts import authentication
from apps.accounts.models import ApiToken, Role, User
from apps.boards import queries as board_queries
from apps.boards.models import Board
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.live.sinks import ACCESS_ENDED, SIGN_IN_AGAIN, Ending
from apps.orgs.models import Membership
from apps.projects import queries as project_queries
from apps.projects.models import Project, ProjectMember

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from apps.accounts.credentials import Credentials
    from apps.core.live.asgi import Scope

ADMINS = frozenset({Role.ADMIN, Role.SUPER_ADMIN})


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of a connection to be open, or of one subscription on it.

    A person's credentials, and what is seen by them: a board, a project, or what admins see.
    """

    user_id: UUID
    token_version: int
    expires_at: datetime | None
    token_id: UUID | None
    session_key: str
    board_id: UUID | None = None
    project_id: UUID | None = None
    of_admins: bool = False

    @classmethod
    def of(
        cls,
        credentials: Credentials,
        board: Board | None = None,
        *,
        project: Project | None = None,
        of_admins: bool = False,
    ) -> Claim:
        """This will be the claim of somebody on one of these, or on nothing in particular."""
        return cls(
            user_id=credentials.user.pk,
            token_version=credentials.token_version,
            expires_at=credentials.expires_at,
            token_id=credentials.token_id,
            session_key=credentials.session_key,
            board_id=board.pk if board is not None else None,
            project_id=project.pk if project is not None else None,
            of_admins=of_admins,
        )

    @property
    def is_narrow(self) -> bool:
        """True when good credentials are not enough."""
        return self.board_id is not None or self.project_id is not None or self.of_admins


def enter(scope: Scope) -> Credentials:
    """This will find out who connects; Unauthorized for nobody."""
    return authentication.user_of_scope(scope)


def enter_board(scope: Scope, query: dict[str, str]) -> tuple[Credentials, Board]:
    """This will find out who connects to which board; NotFound for a board that is not seen."""
    credentials = enter(scope)
    return credentials, find_board(Actor(user=credentials.user, origin="socket"), query)


def actor_of(credentials: Credentials) -> Actor:
    """This will be the actor of a connection's commands, with the person's role as it is now.

    Unauthorized when the credentials have ended: the connection does not know it yet.
    """
    claim = Claim.of(credentials)
    user = User.objects.filter(pk=claim.user_id).first()
    if user is None or claim not in _signed_in({claim}):
        raise problems.Unauthorized
    return Actor(user=user, origin="socket")


def find_project(credentials: Credentials, text: object) -> Project:
    """This will find a project by its id as clients write it; NotFound for what is not seen."""
    actor = actor_of(credentials)
    try:
        project_id = ids.decode("proj", text)
    except problems.NotFound:
        message = "Project not found."
        raise problems.NotFound(message) from None
    return project_queries.get_project(actor=actor, project_id=project_id)


def require_admin(credentials: Credentials) -> None:
    """This will raise Forbidden for those who do not run the server."""
    if actor_of(credentials).person.role not in ADMINS:
        message = "Only admins may follow the log."
        raise problems.Forbidden(message)


def find_board(actor: Actor, query: dict[str, str]) -> Board:
    """This will find the board of `boardId` or `projectId`; of a project it is the first one.

    Either name may hold either id: where a project had one board, both were the same.
    """
    text = query.get("boardId") or query.get("projectId") or ""
    try:
        if text.startswith("proj_"):
            first = board_queries.first_board_of(ids.decode("proj", text))
            board_id = first.pk if first is not None else None
        else:
            board_id = ids.decode("board", text)
        if board_id is not None:
            return board_queries.get_board(actor=actor, board_id=board_id)
    except problems.NotFound:
        pass
    message = "Board not found."
    raise problems.NotFound(message)


def inspect(claims: set[Claim]) -> dict[Claim, Ending]:
    """This will give an ending to every claim that does not hold any more, in a few statements."""
    signed_in = _signed_in(claims)
    endings = {
        claim: Ending(SIGN_IN_AGAIN, "Sign in to continue")
        for claim in claims
        if claim not in signed_in
    }
    narrow = {claim for claim in signed_in if claim.is_narrow}
    for claim in narrow - _seen(narrow):
        endings[claim] = Ending(ACCESS_ENDED, "Access ended")
    return endings


def _signed_in(claims: set[Claim]) -> set[Claim]:
    now = timezone.now()
    versions = dict(
        User.objects.filter(pk__in={claim.user_id for claim in claims}, is_active=True).values_list(
            "pk", "token_version"
        )
    )
    token_ids = {claim.token_id for claim in claims if claim.token_id is not None}
    tokens = set(
        ApiToken.objects.usable().filter(pk__in=token_ids).values_list("pk", flat=True)
        if token_ids
        else ()
    )
    keys = {claim.session_key for claim in claims if claim.session_key}
    sessions = set(
        Session.objects.filter(pk__in=keys, expire_date__gt=now).values_list("pk", flat=True)
        if keys
        else ()
    )
    return {
        claim
        for claim in claims
        if versions.get(claim.user_id) == claim.token_version
        and (claim.expires_at is None or claim.expires_at > now)
        and (claim.token_id is None or claim.token_id in tokens)
        and (not claim.session_key or claim.session_key in sessions)
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """What decides who sees a project."""

    project_id: UUID
    owner_id: UUID
    organization_id: UUID | None


def _seen(claims: set[Claim]) -> set[Claim]:
    """The claims whose person `visible_to` would let see what they are on."""
    if not claims:
        return set()
    user_ids = {claim.user_id for claim in claims}
    places = _places(claims)
    found = {place for place in places.values() if place is not None}
    members = set(
        ProjectMember.objects.filter(
            user__in=user_ids, project__in={place.project_id for place in found}
        ).values_list("project_id", "user_id")
    )
    colleagues = set(
        Membership.objects.filter(
            user__in=user_ids, organization__in={place.organization_id for place in found} - {None}
        ).values_list("organization_id", "user_id")
    )
    roles = dict(User.objects.filter(pk__in=user_ids).values_list("pk", "role"))

    def sees(claim: Claim) -> bool:
        role = roles.get(claim.user_id)
        if claim.of_admins:
            return role in ADMINS
        place = places[claim]
        return place is not None and (
            claim.user_id == place.owner_id
            or (place.project_id, claim.user_id) in members
            or (place.organization_id, claim.user_id) in colleagues
            or role == Role.SUPER_ADMIN
        )

    return {claim for claim in claims if sees(claim)}


def _places(claims: set[Claim]) -> dict[Claim, _Place | None]:
    """Where each claim leads; None where there is nothing any more."""
    boards = {claim.board_id for claim in claims if claim.board_id is not None}
    projects = {claim.project_id for claim in claims if claim.project_id is not None}
    found: dict[UUID | None, _Place] = {}
    if boards:
        of_boards = Board.objects.filter(pk__in=boards).values_list(
            "pk", "project_id", "project__owner_id", "project__organization_id"
        )
        found |= {row[0]: _Place(*row[1:]) for row in of_boards}
    if projects:
        of_projects = Project.objects.filter(pk__in=projects).values_list(
            "pk", "owner_id", "organization_id"
        )
        found |= {row[0]: _Place(*row) for row in of_projects}
    return {claim: found.get(claim.board_id or claim.project_id) for claim in claims}
