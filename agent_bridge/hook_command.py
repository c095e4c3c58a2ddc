"""`agent-bridge hook` for the command line's help; `agent_bridge.entry` goes to `agent_bridge.hook` without it."""

import sys

import click

from agent_bridge.hook import main


# Nothing is parsed here: click's exit code for wrong usage is 2, which tells Claude Code to block the tool.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", metavar="", nargs=-1, type=click.UNPROCESSED)
def hook(options: tuple[str, ...]) -> None:
    """Report a hook of Claude Code, whose JSON is on stdin, and print the coordinator's answer.

    It never breaks the agent: whatever goes wrong is one line on stderr, and the exit code is 0. Where
    the coordinator asks for a token, AGENT_ORCHESTRATOR_TOKEN is the one.

    \b
    Options:
      --api-url U     Without it: AGENT_ORCHESTRATOR_API_URL, the local default.
      --timeout-ms N  How long the agent may be kept waiting.  [default: 300]
    """  # noqa: D301  the control character is click's mark for lines to be kept
    sys.exit(main(list(options)))
