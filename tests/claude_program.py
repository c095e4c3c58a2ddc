"""A program that uses the Claude Agent SDK: `python -m tests.claude_program MODE SESSION_ID ROOT API_URL PROMPT…`.

It gives each prompt and reads its answer, and says on standard output what it sees. Then, by mode: `leave`s; `stay`s
in code of its own; `block`s the event loop. `hurry`: gives all prompts at once and leaves. `continue`: goes on with the
last conversation and leaves.
"""

import asyncio
import sys
import time
from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions

from agent_bridge import SessionStopped
from agent_bridge.claude import BridgedClaudeClient
from tests.claude_code import ClaudeCode

STOPPED = 3
_BLOCKED_SECONDS = 600


def say(word: str) -> None:
    print(word, flush=True)


async def work(mode: str, session_id: str, claude: ClaudeCode, prompts: list[str]) -> None:
    options = ClaudeAgentOptions(
        cwd=claude.project, env=claude.environment(), allowed_tools=["Bash", "Task"], setting_sources=[],
        include_partial_messages=True, continue_conversation=mode == "continue",
    )  # fmt: skip
    async with BridgedClaudeClient(options, session_id=session_id) as client:
        for batch in [prompts] if mode == "hurry" else [[prompt] for prompt in prompts]:
            for prompt in batch:
                await client.query(prompt)
            async for message in client.receive_response():
                say(type(message).__name__)
        say(mode)
        if mode == "block":
            time.sleep(_BLOCKED_SECONDS)
        elif mode == "stay":
            # Nothing here hears of a stop.
            await asyncio.Event().wait()


def main() -> None:
    mode, session_id, root, api_url, *prompts = sys.argv[1:]
    try:
        asyncio.run(work(mode, session_id, ClaudeCode(Path(root), api_url), prompts))
    except SessionStopped:
        say("SessionStopped")
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
