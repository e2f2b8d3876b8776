"""`manage.py up`: check, start, say where it is, watch, stop."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from kanbanai.settings import env, variables
from kanbanai.supervisor import preflight, redis_server, schema
from kanbanai.supervisor.children import Child
from kanbanai.supervisor.console import Console, complain
from kanbanai.supervisor.lines import Lines
from kanbanai.supervisor.watch import Watch

PROJECT = Path(__file__).resolve().parents[2]
FAST_THREADS = 8
# Workers are started when the web answers, so that they do not delay it, but not later than this.
WEB_FIRST_SECONDS = 8.0
READY_SECONDS = 90.0
# Between two requests for the sign-in page: a failing answer costs the web server work and log.
ASK_AGAIN_SECONDS = 0.5
GOOD_ANSWERS = (b"HTTP/1.1 2", b"HTTP/1.1 3")
# A socket's path must fit into a system structure of 108 bytes.
LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True)
class Plan:
    """What is going to run, read from the environment once."""

    host: str
    port: int
    data_dir: Path
    database_url: str
    redis_url: str | None
    redis_socket: Path
    web_processes: int
    agent_slots: int
    sandbox: str
    settings: str

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, or None when it is a server."""
        parts = urlsplit(self.database_url)
        return Path(parts.path[1:]) if parts.scheme == "sqlite" else None

    @property
    def spreads(self) -> bool:
        """True where the kernel deals new connections out to several listening processes."""
        return self.web_processes > 1 and sys.platform == "linux"

    @property
    def address(self) -> str:
        """The address for a browser on this machine."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def read_plan() -> Plan:
    """This will read the environment; ImproperlyConfigured or NotReady says what is wrong."""
    data_dir = variables.DATA_DIR.read()
    env.lay_defaults({"DATABASE_URL": f"sqlite:///{data_dir / 'kanbanai.sqlite3'}"})
    socket_path = data_dir / "run" / "redis.sock"
    if len(os.fsencode(socket_path)) > LONGEST_SOCKET_PATH:
        socket_path = Path(tempfile.mkdtemp(prefix="kanbanai-")) / "redis.sock"
    return Plan(
        host=variables.HOST.read(),
        port=variables.PORT.read(),
        data_dir=data_dir,
        database_url=variables.DATABASE_URL.read(),
        redis_url=env.raw("REDIS_URL") or None,
        redis_socket=socket_path,
        web_processes=variables.WEB_PROCESSES.read(),
        agent_slots=variables.AGENT_SLOTS.read(),
        sandbox=variables.SANDBOX.read(),
        settings=os.environ.get("DJANGO_SETTINGS_MODULE", "kanbanai.settings.embedded"),
    )


def child_environment(plan: Plan) -> dict[str, str]:
    """This will give the environment that all children share."""
    environment = dict(os.environ)
    # Compiled modules halve the time to start; a developer's shell often forbids them.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment |= {
        "DJANGO_SETTINGS_MODULE": plan.settings,
        "REDIS_URL": plan.redis_url or f"unix://{plan.redis_socket}",
        "PYTHONUNBUFFERED": "1",
        # Fewer memory pools: threads that come and go would keep one each.
        "MALLOC_ARENA_MAX": "2",
        # Celery: SIGTERM gives running tasks a few seconds, then ends them.
        "REMAP_SIGTERM": "SIGQUIT",
    }
    return environment


def manage(*arguments: str) -> list[str]:
    """This will give the command line of one of our own commands."""
    return [sys.executable, str(PROJECT / "manage.py"), *arguments]


def celery(*arguments: str) -> list[str]:
    """This will give the command line of a Celery process."""
    quiet = ("--quiet", "--skip-checks")
    return [sys.executable, "-m", "celery", *quiet, "-A", "kanbanai.celery", *arguments]


def worker(queue: str, *arguments: str) -> list[str]:
    """This will give the command line of a worker that listens to one queue."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return celery("worker", "-Q", queue, "-n", f"{queue}@%h", "-l", "WARNING", *quiet, *arguments)


