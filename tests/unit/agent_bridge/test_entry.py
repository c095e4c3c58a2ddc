import os
import subprocess
import sys
from pathlib import Path

import pytest

import agent_bridge
from tests.unit.agent_bridge.small_servers import answering, listening

REPOSITORY = Path(__file__).resolve().parents[3]
# What a hook must not pay for, at several milliseconds each.
DEAR = (
    "click", "asyncio", "http", "email", "json", "re", "logging", "pathlib", "typing", "threading", "urllib",
    "argparse", "dataclasses", "datetime", "subprocess", "tempfile", "ssl", "contextlib", "importlib.util", "inspect",
    "random", "encodings.idna", "socket", "selectors", "enum",
)  # fmt: skip


def python(program: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program, *arguments], input="{}", capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


def test_a_hook_imports_next_to_nothing() -> None:
    program = f"""
import sys
from agent_bridge.entry import main
code = main()
sys.exit(code or sorted(set({DEAR!r}) & set(sys.modules)) or len(sys.modules) > 70 and sorted(sys.modules))
"""
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as port:
        # Without `site`, which in a development's environment brings some of them by itself.
        done = python(program, "hook", "--api-url", f"http://localhost:{port}", options=("-S",))
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}", "")


def test_everything_but_a_hook_goes_to_the_command_line() -> None:
    program = "import sys; from agent_bridge.entry import main; sys.exit(main())"
    assert "Commands:" in python(program, "--help").stdout
    assert "--timeout-ms" in python(program, "hook", "--help").stdout
    assert python(program, "fly").returncode == 2


@pytest.mark.parametrize("arguments", [("--fly",), ("--timeout-ms",), ("--timeout-ms", "soon"), ("--api-url", "?")])
@pytest.mark.parametrize("module", ["entry", "cli"])
def test_a_hook_exits_with_0_whatever_it_is_given(module: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"agent_bridge.{module}", "hook", *arguments], input="{}", capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("agent-bridge hook: ")
    assert done.stderr.count("\n") == 1


def test_the_package_offers_its_names_without_loading_them() -> None:
    assert python("import sys, agent_bridge; sys.exit('agent_bridge.bridge' in sys.modules)").returncode == 0
    names = {"AgentBridge", "BlockingAgentBridge", "BridgeError", "SessionStopped", "StopCommand"}
    assert names == set(agent_bridge.__all__) <= set(dir(agent_bridge))
    assert all(getattr(agent_bridge, name).__name__ == name for name in names)
    assert not hasattr(agent_bridge, "Nonsense")
