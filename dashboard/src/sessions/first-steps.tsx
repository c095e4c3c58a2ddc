import { Activity } from "lucide-react";

import { identityOf } from "@/access/access";
import { useAccess } from "@/app/backend";
import { Empty } from "@/ui/empty";

import { Snippet } from "./resume-dialog";

const PYTHON = `import asyncio
from agent_bridge import AgentBridge, SessionStopped


async def main():
    async with AgentBridge(session_id="demo", agent_name="counter") as bridge:
        for n in range(1000):
            await bridge.message("assistant", f"step {n}")
            await bridge.run(asyncio.sleep(1))  # Stop cancels this


try:
    asyncio.run(main())
except SessionStopped as stopped:
    print(stopped)`;

const CLAUDE_CODE = ".venv/bin/agent-bridge install claude-code\nclaude";
const WITH_TOKEN =
  "export AGENT_ORCHESTRATOR_TOKEN=…   # with the role agent\n.venv/bin/agent-bridge install claude-code --token\nclaude";

/** What is shown before there is any session: how to get one. */
export function FirstSteps() {
  const needed = useAccess((state) => identityOf(state)?.authentication === "token");
  return (
    <Empty icon={<Activity aria-hidden />} title="No agent has reported yet">
      <p>A session appears here by itself, with the first thing that an agent reports.</p>
      <div className="flex w-full flex-col gap-4 pt-2 text-left">
        <section>
          <h3 className="font-medium text-ink">Claude Code, seen and stopped</h3>
          <p className="mb-2">Adds hooks to its settings. Run it in the folder where the server was started.</p>
          <Snippet text={needed ? WITH_TOKEN : CLAUDE_CODE} label="Copy the commands" />
        </section>
        <section>
          <h3 className="font-medium text-ink">An agent in Python</h3>
          <p className="mb-2">
            As <code className="font-mono text-xs">agent.py</code> in that folder, then{" "}
            <code className="font-mono text-xs">.venv/bin/python agent.py</code>
          </p>
          <Snippet text={PYTHON} label="Copy the agent" />
        </section>
      </div>
    </Empty>
  );
}
