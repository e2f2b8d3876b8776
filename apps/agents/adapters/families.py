"""Which adapter drives which agent; imports the protocol's SDK, so only workers need it."""

from apps.agents.adapters import presets
from apps.agents.adapters.acp.adapter import AcpAdapter
from apps.agents.adapters.base import AgentAdapter, Sink
from apps.agents.adapters.command import CommandAdapter


def adapter_for(preset: presets.Preset, sink: Sink) -> AgentAdapter:
    """This will be a new adapter for an agent."""
    return CommandAdapter(sink) if preset.family == "command" else AcpAdapter(sink)
