"""The whole product as `make up` starts it: how soon it answers and works, what it holds."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from bench import calls, machine
from bench.product import Product
from bench.report import Report, Row, quantile
from bench.sockets import Socket

# Of a busy machine; what counts is how long it takes.
START_SECONDS = 240.0
RUNNING = "KanbanAI is running"
ACCOUNT = {"email": "ada@example.org", "password": "a horse, a battery and a staple"}


def run(report: Report) -> None:
    """This will measure P11 and P12."""
    with Product() as product:
        product.environment["KANBANAI_LOG_LEVEL"] = "info"
        report.say("startup: the first start makes the database")
        first = _start(product, report)
        product.stop_web()
        times = []
        for last in [True] if report.quick else [False, False, True]:
            times.append(_start(product, report))
            if not last:
                product.stop_web()
        report.add(
            Row(
                "P12",
                f"start again until the sign-in page answers (first start: {first:.1f} s)",
                "<= 5 s",
                f"{statistics.median(times):.1f} s",
                met=statistics.median(times) <= 5,
                details={"first": first, "seconds": times},
            )
        )
        _first_items(report, product)
        time.sleep(report.sized(10, 3, 0.5))
        _memory(report, product)


def _start(product: Product, report: Report) -> float:
    began = time.monotonic()
    before = product.log.read_text(errors="replace").count(RUNNING) if product.log.exists() else 0
    process = product.run("manage.py", "up")
    product.web.append(process)
    took = 0.0
    while not took:
        try:
            if product.call("GET", "/accounts/login/")[0] in {200, 302}:
                took = time.monotonic() - began
        except OSError:
            time.sleep(0.02)
        if process.poll() is not None or time.monotonic() - began > START_SECONDS:
            message = "it does not start"
            raise RuntimeError(message)
    # The workers come after the web process.
    while product.log.read_text(errors="replace").count(RUNNING) <= before:
        if time.monotonic() - began > START_SECONDS:
            message = "the workers do not start"
            raise RuntimeError(message)
        time.sleep(0.1)
    report.say(f"started in {took:.1f} s")
    return took


def _memory(report: Report, product: Product) -> None:
    everything = [product.web[0].pid, *machine.below(product.web[0].pid)]
    parts = {pid: machine.resident_kb(pid) / 1024 for pid in everything}
    whole = sum(parts.values())
    report.add(
        Row(
            "P12",
            f"memory of everything, idle, {len(parts)} processes",
            "<= 600 MB",
            f"{whole:.0f} MB",
            met=whole <= 600,
            details={"megabytes": sorted(parts.values(), reverse=True)},
        )
    )


def _first_items(report: Report, product: Product) -> None:
    count = report.sized(8, 2, 1)
    answer = product.call("POST", "/api/v1/auth/setup", body={**ACCOUNT, "displayName": "Ada"})
    token = json.loads(answer[1])["data"]["token"]
    caller = calls.Caller(product.port, token)

    def ask(method: str, path: str, body: Any = None) -> Any:
        _took, content = caller.timed(method, f"/api/v1/{path}", body)
        return json.loads(content)["data"]

    project = ask("POST", "projects/demo", {})["id"]
    board = ask("GET", f"projects/{project}/boards")[0]["id"]
    columns = {one["name"]: one["id"] for one in ask("GET", f"projects/{project}/columns")}
    socket = Socket(product.port, f"/api/v1/ws?boardId={board}&changes=delta", token)
    socket.until(b"columnOrder")
    seconds = []
    for number in range(count + 2):
        card = ask(
            "POST",
            f"projects/{project}/cards",
            {"columnId": columns["Backlog"], "title": f"Say hello {number}", "prompt": "@say Hi."},
        )["id"]
        began = time.monotonic()
        place = {"columnId": columns["In Progress"]}
        ask("PATCH", f"projects/{project}/cards/{card}/move", place)
        socket.until(b'"conversation_item"')
        # The first ones find workers that have never run an agent.
        if number >= 2:
            seconds.append(time.monotonic() - began)
        socket.until(b'"status":"succeeded"')
    socket.close()
    caller.close()
    late = quantile(seconds, 0.95)
    report.add(
        Row(
            "P11",
            "a card enters its column to the agent's first item, p50 / p95",
            "p95 <= 1 s",
            f"{quantile(seconds, 0.5):.2f} / {late:.2f} s",
            met=late <= 1,
            details={"seconds": seconds},
        )
    )
