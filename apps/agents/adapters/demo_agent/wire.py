"""JSON-RPC over stdin and stdout, as the Agent Client Protocol has it; standard library only.

The agent starts with each turn, so it must start fast: no SDK, no Django.
"""

import asyncio
import json
import sys
from typing import Any, Protocol

METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603

_LONGEST_LINE = 64 * 1024 * 1024


class Refusal(Exception):
    """An error answer."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class Service(Protocol):
    """What answers requests."""

    async def handle(self, method: str, params: dict[str, Any]) -> Any:
        """This will be the answer to a request, or nothing for a notification."""

    async def stop(self) -> None:
        """This will end what still runs when the client has gone."""


class Wire:
    """One client on the other end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.stay = False

    async def serve(self, service: Service) -> None:
        """This will answer until the end of input; with `stay` set, even longer."""
        while line := await self._reader.readline():
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if "method" in message:
                task = asyncio.create_task(self._answer(service, message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            elif (future := self._waiting.pop(message.get("id"), None)) and not future.done():
                future.set_result(message)
        if self.stay:
            await asyncio.Event().wait()
        await service.stop()

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """This will send a notification."""
        self.send({"method": method, "params": params})

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """This will ask the client and wait for its answer.

        Raises:
            Refusal: when the client answers with an error.
        """
        self._next_id += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._next_id] = future
        self.send({"id": self._next_id, "method": method, "params": params})
        answer = await future
        if "error" in answer:
            error = answer["error"]
            raise Refusal(error.get("code", INTERNAL_ERROR), error.get("message", ""))
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    def send(self, message: dict[str, Any]) -> None:
        """This will write one message."""
        self.write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False))

    def write(self, text: str) -> None:
        """This will write one line as it is."""
        sys.stdout.buffer.write(text.encode(errors="replace") + b"\n")
        sys.stdout.buffer.flush()

    async def _answer(self, service: Service, message: dict[str, Any]) -> None:
        number, params = message.get("id"), message.get("params")
        try:
            result = await service.handle(
                str(message["method"]), params if isinstance(params, dict) else {}
            )
        except Refusal as refusal:
            answer: dict[str, Any] = {
                "error": {"code": refusal.code, "message": str(refusal), "data": refusal.data}
            }
        except Exception as error:  # noqa: BLE001
            answer = {"error": {"code": INTERNAL_ERROR, "message": repr(error)}}
        else:
            answer = {"result": result}
        if number is not None:
            self.send({"id": number, **answer})


async def connect() -> Wire:
    """This will listen on stdin."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return Wire(reader)
