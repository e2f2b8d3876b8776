"""The app's place in the project; `ready` wires what cannot be imported."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "apps.agents"
    label = "agents"

    def ready(self) -> None:
        """This will register checks, the reactions to what happens, and our part of snapshots."""
        import_module("apps.agents.checks")
        import_module("apps.agents.reactions").wire()
