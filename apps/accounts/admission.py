"""What higher apps tell accounts: who is invited, what groups mean, what a person leaves behind.

Projects know invitations and owners; accounts must ask them without knowing them. A higher app
adds its functions in its AppConfig's `ready`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.core.actors import Actor

IsInvited = Callable[[str], bool]
# Of these organizations, by public id, the ones that exist.
KnownOrganizations = Callable[[Iterable[str]], set[str]]


class Welcome(Protocol):
    """Turns what waits for an e-mail address into memberships of the new account."""

    def __call__(self, *, actor: Actor, user: User) -> None:
        """Runs in the transaction that makes the account."""
        ...


class HandOver(Protocol):
    """Gives what a person owns to an heir, before the person's account is deleted."""

    def __call__(self, *, actor: Actor, user: User, heir: User) -> None:
        """Runs in the transaction that deletes the account."""
        ...


class Enroll(Protocol):
    """Makes a person a member of the organizations their groups name, and of no other `ruled`."""

    def __call__(
        self, *, actor: Actor, user: User, belongs: Iterable[str], ruled: Iterable[str]
    ) -> None:
        """Runs in the transaction of a sign-in; organizations are given by public id."""
        ...


_invitations: list[IsInvited] = []
_welcomes: list[Welcome] = []
_counts: list[Callable[[User], int]] = []
_hand_overs: list[HandOver] = []
_known_organizations: list[KnownOrganizations] = []
_enrollments: list[Enroll] = []


def on_arrival(*, is_invited: IsInvited, welcome: Welcome) -> None:
    """This will ask `is_invited(email)` before, and call `welcome` after, an account is made."""
    _invitations.append(is_invited)
    _welcomes.append(welcome)


def on_departure(*, count: Callable[[User], int], hand_over: HandOver) -> None:
    """This will count what a person owns, and hand it over before the person is deleted."""
    _counts.append(count)
    _hand_overs.append(hand_over)


def on_groups(*, known: KnownOrganizations, enroll: Enroll) -> None:
    """This will ask `known` when groups are mapped, and call `enroll` when somebody has groups."""
    _known_organizations.append(known)
    _enrollments.append(enroll)


def known_organizations(wanted: Iterable[str]) -> set[str]:
    """This will give those of the organizations, by public id, that exist."""
    asked = set(wanted)
    return {found for ask in _known_organizations for found in ask(asked)}


def enroll(*, actor: Actor, user: User, belongs: Iterable[str], ruled: Iterable[str]) -> None:
    """This will let a person's memberships of the `ruled` organizations follow their groups."""
    for follow in _enrollments:
        follow(actor=actor, user=user, belongs=belongs, ruled=ruled)


def is_invited(email: str) -> bool:
    """This will say whether anybody invited this address, in lower case."""
    return any(ask(email) for ask in _invitations)


def welcome(*, actor: Actor, user: User) -> None:
    """This will give a new account what waited for it."""
    for greet in _welcomes:
        greet(actor=actor, user=user)


def owned_by(user: User) -> int:
    """This will count what would have to be handed over."""
    return sum(count(user) for count in _counts)


def hand_over(*, actor: Actor, user: User, heir: User) -> None:
    """This will give all that a person owns to the heir."""
    for give in _hand_overs:
        give(actor=actor, user=user, heir=heir)
