"""REST: the log, and where it is sent."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import log_inputs, log_outputs, operations, queries, rules
from apps.core import results
from apps.core.logs import search, trial
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.core.throttling import limit


class Logs(Endpoint):
    @document(
        summary="Search the log of all processes, newest first",
        description=(
            "`level` is the least severe one that is shown. `search` finds lines that hold each of "
            "its words in their message, target or fields. `cursor` goes on where a page ended, "
            "`after` gives what came since a page's `newest`."
        ),
        query=log_inputs.SearchLogs,
        response=list[log_outputs.LogLine],
        meta=log_outputs.LogMeta,
        problems=(503,),
    )
    def get(self, request: Request) -> Response:
        rules.require_server_admin(self.actor)
        found = search.find(**self.read_query(log_inputs.SearchLogs))
        lines = [log_outputs.log_line(entry) for entry in found.entries]
        return results.ok(lines, meta=log_outputs.log_meta(found))


class LogExportSettings(Endpoint):
    @document(
        summary="Show where the log is sent; values of headers are masked",
        response=log_outputs.LogExport,
        problems=(503,),
    )
    def get(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        row = queries.log_export()
        return results.ok(log_outputs.log_export(row, headers=queries.log_headers(row)))

    @document(
        summary="Say where the log is sent besides",
        description=(
            "`http` posts JSON arrays of lines, `otlp` posts OTLP logs in JSON (to `/v1/logs` "
            "where the address has no path), `syslog` speaks RFC 5424 to `udp://`, `tcp://` or "
            "`tls://`. "
            "Every process follows within seconds. What is left out, and values that are the mask, "
            "stay as they are; with another address, values of headers have to be given again."
        ),
        request=log_inputs.UpdateLogExport,
        response=log_outputs.LogExport,
        problems=(503,),
    )
    def put(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        changes = self.read(log_inputs.UpdateLogExport)
        row = operations.update_log_export(actor=self.actor, changes=changes)
        return results.ok(log_outputs.log_export(row, headers=queries.log_headers(row)))


class LogExportTest(Endpoint):
    throttle_classes = [limit("log-export-test", "30/min")]

    @document(
        summary="Send one line to where the log is sent, whether export is on or not",
        description="It answers within 10 seconds, and 200 however the sending went.",
        response=log_outputs.LogExportTest,
        problems=(429, 503),
    )
    def post(self, request: Request) -> Response:
        rules.require_super_admin(self.actor)
        outcome = trial.try_out(queries.find_log_receiver())
        return results.ok(log_outputs.log_export_test(outcome))
