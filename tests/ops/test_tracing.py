"""A trace leads from a request through its operation and its event to the socket and the worker."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as product

from tests.ops.test_health import wait_until

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Collector:
    """A receiver of OTLP that keeps spans by their name."""

    port: int = 0
    spans: dict[str, list[Any]] = field(default_factory=dict)

    def one(self, name: str) -> Any:
        return self.spans[name][0]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = trace_service.ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.spans.setdefault(span.name, []).append(span)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield found
    server.shutdown()
    server.server_close()


# A process of the product that answers one request, delivers its event to a listener, and runs the
# task that the event's reaction queued. It speaks to no database but its own.
PROCESS = """
import asyncio, json, sys, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from apps.accounts import credentials, models
from apps.core.live.hub import Hub
from apps.core import tracing
from kanbanai import tracing as traced, celery
import structlog

assert tracing.is_on() == json.loads(sys.argv[1])
user = models.User.objects.create(email="root@example.org", display_name="R", role="super_admin")
token = credentials.issue_jwt(user)


class Listener:
    def __init__(self):
        self.heard = asyncio.Event()

    def hear(self, event):
        structlog.get_logger("t").info("heard")
        self.heard.set()

    def lose(self):
        pass


def change():
    answer = Client().put(
        "/api/v1/settings/context-relay",
        json.dumps({"mode": "off"}),
        content_type="application/json",
        headers={
            "authorization": f"Bearer {token}",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
    )
    assert answer.status_code == 200, answer.content


async def main():
    hub, listener = Hub.current(), Listener()
    await hub.join("server", listener)
    await asyncio.to_thread(change)
    await asyncio.wait_for(listener.heard.wait(), 30)
    await hub.stop()

asyncio.run(main())

headers = {}
with tracing.span("queueing"):
    traced.carry(headers=headers)


@celery.app.task(name="t.work")
def work():
    pass

if tracing.is_on():
    assert "traceparent" in headers
    work.apply(headers=headers)
else:
    assert headers == {}
tracing.end()
"""


def run(tmp_path: Path, *, endpoint: str) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
        "KANBANAI_DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "REDIS_URL": product.KANBANAI_REDIS_URL,
        "KANBANAI_REDIS_PREFIX": f"kanbanai.{tmp_path.name}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    subprocess.run(
        [sys.executable, "-c", PROCESS, json.dumps(bool(endpoint))],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=120,
    )


def test_one_trace_goes_from_the_request_to_the_socket(
    tmp_path: Path, collector: Collector
) -> None:
    run(tmp_path, endpoint=f"http://127.0.0.1:{collector.port}")
    names = [
        "PUT /api/v1/settings/context-relay",
        "accounts.update_context_relay",
        "publish server.settings_changed",
        "deliver",
    ]
    wait_until(lambda: set(names) <= set(collector.spans))

    request, operation, published, delivered = (collector.one(name) for name in names)
    assert request.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert {span.trace_id for span in (operation, published, delivered)} == {request.trace_id}
    assert operation.parent_span_id == request.span_id
    assert delivered.parent_span_id == published.span_id
    shown = {item.key: item.value for item in request.attributes}
    assert shown["http.response.status_code"].int_value == 200
    assert shown["http.route"].string_value == "api/v1/settings/context-relay"
    assert "Bearer" not in str(collector.spans)


def test_a_task_belongs_to_the_trace_that_queued_it(tmp_path: Path, collector: Collector) -> None:
    run(tmp_path, endpoint=f"http://127.0.0.1:{collector.port}")
    wait_until(lambda: {"queueing", "t.work"} <= set(collector.spans))

    assert collector.one("t.work").trace_id == collector.one("queueing").trace_id
    assert collector.one("t.work").parent_span_id == collector.one("queueing").span_id


def test_nothing_is_traced_unless_it_is_wanted(tmp_path: Path, collector: Collector) -> None:
    run(tmp_path, endpoint="")

    assert collector.spans == {}
