"""What stands before an agent's first word: worktree, files, setup script, home and command."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.utils import timezone

from apps.agents import keys, places, registry
from apps.agents.adapters import base, homes, policies, presets, probing
from apps.agents.operations import git as git_operations
from apps.agents.operations import records
from apps.agents.runner import keyring, scripts
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice
from apps.agents.states import Reason
from apps.boards.models import AgentMode
from apps.core import git, problems
from apps.core.actors import Actor

if TYPE_CHECKING:
    from uuid import UUID

    from apps.agents.models import AgentProfile, Attempt
    from apps.agents.runner.asides import Ground
    from apps.agents.runner.store import Store
    from apps.agents.runner.work import Work
    from apps.agents.worktrees.trees import Tree

ACTOR = Actor.system("runner")
POLICIES = frozenset({"ask", "accept_edits", "accept_all", "reject"})


class StageFailed(Exception):
    """A stage before the agent's turn that did not work; `reason` is from the closed list."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Place:
    """How the agent of this attempt is started."""

    preset: presets.Preset
    policy: policies.Policy
    sandbox: sandboxes.Sandbox
    launch: homes.Launch
    home: Path
    read_paths: tuple[Path, ...]
    # How its model is reached: what the process was given when it started.
    access: homes.Access | None = None
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def has_key(self) -> bool:
        """True when the agent is given a key."""
        return self.access is not None and bool(self.access.key)

    @property
    def confined(self) -> bool:
        """True when the agent runs in a sandbox."""
        return self.sandbox.level is not sandboxes.Level.NONE


async def worktree(work: Work) -> Tree:
    """This will be the attempt's worktree: the one it has, or one made for it."""
    attempt = work.attempt
    try:
        tree = await asyncio.to_thread(places.find_tree, attempt)
        if tree is not None:
            return tree
        await work.store.run(git_operations.clear_unfinished, attempt=attempt)
        base_branch = await asyncio.to_thread(places.base_name, attempt)
        made = await asyncio.to_thread(places.make_tree, attempt, work.project)
    except git.GitError as error:
        raise StageFailed(Reason.WORKTREE_FAILED, error.message) from error
    work.attempt = await work.store.run(
        records.record_worktree,
        actor=ACTOR,
        attempt_id=attempt.pk,
        epoch=attempt.epoch,
        path=str(made.path),
        branch=made.branch,
        base_sha=attempt.base_sha or made.base_sha,
        base_branch=base_branch,
    )
    work.writer.log(f"[runner] worktree on {made.branch}")
    return made.tree


async def place(work: Work | Ground, credential_id: UUID | None) -> Place:
    """This will find how the attempt's agent is started, and fill its home."""
    attempt = work.attempt
    config = await work.store.run(_config, attempt)
    access = await reach(work.store, credential_id, config)
    if access is None:
        await work.store.run(_require_key, attempt)
    found = await equip(
        work.store,
        agent=attempt.agent,
        config=config,
        home=places.home_path(attempt),
        env=_identity(attempt),
        access=access,
    )
    attached = await work.store.run(places.attachment_paths, attempt)
    await asyncio.to_thread(places.copy_attachments, attached)
    return found


async def reach(
    store: Store, credential_id: UUID | None, config: dict[str, Any]
) -> homes.Access | None:
    """This will be how an agent reaches its model; None leaves that to the agent."""
    try:
        return await keyring.access(store, credential_id, config)
    except problems.Upstream as problem:
        raise StageFailed(Reason.MODEL_ERROR, problem.detail) from problem
    except problems.Problem as problem:
        raise StageFailed(Reason.CREDENTIAL_INVALID, problem.detail) from problem


async def is_up_to_date(work: Work, credential_id: UUID | None) -> bool:
    """False once the key or address that the running process was given was replaced.

    A login's token that is about to end is renewed by this, and so counts as replaced.
    """
    try:
        return await reach(work.store, credential_id, work.place.config) == work.place.access
    except StageFailed:
        # Said by whoever tries to start a process with it.
        return False


