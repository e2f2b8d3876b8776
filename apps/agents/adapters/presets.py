"""The agents we know how to start, as data.

Agents are never installed into the product's own environment: a preset names the program, and
`probe` tells whether this host has it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

_DEMO_START = Path(__file__).resolve().parent / "demo_agent" / "start.py"

Family = Literal["acp", "command"]
PlanStrategy = Literal["native", "emulated"]
ResumeStrategy = Literal["resume", "load", "none"]


@dataclass(frozen=True, kw_only=True)
class ProviderEnv:
    """The variables through which an agent learns of a provider; empty where it has none.

    `token` takes the token of a login at the provider, `bearer` one for an address of one's own.
    """

    api_key: str = ""
    token: str = ""
    bearer: str = ""
    base_url: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How to start one kind of agent and what to expect of it.

    `modes` maps our words (`ask`, `accept_edits`, `plan`, `full`) to the agent's own; `confined` is
    the one for a sandbox of ours where that differs.
    `restarts_cost`: its cost counts from zero in each process. `excludes` are files it leaves in
    the worktree. `writes` names a writer of `homes`; `passes` are variables of the worker it gets.
    """

    id: str
    label: str
    family: Family = "acp"
    command: tuple[str, ...] = ()
    version_args: tuple[str, ...] = ("--version",)
    env: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, ProviderEnv] = field(default_factory=dict)
    needs_credential: bool = False
    modes: Mapping[str, str] = field(default_factory=dict)
    plan: PlanStrategy = "native"
    resume: ResumeStrategy = "resume"
    restarts_cost: bool = True
    session_meta: Mapping[str, Any] = field(default_factory=dict)
    excludes: tuple[str, ...] = ()
    package: str = ""
    version: str = ""
    node: int = 0
    login: str = ""
    writes: str = ""
    passes: tuple[str, ...] = ()
    # For agents that talk to a server of their own: a sandbox has to know its port.
    port_argument: str = ""


_ANTHROPIC = ProviderEnv(
    api_key="ANTHROPIC_API_KEY",
    token="CLAUDE_CODE_OAUTH_TOKEN",  # noqa: S106 - the name of a variable
    bearer="ANTHROPIC_AUTH_TOKEN",
    base_url="ANTHROPIC_BASE_URL",
    model="ANTHROPIC_MODEL",
)
_OPENAI = ProviderEnv(api_key="OPENAI_API_KEY", base_url="OPENAI_BASE_URL", model="OPENAI_MODEL")
_GEMINI = ProviderEnv(
    api_key="GEMINI_API_KEY", base_url="GOOGLE_GEMINI_BASE_URL", model="GEMINI_MODEL"
)
_MISTRAL = ProviderEnv(api_key="MISTRAL_API_KEY")
# For programs of which nothing is known: every name that is usual.
_ANY = {"anthropic": _ANTHROPIC, "openai": _OPENAI, "google": _GEMINI, "mistral": _MISTRAL}

