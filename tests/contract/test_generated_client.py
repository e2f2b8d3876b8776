"""A client that a public generator makes from the document can do all that the table says."""

from __future__ import annotations

import importlib
import inspect
import io
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

import httpx
import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from apps.accounts import credentials
from tests.contract.document import DOCUMENT, V1, operation_of
from tests.contract.rows import ROWS, Row
from tests.contract.world import WELL, World, world

__all__ = ["world"]

STORED = Path(__file__).with_name("openapi.json")
PACKAGE = "generated_client"
CONFIGURATION = f"package_name_override: {PACKAGE}\npost_hooks: []\n"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The package, made without a single warning, where it can be imported."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "configuration.yml").write_text(CONFIGURATION, encoding="utf-8")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--path", str(STORED), "--output-path", str(folder / "client")),
            *("--config", str(folder / "configuration.yml")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "client"))
        yield PACKAGE
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Within(httpx.BaseTransport):
    """Brings requests to the application in this process, within the test's transaction."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        server = Client(raise_request_exception=False)
        answer: Any = server.generic(
            request.method,
            str(request.url.raw_path, "ascii"),
            request.read(),
            content_type=request.headers.get("Content-Type", ""),
            headers=dict(request.headers),
        )
        content = b"".join(answer) if answer.streaming else answer.content
        return httpx.Response(
            answer.status_code, headers=list(answer.items()), content=content, request=request
        )


class Caller:
    """Asks what a row asks, by the generated function for it and with its types."""

    def __init__(self, package: str, world: World) -> None:
        self.package = package
        self.world = world

    def client_of(self, name: str) -> Any:
        found = importlib.import_module(f"{self.package}.client")
        common = {"base_url": "http://testserver", "raise_on_unexpected_status": True}
        common["httpx_args"] = {"transport": Within()}
        if name == "nobody":
            return found.Client(**common)
        token = credentials.issue_jwt(self.world.people[name])
        return found.AuthenticatedClient(token=token, **common)

    def ask(self, row: Row) -> Any:
        """This will call the function of the row's operation."""
        operation = operation_of(row)
        (tag,) = operation["tags"]
        name = snake(operation["operationId"])
        function = importlib.import_module(f"{self.package}.api.{tag}.{name}").sync_detailed
        arguments = self.arguments_of(row, operation)
        for name, hint in get_type_hints(function).items():
            kinds: Any = [hint] if inspect.isclass(hint) else getattr(hint, "__args__", ())
            if name == "body":
                arguments[name] = self.body(row, kinds)
            elif name in arguments and issubclass(kinds[0], Enum):
                arguments[name] = kinds[0](arguments[name])
        return function(client=self.client_of(WELL[row.access]), **arguments)

    def arguments_of(self, row: Row, operation: dict[str, Any]) -> dict[str, Any]:
        """What stands in the address, by the names that the functions have for it."""
        path, _, query = self.world.fill(row.path).partition("?")
        (form,) = (
            path
            for path, item in DOCUMENT["paths"].items()
            if item.get(row.method.lower()) is operation
        )
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(form.removeprefix(V1)))
        match = re.fullmatch(pattern, path)
        assert match is not None
        return {
            snake(name): value for name, value in [*match.groupdict().items(), *parse_qsl(query)]
        }

    def body(self, row: Row, kinds: Sequence[Any]) -> Any:
        """The row's good body as the type that the function takes."""
        kind = next(one for one in kinds if hasattr(one, "from_dict"))
        if row.upload:
            types = importlib.import_module(f"{self.package}.types")
            file = io.BytesIO(b"Three words here.")
            return kind(
                file=types.File(payload=file, file_name="notes.txt", mime_type="text/plain")
            )
        return kind.from_dict(self.world.fill(row.body or {}))


def test_it_can_do_every_row(world: World, generated: str) -> None:
    caller = Caller(generated, world)
    names = dict(world.names)
    for row in ROWS:
        cache.clear()
        with transaction.atomic():
            with world.given(row.given):
                answer = caller.ask(row)
            transaction.set_rollback(True)
        world.names = dict(names)
        world.card.refresh_from_db()
        assert answer.status_code == row.status, (row.name, answer.content)
        if row.answer is None or isinstance(row.answer, str):
            continue
        # Nothing is lost or added on the way through the types.
        shown = answer.parsed.to_dict()
        assert shown == httpx.Response(200, content=answer.content).json(), row.name


def test_it_understands_refusals(world: World, generated: str) -> None:
    row = next(row for row in ROWS if row.number == 66)
    world.names["project"] = "proj_01kar2m8v5e9qf3h7n0c4x6wzt"

    answer = Caller(generated, world).ask(row)

    assert answer.status_code == 404
    assert answer.parsed.code == "NOT_FOUND"
    assert [error.field for error in answer.parsed.errors] == ["projectId"]