async def equip(
    store: Store,
    *,
    agent: str,
    config: dict[str, Any],
    home: Path,
    env: dict[str, str],
    access: homes.Access | None,
) -> Place:
    """This will find an agent's program, its sandbox and its settings, and fill its home.

    `launch.secrets` of the answer are to be hidden in all that the agent says.
    """
    preset = registry.find_preset(agent)
    if preset is None:
        raise StageFailed(Reason.AGENT_NOT_INSTALLED, f"There is no agent called “{agent}”.")
    try:
        await store.run(registry.require_sandbox)
        sandbox = registry.sandbox()
    except (problems.Problem, choice.Unavailable) as error:
        raise StageFailed(Reason.SANDBOX_UNAVAILABLE, str(error)) from error
    command = tuple(str(word) for word in config.get("command") or ())
    found = await probing.probe(preset, command=command)
    if not found.found:
        raise StageFailed(Reason.AGENT_NOT_INSTALLED, found.detail)
    launch = homes.prepare(
        preset,
        home=home,
        access=access,
        command=command,
        extra_args=tuple(str(word) for word in config.get("args") or ()),
        env={**env, **{str(k): str(v) for k, v in _mapping(config, "env").items()}},
    )
    policy = config.get("permission")
    return Place(
        preset=preset,
        policy=cast("policies.Policy", policy if policy in POLICIES else "ask"),
        sandbox=sandbox,
        launch=launch,
        home=home,
        read_paths=found.paths,
        access=access,
        config=config,
    )


def _require_key(attempt: Attempt) -> None:
    """What was chosen when it was let in may have been deleted since."""
    try:
        keys.require_own(attempt.agent, attempt.profile)
    except problems.Problem as problem:
        raise StageFailed(Reason.CREDENTIAL_INVALID, problem.detail) from problem


def _config(attempt: Attempt) -> dict[str, Any]:
    profile: AgentProfile | None = attempt.profile
    if profile is None or profile.agent != attempt.agent:
        return {}
    return dict(profile.config)


