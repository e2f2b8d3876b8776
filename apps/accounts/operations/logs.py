"""Where the lines of the log are sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import transaction

from apps.accounts import events, queries, rules
from apps.accounts.models import LogExport
from apps.core import problems
from apps.core.logs.receivers import wrong_endpoint
from apps.core.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from apps.core.actors import Actor

KEPT_FROM_OTHERS = "Enter the value again: what is kept is not sent to another address."


@transaction.atomic
def update_log_export(*, actor: Actor, changes: Mapping[str, Any]) -> LogExport:
    """This will say where the log's lines are sent; every process follows within seconds.

    `changes` holds some of enabled, type, endpoint, headers and level. A header whose value is the
    mask keeps its value, if it had one; with another address it has to be named again.
    """
    rules.require_super_admin(actor)
    LogExport.objects.get_or_create(pk=1)
    row = LogExport.objects.select_for_update().get(pk=1)
    moved = changes.get("endpoint", row.endpoint) not in {"", row.endpoint}
    row.enabled = changes.get("enabled", row.enabled)
    row.kind = changes.get("type", row.kind)
    row.endpoint = changes.get("endpoint", row.endpoint)
    row.level = changes.get("level", row.level)
    kept = queries.log_headers(row)
    asked = changes.get("headers", dict.fromkeys(kept, MASK))
    merged = _merged(kept, asked, moved=moved)
    row.headers = json.dumps(merged) if merged else ""
    _require_endpoint(row)
    row.save(update_fields=["enabled", "kind", "endpoint", "level", "headers"])
    events.settings_changed("logExport", actor=actor)
    return row


def _require_endpoint(row: LogExport) -> None:
    wrong = wrong_endpoint(row.kind, row.endpoint) if row.endpoint else ""
    if row.enabled and not row.endpoint:
        wrong = "Enter the receiver's address."
    if wrong:
        raise problems.ValidationFailed.of("endpoint", wrong, "invalid")


def _merged(kept: Mapping[str, str], asked: Mapping[str, str], *, moved: bool) -> dict[str, str]:
    """Whoever changes the address has not seen the values, and shall not have them sent there."""
    known = {name.lower(): value for name, value in kept.items()}
    merged = {}
    for name, value in asked.items():
        is_known = name.lower() in known
        if value == MASK and (moved or not is_known):
            message = KEPT_FROM_OTHERS if is_known else "Enter the value itself, not its mask."
            raise problems.ValidationFailed.of(f"headers.{name}", message, "masked")
        merged[name] = known[name.lower()] if value == MASK else value
    return merged
