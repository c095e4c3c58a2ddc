import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from agent_bridge.cli import COMMANDS, main


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name, (_, _, line) in COMMANDS.items():
        assert name in result.output
        assert line.split()[0] in result.output


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_it_is_said_to_be_and_has_help(name: str) -> None:
    assert isinstance(main.get_command(click.Context(main), name), click.Command)
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_a_command_that_is_not_there_is_said_to_be_missing() -> None:
    result = CliRunner().invoke(main, ["fly"])
    assert result.exit_code == 2
    assert "No such command 'fly'" in result.output


def test_the_list_of_commands_imports_none_of_them() -> None:
    program = f"""
import sys
from agent_bridge.cli import main
main(["--help"], standalone_mode=False)
loaded = [module for module in {[module for module, _, _ in COMMANDS.values()]!r} if module in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agent_bridge.cli", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "Commands:" in done.stdout
