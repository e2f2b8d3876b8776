"""What workers do for the dashboard: people are told of things."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from apps.accounts import tasks as account_tasks
from apps.core.models import Event
from apps.dashboard import notices


@shared_task(queue="fast", ignore_result=True)
def tell(*, event_id: int, **_: object) -> None:
    """Tell people of an event, and send the mails that come of it."""
    event = Event.objects.filter(pk=event_id).first()
    if event is not None:
        notices.tell(event)
        if settings.KANBANAI_SENDS_MAIL:
            account_tasks.send_mails.delay()
