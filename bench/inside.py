"""Statements and processor time of single requests, measured inside the product's own handler.

`python -m bench.inside <calls as JSON>`: each call is [name, method, path, body]; prints for each
the number of SQL statements and the least processor time in milliseconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - needs the settings
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

TIMES = 5
# What begins and ends a transaction is no question to the database.
FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def main() -> None:
    """This will make the calls and say what they cost."""
    options = json.loads(sys.argv[1])
    client = Client(headers={"authorization": f"Bearer {options['token']}", "host": "localhost"})
    found = {}
    for name, method, path, bodies in options["calls"]:
        costs: list[float] = []
        for number in range(TIMES):
            body: Any = bodies[number % len(bodies)] if bodies else None
            began = time.process_time()
            answer = client.generic(
                method, path, json.dumps(body) if body is not None else "", "application/json"
            )
            costs.append((time.process_time() - began) * 1000)
            if answer.status_code >= 300:
                message = f"{method} {path}: {answer.status_code} {answer.content[:200]!r}"
                raise RuntimeError(message)
        with CaptureQueriesContext(connection) as queries:
            client.generic(
                method, path, json.dumps(bodies[0]) if bodies else "", "application/json"
            )
        statements = [one for one in queries if not one["sql"].startswith(FRAME)]
        found[name] = {"statements": len(statements), "cpuMs": min(costs)}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
