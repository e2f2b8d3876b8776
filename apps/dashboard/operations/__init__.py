"""The writes of the dashboard app: what concerns a whole project or the whole server."""

from __future__ import annotations

from apps.dashboard.operations.backups import make_backup
from apps.dashboard.operations.imports import import_document

__all__ = ["import_document", "make_backup"]
