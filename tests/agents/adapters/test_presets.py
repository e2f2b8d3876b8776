"""Which agents are known, how they are found, and what is put into their home."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from apps.agents.adapters import families, homes, presets, probing
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.adapters.command import CommandAdapter
from tests.agents.adapters import stage

ACCESS = homes.Access(
    provider="openai", key="secret-key", base_url="http://127.0.0.1:9/v1", model="fake-model"
)


def program(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_ids_are_unique_and_the_demo_is_always_there() -> None:
    ids = [preset.id for preset in presets.REGISTRY]

    assert len(ids) == len(set(ids)) == 12
    assert presets.find("demo") is presets.DEMO
    assert presets.find("unknown") is None


async def test_the_demo_and_the_command_agent_are_available_everywhere() -> None:
    found = await probing.probe_all()

    assert found["demo"].state == found["command"].state == "available"
    assert isinstance(families.adapter_for(presets.DEMO, stage.Recorder()), AcpAdapter)
    assert isinstance(families.adapter_for(presets.COMMAND, stage.Recorder()), CommandAdapter)


async def test_a_program_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    found = await probing.probe(presets.CLAUDE, search=str(tmp_path))

    assert found.state == "not_found"
    assert not found.found
    assert "@agentclientprotocol/claude-agent-acp" in found.detail


async def test_an_installed_program_tells_its_version(tmp_path: Path) -> None:
    program(tmp_path, "vibe-acp", "echo vibe-acp 3.0.2")

    found = await probing.probe(presets.VIBE, search=str(tmp_path))

    assert (found.state, found.version) == ("available", "3.0.2")
    assert found.path == str(tmp_path / "vibe-acp")
    assert tmp_path in found.paths


async def test_without_a_key_the_login_is_named(tmp_path: Path) -> None:
    program(tmp_path, "vibe-acp", "echo 3.0.2")

    found = await probing.probe(presets.VIBE, search=str(tmp_path), has_credential=False)

    assert (found.state, found.detail) == ("auth_required", "Store a Mistral key.")
    assert found.found


async def test_an_old_node_is_an_error(tmp_path: Path) -> None:
    program(tmp_path, "claude-agent-acp", "echo 0.100.0")
    program(tmp_path, "node", "echo v20.20.2")

    found = await probing.probe(presets.CLAUDE, search=str(tmp_path))

    assert found.state == "error"
    assert found.detail == "It needs Node 22 or newer; this is v20.20.2"


async def test_an_npm_package_speaks_for_itself(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "@agentclientprotocol" / "claude-agent-acp"
    (package / "dist").mkdir(parents=True)
    facts = {"name": "claude-agent-acp", "version": "0.49.0", "engines": {"node": ">=18.0"}}
    (package / "package.json").write_text(json.dumps(facts))
    script = program(package / "dist", "index.js", "exit 1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "claude-agent-acp").symlink_to(script)
    program(tmp_path / "bin", "node", "echo v20.20.2")

    found = await probing.probe(presets.CLAUDE, search=str(tmp_path / "bin"))

    assert (found.state, found.version) == ("available", "0.49.0")
    assert tmp_path / "node_modules" in found.paths


@pytest.mark.parametrize(
    ("preset", "planning", "confined", "mode"),
    [
        (presets.CLAUDE, False, True, "default"),
        (presets.CLAUDE, True, True, "plan"),
        (presets.CODEX, False, True, "agent-full-access"),
        (presets.CODEX, False, False, "agent"),
        (presets.CODEX, True, True, "read-only"),
        (presets.VIBE, True, True, None),
        (presets.CUSTOM, False, True, None),
    ],
)
def test_agents_stay_in_their_asking_mode(
    preset: presets.Preset, *, planning: bool, confined: bool, mode: str | None
) -> None:
    assert presets.mode_for(preset, planning=planning, confined=confined) == mode


async def test_answers_are_kept_until_fresh_ones_are_wanted(tmp_path: Path) -> None:
    program(tmp_path, "vibe-acp", "echo 1.0.0")
    await probing.probe(presets.VIBE, search=str(tmp_path))
    program(tmp_path, "vibe-acp", "echo 2.0.0")

    kept = await probing.probe(presets.VIBE, search=str(tmp_path))
    fresh = await probing.probe(presets.VIBE, search=str(tmp_path), fresh=True)

    assert (kept.version, fresh.version) == ("1.0.0", "2.0.0")


@pytest.mark.parametrize(
    ("installed", "credentials", "chosen"),
    [
        ([], [], "demo"),
        (["claude", "codex"], [], "demo"),
        (["claude", "codex"], ["openai"], "codex"),
        (["opencode", "vibe"], ["mistral"], "opencode"),
    ],
)
def test_the_first_that_can_work_is_chosen(
    installed: list[str], credentials: list[str], chosen: str
) -> None:
    found = {
        preset.id: probing.Availability(
            state="available" if preset.id in {*installed, "demo", "command"} else "not_found"
        )
        for preset in presets.REGISTRY
    }

    assert probing.first_choice(found, credentials=credentials) == chosen


@pytest.mark.parametrize("preset", presets.REGISTRY, ids=lambda preset: preset.id)
def test_a_key_is_never_on_a_command_line(preset: presets.Preset, tmp_path: Path) -> None:
    launch = homes.prepare(preset, home=tmp_path / "home", access=ACCESS)

    assert "secret-key" not in " ".join(launch.command)
    assert "secret-key" not in repr(launch)
    assert "secret-key" not in repr(ACCESS)
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_claude_is_told_of_a_provider_by_its_environment(tmp_path: Path) -> None:
    access = homes.Access(provider="anthropic", key="k", base_url="http://127.0.0.1:9")

    launch = homes.prepare(presets.CLAUDE, home=tmp_path, access=access)

    assert launch.env["ANTHROPIC_API_KEY"] == "k"
    assert launch.env["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9"
    options = launch.session_meta["claudeCode"]["options"]
    assert options == {"settingSources": ["user"], "strictMcpConfig": True}


def test_codex_gets_a_configuration_file(tmp_path: Path) -> None:
    homes.prepare(presets.CODEX, home=tmp_path, access=ACCESS)

    config = tomllib.loads((tmp_path / ".codex/config.toml").read_text())
    assert config["model"] == "fake-model"
    assert config["model_providers"]["kanbanai"]["base_url"] == "http://127.0.0.1:9/v1"
    assert config["analytics"] == {"enabled": False}
    assert config["check_for_update_on_startup"] is False


def test_opencode_gets_a_configuration_file(tmp_path: Path) -> None:
    homes.prepare(presets.OPENCODE, home=tmp_path, access=ACCESS)

    config = json.loads((tmp_path / ".config/opencode/opencode.json").read_text())
    assert config["model"] == "kanbanai/fake-model"
    assert config["permission"] == {"edit": "ask", "bash": "ask"}


def test_opencode_speaks_to_a_server_of_either_kind(tmp_path: Path) -> None:
    access = homes.Access(provider="anthropic", key="k", base_url="http://h/", model="m")

    launch = homes.prepare(presets.OPENCODE, home=tmp_path, access=access)

    config = json.loads((tmp_path / ".config/opencode/opencode.json").read_text())
    provider = config["provider"]["kanbanai"]
    assert provider["npm"] == "@ai-sdk/anthropic"
    assert provider["options"] == {"baseURL": "http://h/v1", "apiKey": "{env:ANTHROPIC_API_KEY}"}
    assert launch.env["ANTHROPIC_API_KEY"] == "k"


def test_vibe_reads_a_mistral_key_from_its_own_variable(tmp_path: Path) -> None:
    access = homes.Access(provider="mistral", key="k", base_url="http://h/v1")

    launch = homes.prepare(presets.VIBE, home=tmp_path, access=access)

    config = tomllib.loads((tmp_path / ".vibe/config.toml").read_text())
    assert launch.env[config["providers"][0]["api_key_env_var"]] == "k"


def test_copilot_is_given_a_model_where_nobody_named_one(tmp_path: Path) -> None:
    access = homes.Access(provider="openai", key="k", base_url="http://h/v1")

    launch = homes.prepare(presets.COPILOT, home=tmp_path, access=access)

    assert launch.env["COPILOT_MODEL"] == "default"


@pytest.mark.parametrize(
    ("preset", "path"),
    [(presets.KIMI, ".kimi-code/config.toml"), (presets.VIBE, ".vibe/config.toml")],
)
def test_toml_files_are_read_as_they_were_meant(
    preset: presets.Preset, path: str, tmp_path: Path
) -> None:
    access = homes.Access(provider="openai", key='k"\n', base_url="http://h/v1", model='m"\\')

    homes.prepare(preset, home=tmp_path, access=access)

    text = (tmp_path / path).read_text()
    models = tomllib.loads(text)["models"]
    model = models["kanbanai"]["model"] if isinstance(models, dict) else models[0]["name"]
    assert model == 'm"\\'


def test_a_profile_may_replace_the_command_and_add_to_the_environment(tmp_path: Path) -> None:
    launch = homes.prepare(
        presets.CUSTOM, home=tmp_path, command=("my-agent",), extra_args=("-v",), env={"A": "b"}
    )

    assert launch.command == ("my-agent", "-v")
    assert launch.env == {"A": "b"}


@pytest.mark.parametrize(
    ("base_url", "ports"),
    [
        ("http://127.0.0.1:11434/v1", (11434,)),
        ("https://models.example.test/v1", ()),
        ("http://h:port", ()),
        ("", ()),
    ],
)
def test_the_port_of_a_model_is_let_through(
    base_url: str, ports: tuple[int, ...], tmp_path: Path
) -> None:
    access = homes.Access(provider="openai", base_url=base_url)

    assert homes.prepare(presets.VIBE, home=tmp_path, access=access).connect_ports == ports


def test_an_agent_with_a_server_of_its_own_is_given_a_port(tmp_path: Path) -> None:
    launch = homes.prepare(presets.OPENCODE, home=tmp_path)

    assert launch.command[:3] == ("opencode", "acp", "--port")
    assert launch.connect_ports == (int(launch.command[3]),)


def test_a_link_in_the_home_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    home = tmp_path / "home"
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "config.toml").symlink_to(target)

    with pytest.raises(OSError, match="symbolic links"):
        homes.prepare(presets.CODEX, home=home, access=ACCESS)

    assert target.read_text() == "precious"


def test_files_of_an_agent_are_excluded_once(world: stage.World) -> None:
    homes.exclude(world.git_dir, (".fast-agent/",))
    homes.exclude(world.git_dir, (".fast-agent/",))
    (world.worktree / ".fast-agent").mkdir()
    (world.worktree / ".fast-agent" / "x").write_text("x")

    assert world.status() == ""
    assert (world.git_dir / "info/exclude").read_text().count(".fast-agent/") == 1
