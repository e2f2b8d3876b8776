"""What workers do for accounts: mails go out, old notices go."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.accounts import operations
from apps.core.actors import Actor

log = structlog.get_logger(__name__)

POST = Actor.system("post")


@shared_task(queue="fast", ignore_result=True)
def send_mails(**_: object) -> None:
    """Send the mails that are due."""
    sent = operations.send_mails(actor=POST)
    if sent:
        log.info("mails_sent", count=sent)


@shared_task(queue="fast", ignore_result=True)
def forget_old_notices(**_: object) -> None:
    """Delete notifications and mails that nobody looks at any more."""
    gone = operations.forget_old_notices(actor=POST)
    if gone:
        log.info("notices_forgotten", count=gone)