def _mapping(config: dict[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _identity(attempt: Attempt) -> dict[str, str]:
    """Who the agent's own commits are by: whoever put it to work."""
    person = attempt.started_by
    name = person.display_name if person and person.display_name else "KanbanAI"
    mail = person.email if person else "kanbanai@localhost"
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


async def session(work: Work | Ground, *, last_turn: int) -> base.SessionSpec:
    """This will be everything the adapter needs to know for this process."""
    attempt, where = work.attempt, work.place
    tree = work.tree
    assert tree is not None  # noqa: S101 - made before
    planning = attempt.mode == AgentMode.PLAN
    fresh = await work.store.run(_fresh, attempt)
    seen = Decimal(0) if where.preset.restarts_cost else _cost_seen(fresh.session_info)
    await asyncio.to_thread(homes.exclude, tree.common_directory, where.preset.excludes)
    return base.SessionSpec(
        attempt_id=attempt.public_id,
        cwd=tree.path,
        home=where.home,
        command=where.launch.command,
        env=where.launch.env,
        session_meta=where.launch.session_meta,
        git_dir=tree.common_directory,
        sandbox=where.sandbox,
        read_paths=where.read_paths,
        network="none" if where.config.get("network") == "none" else "shared",
        connect_ports=where.launch.connect_ports,
        session_id=fresh.session_id or None,
        resume="new" if where.preset.resume == "none" else "auto",
        mode=presets.mode_for(where.preset, planning=planning, confined=where.confined),
        options={str(k): v for k, v in _mapping(where.config, "options").items()},
        readonly=planning,
        turn=last_turn,
        cost_seen=seen,
        limits=base.Limits(
            turn=float(settings.KANBANAI_AGENT_TURN_SECONDS),
            idle=float(settings.KANBANAI_AGENT_IDLE_SECONDS),
        ),
    )


def _fresh(attempt: Attempt) -> Attempt:
    return type(attempt).objects.only("session_id", "session_info").get(pk=attempt.pk)


def _cost_seen(info: dict[str, Any]) -> Decimal:
    try:
        return Decimal(str(info.get("costSeen", "0")))
    except InvalidOperation:
        return Decimal(0)


async def files_and_setup(work: Work, number: int) -> None:
    """This will copy the project's files and run its setup script, once for a worktree."""
    if work.attempt.prepared_at is not None:
        return
    project = work.project
    if project.copy_files.strip():
        await _copy(work, number)
    work.lease.check()
    if project.setup_script.strip():
        ended = await script(work, number, stage="setup", command=project.setup_script)
        work.lease.check()
        allowed = project.allow_scripts_to_fail or project.allow_setup_script_to_fail
        if not ended.succeeded and not allowed:
            why = ended.error or f"The setup script ended with exit code {ended.exit_code}."
            raise StageFailed(Reason.SETUP_FAILED, why)
    await work.store.run(
        records.record_prepared, attempt_id=work.attempt.pk, epoch=work.attempt.epoch
    )


async def _copy(work: Work, number: int) -> None:
    project, tree = work.project, work.tree
    assert tree is not None  # noqa: S101 - made before
    begin = timezone.now()
    show = partial(
        scripts.item,
        turn=number,
        stage="copy_files",
        source_id=f"{number}-copy-{work.attempt.epoch}",
        command=project.copy_files,
        cwd=str(tree.path),
        started_at=begin,
    )
    try:
        done = await asyncio.to_thread(
            places.copy_files,
            project.copy_files,
            project=Path(work.attempt.project.path),
            worktree=tree.path,
        )
        ended = scripts.Ended(exit_code=0, stdout="\n".join(done))
    except places.CopyRefused as error:
        ended = scripts.Ended(exit_code=None, error=str(error))
    allowed = project.allow_scripts_to_fail or project.allow_copy_files_to_fail
    work.writer.put(show(ended=ended, allowed=allowed))
    if not ended.succeeded and not allowed:
        raise StageFailed(Reason.SETUP_FAILED, ended.error)


async def script(work: Work, number: int, *, stage: str, command: str) -> scripts.Ended:
    """This will run one of the project's scripts and show it as an item, running and ended."""
    tree, project = work.tree, work.project
    assert tree is not None  # noqa: S101 - made before
    begin = timezone.now()
    show = partial(
        scripts.item,
        turn=number,
        stage=stage,
        source_id=f"{number}-{stage}-{work.attempt.epoch}",
        command=command,
        cwd=str(tree.path),
        started_at=begin,
    )
    draft = show()
    work.writer.put(draft)
    await work.writer.flush()
    spec = await session(work, last_turn=0)
    # Keys are the agent's alone.
    env = {key: value for key, value in spec.env.items() if key not in work.place.launch.secrets}
    ended = await scripts.run(
        dataclasses.replace(spec, env=env),
        work.lease,
        stage=stage,
        script=command,
        seconds=float(settings.KANBANAI_SCRIPT_SECONDS),
    )
    allowed = (
        stage == "cleanup"
        or project.allow_scripts_to_fail
        or (stage == "setup" and project.allow_setup_script_to_fail)
    )
    work.writer.put(show(ended=ended, allowed=allowed, draft=draft))
    if not ended.succeeded and allowed:
        work.writer.log(f"[{stage}] failed, which the project allows", level="warn")
    return ended


async def clean_up(work: Work, number: int) -> None:
    """This will run the project's cleanup script; its failure never matters."""
    if work.project.cleanup_script.strip() and hasattr(work, "place") and not work.lease.word:
        await script(work, number, stage="cleanup", command=work.project.cleanup_script)
