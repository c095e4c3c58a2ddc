"""Where the command `agent-bridge` begins: a hook goes straight to its work, everything else to the command line."""

import sys


def main() -> int:
    """The exit code, where the command line does not exit by itself."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["hook"] and not {"-h", "--help"}.intersection(arguments):
        from agent_bridge.hook import main as hook

        return hook(arguments[1:])
    from agent_bridge.cli import main as command_line

    command_line()
    return 0


if __name__ == "__main__":
    sys.exit(main())
