"""A home of its own for each attempt: the settings files and variables an agent reads there.

Keys go into files of mode 0600 or variables, never onto a command line.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.agents.adapters.presets import Preset, ProviderEnv


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to reach a model: a provider's key and address, and which model. `key` is a secret."""

    provider: str
    key: str = field(default="", repr=False)
    base_url: str = ""
    model: str = ""
    # The key is the token of a login: it is shown as a bearer.
    is_token: bool = False


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What starts an agent, and the ports its model is reached by: goes into a session's spec.

    `secrets` are those of `env` that nobody but the agent may see, by name.
    """

    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    session_meta: Mapping[str, Any]
    connect_ports: tuple[int, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def prepare(
    preset: Preset,
    *,
    home: Path,
    access: Access | None = None,
    command: tuple[str, ...] = (),
    extra_args: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> Launch:
    """This will fill an attempt's home for an agent and give what starts it there.

    `command` replaces the preset's own; `extra_args` follow it; `env` wins over everything. For a
    preset that is not told of a model otherwise, set the model as an option of the session.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = dict(preset.env)
    variables |= {name: os.environ[name] for name in preset.passes if name in os.environ}
    if access is not None:
        variables |= _variables(preset, access)
        writer = _WRITERS.get(preset.writes)
        if writer is not None:
            writer(home, access)
    elif preset.writes in _WITH_KEY:
        # Of an earlier turn, with a key that was taken away since.
        (home / _WITH_KEY[preset.writes]).unlink(missing_ok=True)
    own_port = _free_port() if preset.port_argument else 0
    arguments = (
        *(command or preset.command),
        *_model_arguments(preset, access),
        *((preset.port_argument, str(own_port)) if own_port else ()),
        *extra_args,
    )
    whole = {**variables, **(env or {})}
    return Launch(
        command=arguments,
        env=whole,
        session_meta=preset.session_meta,
        connect_ports=(*_ports(access), *((own_port,) if own_port else ())),
        secrets=_secrets(whole, access),
    )


def _secrets(variables: Mapping[str, str], access: Access | None) -> dict[str, str]:
    """The key wherever it stands, and what else is called one."""
    key = access.key if access is not None else ""
    found = {
        name: value
        for name, value in variables.items()
        if value and (value == key or _SECRET_NAME.search(name))
    }
    # Also where only a file of the home holds it.
    return {**found, "": key} if key and key not in found.values() else found


def exclude(git_dir: Path, patterns: tuple[str, ...]) -> None:
    """This will keep files that an agent leaves in worktrees out of every commit."""
    if not patterns:
        return
    path = git_dir / "info" / "exclude"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = path.read_text(encoding="utf-8") if path.is_file() else ""
    missing = [pattern for pattern in patterns if pattern not in known.splitlines()]
    if missing:
        before = known if not known or known.endswith("\n") else f"{known}\n"
        path.write_text(before + "\n".join(missing) + "\n", encoding="utf-8")


def _variables(preset: Preset, access: Access) -> dict[str, str]:
    names = preset.providers.get(access.provider)
    if names is None:
        return {}
    pairs = (
        (_key_name(names, access), access.key),
        (names.base_url, access.base_url),
        (names.model, access.model),
    )
    found = {name: value for name, value in pairs if name and value}
    if preset.id == "copilot" and access.base_url:
        found["COPILOT_OFFLINE"] = "true"
        # It refuses to start without any; most servers with one model take every name.
        found.setdefault(names.model, "default")
    return found


def _key_name(names: ProviderEnv, access: Access) -> str:
    """A token of the provider's own login has one name, one for a gateway another."""
    if not access.is_token:
        return names.api_key
    return (names.bearer if access.base_url else names.token) or names.api_key


