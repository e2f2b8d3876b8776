"""What workers do for boards."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.boards import files
from apps.boards.models import Attachment

log = structlog.get_logger(__name__)

# A file is stored before its row is written: this long it may have none.
GRACE_SECONDS = 3600.0


@shared_task(queue="fast", ignore_result=True)
def remove_lost_files(**_: object) -> int:
    """Remove the files whose rows are gone, as after a crash between the two; count them."""
    found = set(files.lost(older_than_seconds=GRACE_SECONDS))
    known = set(Attachment.objects.values_list("path", flat=True)) if found else set()
    removed = files.remove_unknown(found, known)
    if removed:
        log.info("lost_files_removed", count=removed)
    return removed
