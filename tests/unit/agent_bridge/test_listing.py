import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from agent_bridge.listing import line_of, one_line, ps, table
from tests.processes import free_port
from tests.unit.agent_bridge.small_servers import SmallCoordinator, small_coordinator

TIME = "2026-01-24T10:00:00.123456+00:00"
CLOCK = datetime.fromisoformat(TIME).astimezone().strftime("%H:%M:%S")


def session(session_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "session_id": session_id, "session_name": session_id, "status": "running", "created_at": TIME,
        "modified_at": TIME, "project_dir": None, "agent_name": None, "presence": "none",
    } | fields  # fmt: skip


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


@pytest.fixture
def told() -> Iterator[SmallCoordinator]:
    with small_coordinator() as server:
        yield server


def invoke(server: SmallCoordinator, *arguments: str) -> Result:
    return CliRunner().invoke(ps, ["--api-url", server.url, *arguments])


def test_the_running_sessions_are_a_table(told: SmallCoordinator) -> None:
    named = session("s1", session_name="Nightly", agent_name="reviewer", presence="connected", project_dir="/src/app")
    told.answers["GET", "/sessions?status=running"] = 200, {"sessions": [named], "next": "2"}
    told.answers["GET", "/sessions?status=running&cursor=2"] = 200, {"sessions": [session("another-id")], "next": None}
    result = invoke(told)
    assert (result.exit_code, result.stderr) == (0, "")
    heading, first, second = result.stdout.splitlines()
    assert heading.split("  ")[0] == "NAME"
    for words in ("Nightly", "s1", "reviewer", "running", "connected", "/src/app"):
        assert words in first
    assert second.startswith("-")
    assert first.index("s1") == second.index("another-id") == heading.index("ID")
    assert first.index("/src/app") == heading.index("PROJECT")


def test_all_means_those_that_are_over_too(told: SmallCoordinator) -> None:
    told.answers["GET", "/sessions"] = 200, {"sessions": [session("s1", status="finished")], "next": None}
    assert "finished" in invoke(told, "--all").stdout


def test_json_is_what_the_api_gives(told: SmallCoordinator) -> None:
    sessions = [session("s1", session_name="ü\n", run="1.5", new={"field": [1]}), session("s2")]
    told.answers["GET", "/sessions?status=running"] = 200, {"sessions": sessions, "next": None}
    lines = invoke(told, "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == sessions


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_session_is_said_beside(told: SmallCoordinator, arguments: tuple[str, ...]) -> None:
    told.answers["GET", "/sessions?status=running"] = 200, {"sessions": [], "next": None}
    result = invoke(told, *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "agent-bridge: no session is running\n")


def test_nobody_there_is_one_line() -> None:
    result = CliRunner().invoke(ps, ["--api-url", f"http://localhost:{free_port()}"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "make up" in result.stderr


def test_a_url_that_is_none_is_wrong_usage() -> None:
    result = CliRunner().invoke(ps, ["--api-url", "localhost"])
    assert result.exit_code == 2
    assert "--api-url or AGENT_ORCHESTRATOR_API_URL" in result.stderr


@pytest.mark.parametrize(
    ("length", "said"),
    [({"seconds": -30}, "0s"), ({"seconds": 5.5}, "5s"), ({"minutes": 59.9}, "59m"), ({"hours": 23.9}, "23h"),
     ({"days": 400.5}, "400d")],
)  # fmt: skip
def test_ages_are_short(length: dict[str, float], said: str) -> None:
    _, row = table([session("s", created_at=ago(**length), modified_at=ago(**length))])
    assert row.split()[-4:] == [said, said, "ago", "-"]


def test_wide_and_combined_characters_keep_the_columns() -> None:
    rows = table([session("s1", session_name="夜間"), session("s2", session_name="e\u0301"), session("s3")])
    _, wide, combined, plain = rows
    assert (wide.index("s1"), combined.index("s2"), plain.index("s3")) == (4, 7, 6)


def test_a_name_does_not_steer_the_terminal() -> None:
    _, row = table([session("s", session_name="a\x1b[2J\n\u202eb" + "x" * 100)])
    assert row.startswith("a [2J b" + "x" * 32 + "…  s")


def test_a_text_becomes_one_line() -> None:
    assert one_line(" a\n\tb\x00c  ") == "a b c"
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert one_line("\ud800") == ""


def event(event_type: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": 1, "event_type": event_type, "session_id": "s", "session_name": "s", "timestamp": TIME, "tool_name": None,
        "tool_input": None, "tool_output": None, "error": None, "exit_code": None, "reason": None, "role": None,
        "content": None,
    } | fields  # fmt: skip


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event("session_start", agent_name="reviewer", project_dir="/src"),
         "session_start agent_name=reviewer project_dir=/src"),
        (event("pre_tool", tool_name="Bash", tool_input={"description": "Run", "command": "make\ntest"}),
         "pre_tool      Bash make test"),
        (event("post_tool", tool_name="Read", tool_input={"limit": 3, "file_path": "/a b"}, tool_output={"x": 1}),
         "post_tool     Read /a b"),
        (event("pre_tool", tool_name="mcp__x", tool_input={"n": 1, "words": "so"}), "pre_tool      mcp__x so"),
        (event("pre_tool", tool_name="mcp__x", tool_input={"n": [1, 2]}), 'pre_tool      mcp__x {"n":[1,2]}'),
        (event("pre_tool", tool_name="Look", tool_input={}), "pre_tool      Look"),
        (event("pre_tool", tool_name="Look"), "pre_tool      Look"),
        (event("message", role="assistant", content=[{"type": "text", "text": "Hello\nyou"}, {"type": "image"}]),
         "message       assistant: Hello you [image]"),
        (event("session_stop", exit_code=0, reason="exited"), "session_stop  exit_code=0 reason=exited"),
        (event("output", stream="stdout", text="done\n"), "output        stream=stdout text=done"),
        (event("compacted", tokens={"before": 1}), 'compacted     tokens={"before":1}'),
        (event("a_word_that_is_longer"), "a_word_that_is_longer"),
    ],
)  # fmt: skip
def test_an_event_is_one_line(told: dict[str, Any], line: str) -> None:
    assert line_of(told) == f"{CLOCK} {line}"


def test_an_error_is_red() -> None:
    line = line_of(event("post_tool", tool_name="Bash", tool_input={"command": "false"}, error="exit\x1b[0m\n1"))
    assert line == f"{CLOCK} post_tool     Bash false {click.style('error: exit [0m 1', fg='red')}"


def test_a_long_text_is_shortened() -> None:
    line = line_of(event("message", role="user", content=[{"type": "text", "text": "x" * 10_000}]))
    assert len(line) < 350
    assert line.endswith("x…")
