"""`python -P -m apps.agents.adapters.demo_agent`: the demo agent on stdin and stdout."""

import asyncio
import sys

from apps.agents.adapters.demo_agent import agent, wire


async def main() -> int:
    """This will serve one client until it closes our input."""
    line = await wire.connect()
    await line.serve(agent.DemoAgent(line))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
