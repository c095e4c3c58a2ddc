"""A program that asks its hooks over HTTP, as Claude Code does, in one session of its own."""

import uuid

from tests.faults.faults import Fault
from tests.faults.replicas import Answer

TOOL = {"tool_name": "Bash", "tool_input": {}, "tool_use_id": "t1"}


class HookProgram:
    """Use `begin()`, and then whatever is wanted; what is not as promised the fault complains of."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self.session_id = f"hooks-{uuid.uuid4().hex[:12]}"

    async def ask(self, hook: str, **fields: object) -> Answer:
        """Asks whether it may go on."""
        body = {"hook_event_name": hook, "session_id": self.session_id, "cwd": "/", "prompt_id": "p1", **fields}
        return await self._fault.load.coordinators.ask("POST", "/hooks/claude-code", json=body)

    async def begin(self) -> None:
        """A person asks it for something."""
        answer = await self.ask("UserPromptSubmit", prompt="go on")
        if answer.status != 200:
            self._fault.complain(f"the first hook of a program is answered {answer.status}: {answer.text}")

    async def is_stopped(self) -> None:
        """Somebody stops it: it is told so at its next hook, and that is confirmed."""
        load = self._fault.load
        await load.stop(self.session_id)
        answer = await self.ask("PreToolUse", **TOOL)
        if answer.status != 200 or answer.body.get("continue") is not False:
            self._fault.complain(f"a program that is to stop is answered {answer.status}: {answer.text}")
        await load.shows(self.session_id, status="stopped", stop_confirmed=True)