CLAUDE = Preset(
    id="claude",
    label="Claude Code",
    command=("claude-agent-acp",),
    env={
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
    },
    providers={"anthropic": _ANTHROPIC},
    needs_credential=True,
    modes={"ask": "default", "accept_edits": "acceptEdits", "plan": "plan"},
    # Without these a repository's own settings run commands before anybody is asked.
    session_meta={"claudeCode": {"options": {"settingSources": ["user"], "strictMcpConfig": True}}},
    package="@agentclientprotocol/claude-agent-acp",
    version="0.100.0",
    node=22,
    login="Run `claude` once and log in, or store an Anthropic key.",
)
CODEX = Preset(
    id="codex",
    label="Codex",
    command=("codex-acp",),
    env={"NO_BROWSER": "1"},
    providers={"openai": _OPENAI},
    needs_credential=True,
    # Its own sandbox fails silently inside ours, so it is told to leave that to us.
    modes={"ask": "agent", "plan": "read-only", "confined": "agent-full-access"},
    package="@agentclientprotocol/codex-acp",
    version="2.6.0",
    node=22,
    login="Run `codex login`, or store an OpenAI key.",
    writes="codex",
)
OPENCODE = Preset(
    id="opencode",
    label="OpenCode",
    command=("opencode", "acp"),
    env={"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
    providers={"openai": _OPENAI, "anthropic": _ANTHROPIC},
    modes={"ask": "build", "plan": "plan"},
    restarts_cost=False,
    excludes=(".opencode/",),
    port_argument="--port",
    package="opencode-ai",
    version="1.18.33",
    login="Run `opencode auth login`, or store a key.",
    writes="opencode",
)
GEMINI = Preset(
    id="gemini",
    label="Gemini CLI",
    command=("gemini", "--acp"),
    providers={"google": _GEMINI},
    needs_credential=True,
    modes={"ask": "default", "accept_edits": "autoEdit", "plan": "plan", "full": "yolo"},
    resume="load",
    excludes=(".gemini/",),
    package="@google/gemini-cli",
    version="0.61.0",
    node=20,
    login="Store a Gemini key.",
    writes="gemini",
)
COPILOT = Preset(
    id="copilot",
    label="GitHub Copilot CLI",
    command=("copilot", "--acp"),
    env={"COPILOT_AUTO_UPDATE": "false"},
    providers={
        "openai": ProviderEnv(
            api_key="COPILOT_PROVIDER_API_KEY",
            base_url="COPILOT_PROVIDER_BASE_URL",
            model="COPILOT_MODEL",
        )
    },
    modes={"ask": "agent", "plan": "plan", "full": "autopilot"},
    resume="load",
    package="@github/copilot",
    version="1.0.102",
    node=22,
    login="Run `copilot` once and log in, or store a key of a compatible provider.",
)
KIMI = Preset(
    id="kimi",
    label="Kimi Code",
    command=("kimi", "acp"),
    providers={"openai": _OPENAI},
    needs_credential=True,
    modes={"ask": "default", "plan": "plan", "accept_edits": "auto", "full": "yolo"},
    package="@moonshot-ai/kimi-code",
    version="2.1.0",
    node=22,
    login="Store a key.",
    writes="kimi",
)
QWEN = Preset(
    id="qwen",
    label="Qwen Code",
    command=("qwen", "--acp"),
    providers={"openai": _OPENAI},
    needs_credential=True,
    modes={"ask": "default", "accept_edits": "auto-edit", "plan": "plan", "full": "yolo"},
    # It says that it can resume and does not know the method.
    resume="none",
    excludes=(".qwen/",),
    package="@qwen-code/qwen-code",
    version="0.15.10",
    node=20,
    login="Store a key of an OpenAI-compatible provider.",
    writes="qwen",
)
VIBE = Preset(
    id="vibe",
    label="Mistral Vibe",
    command=("vibe-acp",),
    providers={
        "openai": _OPENAI,
        "mistral": _MISTRAL,
    },
    needs_credential=True,
    modes={"ask": "ask", "accept_edits": "accept-edits", "full": "auto-approve"},
    plan="emulated",
    resume="load",
    excludes=(".vibe/",),
    package="mistral-vibe",
    version="3.0.2",
    login="Store a Mistral key.",
    writes="vibe",
)
FAST_AGENT = Preset(
    id="fast-agent",
    label="fast-agent",
    command=("fast-agent-acp", "-x"),
    providers={
        "openai": ProviderEnv(api_key="GENERIC_API_KEY", base_url="GENERIC_BASE_URL"),
        "anthropic": _ANTHROPIC,
    },
    needs_credential=True,
    plan="emulated",
    excludes=(".fast-agent/",),
    package="fast-agent-mcp",
    version="0.10.46",
    login="Store a key.",
)
CUSTOM = Preset(
    id="custom",
    label="Other agent (ACP)",
    providers=_ANY,
    plan="emulated",
)
COMMAND = Preset(
    id="command",
    label="Shell script",
    family="command",
    command=("/bin/sh",),
    version_args=(),
    providers=_ANY,
    modes={"ask": "ask", "accept_edits": "ask", "full": "auto"},
    plan="emulated",
    resume="none",
)
DEMO = Preset(
    id="demo",
    label="Demo agent",
    command=(sys.executable, "-I", "-S", str(_DEMO_START)),
    version_args=(),
    modes={"ask": "default", "accept_edits": "default", "plan": "plan", "full": "auto"},
    restarts_cost=False,
    passes=("KANBANAI_DEMO_SPEED",),
)

# In the order of preference for a first attempt; what is not installed is passed over.
REGISTRY: tuple[Preset, ...] = (
    CLAUDE,
    CODEX,
    OPENCODE,
    GEMINI,
    COPILOT,
    KIMI,
    QWEN,
    VIBE,
    FAST_AGENT,
    CUSTOM,
    DEMO,
    COMMAND,
)
_BY_ID = {preset.id: preset for preset in REGISTRY}


def find(preset_id: str) -> Preset | None:
    """This will be the preset of that id, or None."""
    return _BY_ID.get(preset_id)


def mode_for(preset: Preset, *, planning: bool, confined: bool) -> str | None:
    """This will be the agent's mode for a turn: its asking one, since the policy is ours.

    `confined` says that a sandbox of ours is around it. None leaves the agent's own default.
    """
    word = "plan" if planning else "confined" if confined else "ask"
    return preset.modes.get(word) or (None if planning else preset.modes.get("ask"))