def beat() -> list[str]:
    """This will give the command line of the clock."""
    return celery("beat", "-S", "kanbanai.heartbeats:Clock", "--pidfile", "", "-l", "WARNING")


def main(arguments: list[str]) -> int:
    """This will run the product until it is told to stop; 1 when it could not start."""
    parser = argparse.ArgumentParser(
        prog="manage.py up",
        description="Starts KanbanAI: web, workers, schedule and, without REDIS_URL, a Redis.",
    )
    parser.parse_args(arguments)
    started = time.monotonic()
    os.chdir(PROJECT)
    try:
        plan = read_plan()
        lines = Lines(
            plan.database_url,
            data_dir=plan.data_dir,
            days=variables.LOG_DAYS.read(),
            most=variables.LOG_LINES.read(),
        )
        preflight.require_git()
        preflight.require_data_dir(plan.data_dir)
        lock = preflight.lock_data_dir(plan.data_dir)
        preflight.require_assets(variables.STATIC_ROOT.read())
        listener = preflight.open_port(plan.host, plan.port, shared=plan.spreads)
    except (preflight.NotReady, ImproperlyConfigured) as error:
        complain(str(error))
        return 1
    console = Console(plan.data_dir / "logs", keep=lines.keep)
    watch = Watch(console)
    watch.take_signals()
    try:
        return Up(plan, watch, listener).run(started)
    finally:
        watch.stop()
        listener.close()
        os.close(lock)
        if plan.redis_url is None:
            plan.redis_socket.unlink(missing_ok=True)


