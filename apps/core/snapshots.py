"""Snapshot parts: a higher app adds its share to a lower one's snapshot without being imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# snapshot name -> part name -> function of the snapshot's object
_parts: dict[str, dict[str, Callable[[Any], Any]]] = {}


def part(snapshot: str, name: str, build: Callable[[Any], Any]) -> None:
    """This will add a part: `build(object)` becomes the snapshot's key `name`."""
    _parts.setdefault(snapshot, {})[name] = build


def parts_of(snapshot: str, thing: Any) -> dict[str, Any]:
    """This will build all parts others added to a snapshot."""
    return {name: build(thing) for name, build in _parts.get(snapshot, {}).items()}


def wiring() -> dict[str, list[str]]:
    """This will list the parts by snapshot, for `manage.py wiring`."""
    return {name: sorted(parts) for name, parts in sorted(_parts.items())}
