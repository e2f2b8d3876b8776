"""Model providers on loopback: what they are asked is kept, what they answer is scripted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

MODELS = {"data": [{"id": "model-1"}, {"id": "model-2"}]}


@dataclass
class Reply:
    """An answer; `delay` is a slow provider."""

    status: int = 200
    body: Any = field(default_factory=lambda: MODELS)
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass
class Asked:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class ModelServer:
    """A provider at `url`; `answer` decides on each request."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Reply] = lambda _asked: Reply()

    def takes(self, key: str) -> None:
        """Only this key, shown in whichever way, gets the list of models."""

        def decide(asked: Asked) -> Reply:
            shown = {
                asked.headers.get("x-api-key"),
                asked.headers.get("x-goog-api-key"),
                asked.headers.get("authorization", "").removeprefix("Bearer "),
            }
            return Reply() if key in shown else Reply(401, {"error": f"bad key {shown}"})

        self.answer = decide


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A provider on a port of its own."""
    found: ModelServer

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode()
            asked = Asked(
                self.command,
                self.path,
                {key.lower(): value for key, value in self.headers.items()},
                {key: values[0] for key, values in parse_qs(text).items()},
            )
            found.asked.append(asked)
            reply = found.answer(asked)
            if reply.delay:
                time.sleep(reply.delay)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass

        do_GET = do_POST = _serve  # noqa: N815 - what http.server looks for

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = ModelServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
