"""Starts the demo agent by this file's path, in an interpreter that is isolated.

No search path leads to our code then: nothing in a worktree can stand in for it, and a sandbox
need not show the folder around it.
"""

import runpy
import sys
import types
from pathlib import Path

apps = types.ModuleType("apps")
apps.__path__ = [str(Path(__file__).resolve().parents[3])]
sys.modules["apps"] = apps
runpy.run_module("apps.agents.adapters.demo_agent", run_name="__main__")
