"""Backups of the whole server, for those who run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.accounts import rules
from apps.dashboard.backups import making

if TYPE_CHECKING:
    from apps.core.actors import Actor
    from apps.dashboard.backups.shelf import Backup


def make_backup(*, actor: Actor) -> Backup:
    """This will make a backup while everything goes on; it reads the database in its own snapshot.

    Conflict while another one is being made, Unavailable where the disk is full.
    """
    rules.require_super_admin(actor)
    return making.make()
