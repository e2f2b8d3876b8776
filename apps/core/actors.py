"""Who does something: a person through an interface, or a named part of the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from apps.accounts.models import User

Origin = Literal["rest", "socket", "page", "task", "command", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts: `user` is None only for system actors, which have a `name`."""

    user: User | None
    origin: Origin
    name: str = ""
    request_id: str = ""

    @classmethod
    def system(cls, name: str) -> Self:
        """This will be an actor for a named part of the system (`runner`, `reaper`, `pipeline`)."""
        return cls(user=None, origin="system", name=name)

    @property
    def is_system(self) -> bool:
        """True where the product itself acts; rules let it pass."""
        return self.user is None and self.origin == "system"

    @property
    def person(self) -> User:
        """The acting person; a RuntimeError where a system actor stands in for one by mistake."""
        if self.user is None:
            message = f"system actor {self.name!r} has no person"
            raise RuntimeError(message)
        return self.user

    def as_dict(self) -> dict[str, str | None]:
        """This will describe the actor for the journal: `{"userId", "name", "origin"}`."""
        if self.user is None:
            return {"userId": None, "name": self.name, "origin": self.origin}
        return {
            "userId": self.user.public_id,
            "name": self.user.display_name,
            "origin": self.origin,
        }
