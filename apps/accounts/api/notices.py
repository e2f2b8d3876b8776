"""REST: what one was told, and that one has read it."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import inputs, operations, outputs, queries
from apps.core import paging, results
from apps.core.rest import Endpoint
from apps.core.schema import document

USUAL_LIMIT = 50


class Notices(Endpoint):
    @document(
        summary="List one's own notifications",
        description="The newest first, fifty at a time unless `limit` says otherwise.",
        query=inputs.ListNotifications,
        response=list[outputs.Notification],
        meta=outputs.NotificationsMeta,
    )
    def get(self, request: Request) -> Response:
        asked = self.read_query(inputs.ListNotifications)
        person = self.actor.person
        found = queries.notifications_of(person, unread=asked.pop("unread"))
        rows, more = paging.cut(
            found, order=("-created_at", "-pk"), usual_limit=USUAL_LIMIT, **asked
        )
        meta = {**more, "unreadCount": queries.unread_count(person)}
        return results.ok([outputs.notification(row) for row in rows], meta=meta)


class NoticeRead(Endpoint):
    @document(summary="Count a notification as read", response=outputs.Notification)
    def post(self, request: Request, notification_id: UUID) -> Response:
        row = queries.get_notification(self.actor.person, notification_id)
        return results.ok(
            outputs.notification(operations.mark_read(actor=self.actor, notification=row))
        )


class NoticesRead(Endpoint):
    @document(summary="Count all of one's notifications as read", status=204)
    def post(self, request: Request) -> Response:
        operations.mark_all_notifications_read(actor=self.actor)
        return results.no_content()
