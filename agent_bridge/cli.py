"""The command line `agent-bridge`. A command's module is imported when the command is used: hooks run it often."""

from importlib import import_module

import click

# Command: the module and the name in it, and the line in the list of commands.
COMMANDS = {
    "install": ("agent_bridge.install", "install", "Have Claude Code report to the coordinator."),
    "uninstall": ("agent_bridge.install", "uninstall", "Have Claude Code report to the coordinator no longer."),
    "run": ("agent_bridge.run", "run", "Run any command as a session that can be stopped."),
    "ps": ("agent_bridge.listing", "ps", "List the sessions."),
    "tail": ("agent_bridge.tail", "tail", "Follow a session's events."),
    "stop": ("agent_bridge.stop", "stop", "Stop sessions."),
    "hook": ("agent_bridge.hook_command", "hook", "Report a hook of Claude Code."),
    "watch": ("agent_bridge.watch", "watch", "Watch an agent's program, as its hook."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The names, in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  likewise
        """Imports the command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="agent-orchestrator", prog_name="agent-bridge")
def main() -> None:
    """Connects agents to the orchestrator: reports what they do, and stops them when told to."""


if __name__ == "__main__":
    main()
