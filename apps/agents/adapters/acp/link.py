"""The line to one agent process: requests out, events in, in the order they happened.

Everything that becomes an event passes one bounded queue and one consumer: updates as they come
off the wire, log lines, decisions. Whoever waits for the end of a turn flushes it.
"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from acp.core import Connection

from apps.agents import processes
from apps.agents.adapters import base, events
from apps.agents.adapters.acp import asks, errors, lines, process
from apps.agents.adapters.acp.mapper import Mapper
from apps.agents.adapters.failures import AdapterError, Failure

_QUEUE = 2_000
_NOISE = 20
_LAST_WORDS = 2.0

Job = Callable[[], Sequence[events.Event]]


class Link:
    """A running agent as the adapter sees it.

    `trouble` is set when `error` is: a limit that was passed, or an error of the sink.
    """

    def __init__(self, spec: base.SessionSpec, sink: base.Sink) -> None:
        self.spec = spec
        self.mapper = Mapper(worktree=spec.cwd, turn=spec.turn, cost_seen=spec.cost_seen)
        self.trouble = asyncio.Event()
        self.error: Exception | None = None
        self.noise: collections.deque[str] = collections.deque(maxlen=_NOISE)
        self.process: asyncio.subprocess.Process | None = None
        self._sink = sink
        self._asks = asks.Asks(self, sink)
        self._connection: Connection | None = None
        self._stderr: process.Stderr | None = None
        self._queue: asyncio.Queue[Job] = asyncio.Queue(maxsize=_QUEUE)
        self._consumer: asyncio.Task[None] | None = None
        self._sequence = itertools.count(1)
        self._heard = time.monotonic()
        self._bytes = 0
        self._answered = False

    async def start(self) -> None:
        """This will start the process and begin to listen.

        Raises:
            AdapterError: when it cannot be started.
        """
        spec = self.spec
        self.process = await process.start(spec, spec.command)
        assert self.process.stdin and self.process.stdout and self.process.stderr  # noqa: PT018, S101
        self._consumer = asyncio.create_task(self._consume(), name="agent events")
        self._stderr = process.Stderr(
            self.process.stderr,
            most_lines=spec.limits.log_lines,
            on_line=lambda text: self._log("stderr", text),
            on_bytes=self._count,
        )
        transport = lines.Lines(
            reader=self.process.stdout,
            writer=self.process.stdin,
            line_bytes=spec.limits.line_bytes,
            on_update=self._update,
            on_noise=self._hear_noise,
            on_bytes=self._count,
            on_overlong=self._overlong,
        )
        self._connection = Connection(self._asks.handle, transport)

    @property
    def asking(self) -> bool:
        """This will be true while a person is asked."""
        return self._asks.pending

    def touch(self) -> None:
        """This will count as a sign of life."""
        self._heard = time.monotonic()

    def quiet(self) -> float:
        """This will be the seconds since the agent was last heard of."""
        return time.monotonic() - self._heard

    def begin_turn(self, turn: int) -> None:
        """This will name what follows after a new turn."""
        self.mapper.begin_turn(turn)

    async def request(self, method: str, params: Any) -> Any:
        """This will send a request and wait for its answer.

        Raises:
            RequestError: when the agent answers with an error.
            ConnectionError: when it goes away.
        """
        if self._connection is None:
            raise ConnectionError("the agent is not running")
        answer = await self._connection.send_request(method, params)
        self._answered = True
        return answer

    async def notify(self, method: str, params: Any) -> None:
        """This will send a notification, unless the agent has gone or reads nothing any more."""
        if self._connection is not None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(
                    self._connection.send_notification(method, params), timeout=_LAST_WORDS
                )

    async def put(self, job: Job) -> None:
        """This will have a job's events told after all that came before it."""
        await self._queue.put(job)

    async def flush(self) -> None:
        """This will return when everything heard so far has been told."""
        if self._consumer is not None and not self._consumer.done():
            await self._queue.join()

    async def emit(self, event: events.Event) -> None:
        """This will tell one event, stamped, after those that wait."""
        await self.flush()
        await self._tell(event)

    async def end_turn(self, *, cancelled: bool) -> None:
        """This will tell all that is left of a turn."""
        await self.put(lambda: self.mapper.end_turn(cancelled=cancelled))
        await self.flush()

    async def cancel_asks(self) -> None:
        """This will answer every pending request as cancelled, and those still to come."""
        await self._asks.cancel()

    def result(
        self,
        stop_reason: base.StopReason,
        *,
        answer: Any = None,
        failure: Failure | None = None,
        error: str = "",
    ) -> base.TurnResult:
        """This will be the result of the turn that just ended."""
        mapper = self.mapper
        usage = answer.get("usage") if isinstance(answer, dict) else None
        return base.TurnResult(
            stop_reason=stop_reason,
            failure=failure,
            error=error,
            last_message=mapper.last_message,
            tools=mapper.tool_count,
            tokens=mapper.tokens(usage),
            cost=mapper.cost,
            currency=mapper.currency,
            cost_seen=mapper.cost_seen,
            exit_code=self.process.returncode if self.process else None,
        )

    async def exit_error(self) -> AdapterError:
        """This will be the failure of a process that closed its output, after its last words."""
        if isinstance(self.error, AdapterError):
            return self.error
        code = None
        if self.process is not None:
            await processes.wait(self.process, timeout=_LAST_WORDS)
            code = self.process.returncode
        if self._stderr is not None:
            await asyncio.wait({self._stderr.task}, timeout=_LAST_WORDS)
        tail = self._stderr.tail if self._stderr else ""
        if not self._answered and not tail.strip() and self.noise:
            tail = "\n".join(self.noise)
        return errors.from_exit(code, stderr=tail, answered=self._answered)

    async def stop(self, *, force: bool) -> int | None:
        """This will end the process and everything it started, and give its exit code."""
        if self.process is None:
            return None
        limits = self.spec.limits
        return await processes.stop(
            self.process,
            attempt_id=self.spec.attempt_id,
            eof=limits.eof,
            terminate=limits.terminate,
            force=force,
        )

    async def close(self, *, force: bool) -> None:
        """This will end the process, and then the listening."""
        await self._asks.cancel()
        code = await self.stop(force=force)
        if self._stderr is not None:
            await asyncio.wait({self._stderr.task}, timeout=_LAST_WORDS)
            self._stderr.task.cancel()
        if self._consumer is not None:
            # A sink that has failed takes nothing more; nobody may wait for it.
            flushed = asyncio.create_task(self.flush())
            await asyncio.wait({flushed}, timeout=_LAST_WORDS)
            self._consumer.cancel()
            flushed.cancel()
            await asyncio.gather(self._consumer, flushed, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
        if self.process is not None and self.error is None:
            await self._tell(events.Status(state="exited", exit_code=code))

    async def _update(self, params: dict[str, Any]) -> None:
        self.touch()
        row = params.get("update")
        if not isinstance(row, dict):
            return
        # Whether this is a replay is known now, not when the queue gets to it.
        if self.mapper.is_replayed(row):
            return
        await self.put(lambda: self.mapper.feed(row))

    async def _consume(self) -> None:
        while True:
            job = await self._queue.get()
            try:
                if self.error is None or isinstance(self.error, AdapterError):
                    for event in job():
                        await self._tell(event)
                if self.mapper.items > self.spec.limits.items:
                    self._fail(
                        AdapterError("output_limit", f"More than {self.spec.limits.items} items")
                    )
            except Exception as error:  # noqa: BLE001
                self._fail(error)
            finally:
                self._queue.task_done()

    async def _tell(self, event: events.Event) -> None:
        stamped = dataclasses.replace(
            event,
            attempt_id=self.spec.attempt_id,
            turn=self.mapper.turn,
            seq=next(self._sequence),
        )
        await self._sink.emit(stamped)

    def _hear_noise(self, text: str) -> None:
        self.touch()
        if len(self.noise) < _NOISE:
            self._log("stdout", text)
        self.noise.append(text)

    def _log(self, stream: str, text: str) -> None:
        event = events.Log(stream="stderr" if stream == "stderr" else "stdout", text=text)
        # Never waits: stderr must be read whatever the sink does. A full queue drops the line.
        if not self._queue.full():
            self._queue.put_nowait(lambda: [event])

    def _count(self, number: int) -> None:
        self._bytes += number
        limit = self.spec.limits.output_bytes
        if self._bytes > limit:
            self._fail(AdapterError("output_limit", f"The agent wrote more than {limit} bytes"))

    def _overlong(self) -> None:
        limit = self.spec.limits.line_bytes
        self._fail(AdapterError("output_limit", f"The agent wrote a line beyond {limit} bytes"))

    def _fail(self, error: Exception) -> None:
        if self.error is None:
            self.error = error
            self.trouble.set()