def _ports(access: Access | None) -> tuple[int, ...]:
    """The port of an address of one's own, which a sandbox that filters has to let through."""
    if access is None or not access.base_url:
        return ()
    try:
        port = urlsplit(access.base_url).port
    except ValueError:
        return ()
    return () if port is None else (port,)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _model_arguments(preset: Preset, access: Access | None) -> tuple[str, ...]:
    if preset.id != "fast-agent" or access is None or not access.model:
        return ()
    prefix = "generic." if access.provider == "openai" else ""
    return ("--model", f"{prefix}{access.model}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _quoted(value: str) -> str:
    # A JSON string is a TOML string as well.
    return json.dumps(value, ensure_ascii=False)


def _codex(home: Path, access: Access) -> None:
    lines = ["check_for_update_on_startup = false", "[analytics]", "enabled = false"]
    if access.base_url:
        top = ['model_provider = "kanbanai"']
        top += [f"model = {_quoted(access.model)}"] if access.model else []
        lines = [
            *top,
            *lines,
            "[model_providers.kanbanai]",
            'name = "kanbanai"',
            f"base_url = {_quoted(access.base_url)}",
            'env_key = "OPENAI_API_KEY"',
            'wire_api = "responses"',
        ]
    elif access.model:
        lines = [f"model = {_quoted(access.model)}", *lines]
    _write(home / ".codex" / "config.toml", "\n".join(lines) + "\n")


# How OpenCode speaks to a server of one's own: package, what follows its address, and the key.
_OPENCODE = {
    "openai": ("@ai-sdk/openai-compatible", "", "OPENAI_API_KEY"),
    "anthropic": ("@ai-sdk/anthropic", "/v1", "ANTHROPIC_API_KEY"),
}


def _opencode(home: Path, access: Access) -> None:
    config: dict[str, Any] = {
        "autoupdate": False,
        "share": "disabled",
        "permission": {"edit": "ask", "bash": "ask"},
    }
    if access.base_url:
        model = access.model or "default"
        package, path, key = _OPENCODE.get(access.provider, _OPENCODE["openai"])
        config["provider"] = {
            "kanbanai": {
                "npm": package,
                "name": "kanbanai",
                "options": {
                    "baseURL": access.base_url.rstrip("/") + path,
                    "apiKey": f"{{env:{key}}}",
                },
                "models": {model: {"name": model}},
            }
        }
        config["model"] = f"kanbanai/{model}"
    elif access.model:
        config["model"] = access.model
    _write(home / ".config" / "opencode" / "opencode.json", json.dumps(config, indent=2))


def _gemini(home: Path, access: Access) -> None:  # noqa: ARG001
    config = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True},
    }
    _write(home / ".gemini" / "settings.json", json.dumps(config, indent=2))


def _qwen(home: Path, access: Access) -> None:  # noqa: ARG001
    config = {
        "security": {"auth": {"selectedType": "openai"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True},
    }
    _write(home / ".qwen" / "settings.json", json.dumps(config, indent=2))


def _kimi(home: Path, access: Access) -> None:
    model = access.model or "default"
    lines = [
        'default_model = "kanbanai"',
        "[providers.kanbanai]",
        'type = "openai"',
        *([f"base_url = {_quoted(access.base_url)}"] if access.base_url else []),
        f"api_key = {_quoted(access.key)}",
        "[models.kanbanai]",
        'provider = "kanbanai"',
        f"model = {_quoted(model)}",
        "max_context_size = 131072",
    ]
    _write(home / _WITH_KEY["kimi"], "\n".join(lines) + "\n")


def _vibe(home: Path, access: Access) -> None:
    lines = ["enable_update_checks = false", "enable_telemetry = false"]
    key = "MISTRAL_API_KEY" if access.provider == "mistral" else "OPENAI_API_KEY"
    if access.base_url:
        lines = [
            'active_model = "kanbanai"',
            *lines,
            "[[providers]]",
            'name = "kanbanai"',
            f"api_base = {_quoted(access.base_url)}",
            f"api_key_env_var = {_quoted(key)}",
            'api_style = "openai"',
            'backend = "generic"',
            "[[models]]",
            f"name = {_quoted(access.model or 'default')}",
            'provider = "kanbanai"',
            'alias = "kanbanai"',
        ]
    _write(home / ".vibe" / "config.toml", "\n".join(lines) + "\n")


# The settings files that hold a key themselves.
_WITH_KEY = {"kimi": Path(".kimi-code") / "config.toml"}
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(?:_|$)", re.IGNORECASE
)

_WRITERS: dict[str, Callable[[Path, Access], None]] = {
    "codex": _codex,
    "opencode": _opencode,
    "gemini": _gemini,
    "qwen": _qwen,
    "kimi": _kimi,
    "vibe": _vibe,
}
