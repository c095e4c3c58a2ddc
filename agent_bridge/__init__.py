"""What an agent embeds so that people can see it live, and stop it.

    async with AgentBridge(session_name="nightly review") as bridge:
        await bridge.message("assistant", "Reading the change …")
        result = await bridge.run(review())     # cancelled when somebody presses Stop

`AgentBridge` is for asyncio, `BlockingAgentBridge` for plain threads. Nothing connects at import.
"""

from agent_bridge.blocking import BlockingAgentBridge
from agent_bridge.bridge import AgentBridge
from agent_bridge.errors import BridgeError, SessionStopped
from agent_bus.commands import StopCommand

__all__ = ["AgentBridge", "BlockingAgentBridge", "BridgeError", "SessionStopped", "StopCommand"]
