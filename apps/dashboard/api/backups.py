"""REST: backups of the whole server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.accounts import rules
from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.dashboard import operations, outputs
from apps.dashboard.backups import sending, shelf

if TYPE_CHECKING:
    from django.http import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response


class Backups(Endpoint):
    """The backups there are."""

    @document(
        summary="List the backups",
        description="The newest first; `busy` while another one is being made.",
        response=list[outputs.Backup],
        meta=outputs.BackupsMeta,
    )
    def get(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        rows = [outputs.backup(one) for one in shelf.backups()]
        return results.ok(rows, meta={"busy": shelf.is_busy()})

    @document(
        summary="Make a backup",
        description="The database, the files of cards and a list of them with their sums; never "
        "the keys, never the repositories. The answer comes when it is done, which takes as long "
        "as the data are large; it is finished also where nobody waits for the answer. One at a "
        "time. The last `KANBANAI_BACKUPS_KEPT` are kept.",
        response=outputs.Backup,
        status=201,
        problems=(503,),
    )
    def post(self, request: Request) -> Response:
        return results.created(outputs.backup(operations.make_backup(actor=self.actor)))


class OneBackup(Endpoint):
    """One backup."""

    @document(
        summary="Download a backup",
        description="One part of it where `Range` asks for one: a download can be taken up again.",
        media_type="application/octet-stream",
    )
    def get(self, request: Request, filename: str) -> HttpResponseBase:
        rules.require_super_admin(self.actor)
        return sending.send(shelf.get_backup(filename), request.headers.get("Range", ""))
