"""What an agent embeds so that people can see it live, and stop it.

    async with AgentBridge(session_name="nightly review") as bridge:
        await bridge.message("assistant", "Reading the change …")
        result = await bridge.run(review())     # cancelled when somebody presses Stop

`AgentBridge` is for asyncio, `BlockingAgentBridge` for plain threads. Nothing connects at import. A name's module is
imported when the name is first used: `agent-bridge hook` lives in this package too, and runs twice for each tool call.
"""

# Type checkers take the name for true; the one in `typing` would cost an import of several milliseconds.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from agent_bridge.blocking import BlockingAgentBridge
    from agent_bridge.bridge import AgentBridge
    from agent_bridge.errors import BridgeError, SessionStopped
    from agent_bus.commands import StopCommand
else:
    _HOMES = {
        "AgentBridge": "agent_bridge.bridge",
        "BlockingAgentBridge": "agent_bridge.blocking",
        "BridgeError": "agent_bridge.errors",
        "SessionStopped": "agent_bridge.errors",
        "StopCommand": "agent_bus.commands",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        # Kept, so that this is asked once.
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = ["AgentBridge", "BlockingAgentBridge", "BridgeError", "SessionStopped", "StopCommand"]