class Up:
    """One run of the product."""

    def __init__(self, plan: Plan, watch: Watch, listener: socket.socket) -> None:
        self.plan = plan
        self.watch = watch
        self.listener = listener
        self.environment = child_environment(plan)

    def run(self, started: float) -> int:
        """This will start everything in order and watch it until a signal comes."""
        if self.plan.redis_url is None and not self._start_redis():
            return 1
        if not self._migrate():
            return 0 if self.watch.stopping else 1
        self._start_web()
        answered = self._wait_for_web(WEB_FIRST_SECONDS)
        self._start_workers()
        if not answered:
            answered = self._wait_for_web(READY_SECONDS)
        if self.watch.stopping:
            return 0
        if not answered:
            logs = self.plan.data_dir / "logs"
            complain(f"The web server does not answer as it should; {logs} has what it said.")
            return 1
        if self.plan.spreads:
            self._leave_the_port_to_the_web()
        self.watch.console.say(self._status(time.monotonic() - started))
        self.watch.run_until(lambda: False)
        self.watch.console.say("Stopping.")
        return 0

    def _start_redis(self) -> bool:
        try:
            server = redis_server.find()
        except redis_server.RedisMissing as error:
            complain(str(error))
            return False
        redis_server.prepare(self.plan.redis_socket)
        command = redis_server.command(
            server, unix_socket=self.plan.redis_socket, max_memory="256mb"
        )
        child = self.watch.add(Child("redis", command, quiet=True, needed_by_others=True))
        if child.process is None:
            return False
        try:
            redis_server.wait(child.process, self.plan.redis_socket)
        except redis_server.RedisFailed as error:
            complain(str(error))
            return False
        return True

    def _migrate(self) -> bool:
        stamp = self.plan.data_dir / "run" / "schema.json"
        database = self.plan.sqlite_file
        if database is not None and schema.is_current(stamp, project=PROJECT, database=database):
            return True
        command = manage("migrate", "--no-input", "--verbosity", "1", "--skip-checks")
        # Without a pool a server that cannot be reached says why, and at once.
        environment = self.environment | {"KANBANAI_DATABASE_POOL": "0"}
        code = self.watch.run_once(Child("migrate", command, environment, quiet=True))
        if code != 0:
            if not self.watch.stopping:
                tail = self.watch.console.tail("migrate")
                # A message of several lines goes on indented.
                begun = [line for line in tail if line.strip() and not line[0].isspace()]
                why = begun[-1].strip() if begun else "it said nothing"
                complain(f"The database could not be brought up to date: {why}")
            return False
        if database is not None:
            schema.write_stamp(stamp, project=PROJECT, database=database)
        return True

    def _start_web(self) -> None:
        """One socket for all, or (where connections are dealt out) the first process takes it.

        A process with a socket of its own gets its share of the connections from the moment it is
        ready, and none any more when it is gone.
        """
        handle = self.listener.fileno()
        handed = Child("web", manage("serve", "--fd", str(handle)), self.environment, (handle,))
        many = self.plan.web_processes > 1
        for number in range(1, self.plan.web_processes + 1):
            name = f"web-{number}" if many else "web"
            if self.plan.spreads and number > 1:
                self.watch.add(Child(name, self._beside(), self.environment))
            else:
                self.watch.add(replace(handed, name=name))

    def _beside(self) -> list[str]:
        """The command of a web process that listens beside the others."""
        return manage("serve", "--beside", "--host", self.plan.host, "--port", str(self.plan.port))

    def _leave_the_port_to_the_web(self) -> None:
        """This will let go of the socket, or nobody would take its share when its process dies."""
        for child in self.watch.children:
            if child.name == "web-1":
                child.command, child.pass_fds = self._beside(), ()
        self.listener.close()

    def _start_workers(self) -> None:
        slots = str(self.plan.agent_slots)
        agents = worker("agents", "-P", "prefork", "-c", slots)
        fast = worker("fast", "-P", "threads", "-c", str(FAST_THREADS))
        for name, command in (("agents", agents), ("fast", fast), ("beat", beat())):
            if not self.watch.stopping:
                self.watch.add(Child(name, command, self.environment))

    def _wait_for_web(self, seconds: float) -> bool:
        """This will ask for the sign-in page until it comes, looking after the children."""
        asking = Asking(self.plan.host, self.plan.port, time.monotonic() + seconds)
        self.watch.run_until(asking.is_over, every=0.05)
        return asking.answered

    def _status(self, seconds: float) -> str:
        plan = self.plan
        database = "SQLite" if plan.sqlite_file is not None else "PostgreSQL"
        redis = "private" if plan.redis_url is None else "from REDIS_URL"
        return "\n".join(
            [
                "",
                f"KanbanAI is running ({seconds:.1f} s to start).",
                "",
                f"  Open       {plan.address}",
                f"  Data       {plan.data_dir}",
                f"  Database   {database}, Redis {redis}",
                f"  Agents     {plan.agent_slots} at once, sandbox {plan.sandbox}",
                f"  Logs       {plan.data_dir / 'logs'}",
                "  Stop       Ctrl-C",
                "",
            ]
        )


class Asking:
    """A request for the sign-in page, repeated without ever holding the supervisor up for long."""

    def __init__(self, host: str, port: int, deadline: float) -> None:
        self.host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self.port = port
        self.deadline = deadline
        self.answered = False
        self._ask_at = 0.0
        self._connection: http.client.HTTPConnection | None = None

    def is_over(self) -> bool:
        """True when the page came or the time is up."""
        if self._connection is None and time.monotonic() >= self._ask_at:
            self._ask()
        self._look()
        return self.answered or time.monotonic() > self.deadline

    def _ask(self) -> None:
        self._ask_at = time.monotonic() + ASK_AGAIN_SECONDS
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=1)
        with contextlib.suppress(OSError):
            self._connection.request("GET", "/accounts/login/", headers={"Host": "localhost"})

    def _look(self) -> None:
        connection = self._connection
        if connection is None:
            return
        start = b""
        if connection.sock is not None:
            connection.sock.settimeout(0.02)
            try:
                start = connection.sock.recv(len(GOOD_ANSWERS[0]), socket.MSG_PEEK)
            except (BlockingIOError, TimeoutError):
                return
            except OSError:
                # The process that had taken the request is gone; the next one is asked.
                start = b""
        # A server that answers with an error is asked again: it may still be coming up.
        self.answered = start in GOOD_ANSWERS
        connection.close()
        self._connection = None
