"""Reporting: who the session is, what is said of it, and how it ends."""

import json
import uuid
from pathlib import Path
from typing import Any, cast

import pytest

from agent_bridge.errors import BridgeNotEntered
from agent_bridge.link import Link
from agent_bridge.reporting import Reporting
from agent_bus.commands import StopCommand
from agent_bus.event_records import EventRecord


class Listener:
    """In the place of a link: keeps what it is handed."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit(self, event: EventRecord) -> bool:
        self.events.append(json.loads(b"{" + event.json_tail))
        return True


def entered(**about: Any) -> tuple[Reporting, Listener]:
    reporting, listener = Reporting(**about), Listener()
    reporting._link = cast(Link, listener)
    return reporting, listener


def ending(error: BaseException | None = None, *, stopped: bool = False, **end: Any) -> dict[str, Any]:
    reporting = Reporting(session_id="s")
    if stopped:
        reporting._command = StopCommand("c1", "s", "1", "t")
    if end:
        reporting.report_end(**end)
    how = reporting._how_it_ended(error)
    event: dict[str, Any] = json.loads(b"{" + how.event.json_tail)
    return {name: event.get(name) for name in ("event_type", "exit_code", "reason")}


def test_a_session_without_an_id_gets_one_of_its_own_and_is_called_by_it() -> None:
    one, other = Reporting(), Reporting()
    assert uuid.UUID(one.session_id) != uuid.UUID(other.session_id)
    assert one._identity.session_name == one.session_id


def test_a_session_is_described_as_it_was_told(tmp_path: Path) -> None:
    identity = Reporting(session_id="s", session_name="n", project_dir=tmp_path, agent_name="a")._identity
    assert (identity.session_id, identity.session_name, identity.project_dir, identity.agent_name) == (
        "s", "n", str(tmp_path), "a",
    )  # fmt: skip


def test_redis_and_namespace_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://environment")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", "ns")
    assert (Reporting()._settings.redis_url, Reporting()._settings.namespace) == ("redis://environment", "ns")
    assert Reporting(redis_url="redis://argument")._settings.redis_url == "redis://argument"
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", "")
    assert Reporting()._settings.namespace == "ao"


def test_outside_its_block_a_bridge_says_so() -> None:
    with pytest.raises(BridgeNotEntered, match="with"):
        Reporting()._message("user", "hello")


def test_reports_carry_what_the_contract_says() -> None:
    reporting, listener = entered(session_id="s")
    reporting._message("assistant", "hello")
    reporting._message("user", [{"type": "image", "data": "x"}])
    reporting._pre_tool("Bash", {"command": "ls"}, {"extra": 1, "tool_name": "not this"})
    reporting._post_tool("Bash", {"command": "ls"}, ["a"], None, {})
    reporting._post_tool("Bash", {}, None, "failed", {"error": "not this"})
    said = [(event["event_type"], event) for event in listener.events]
    assert [kind for kind, _ in said] == ["message", "message", "pre_tool", "post_tool", "post_tool"]
    events = [event for _, event in said]
    assert (events[0]["role"], events[0]["content"]) == ("assistant", [{"type": "text", "text": "hello"}])
    assert events[1]["content"] == [{"type": "image", "data": "x"}]
    assert (events[2]["tool_name"], events[2]["tool_input"], events[2]["extra"]) == ("Bash", {"command": "ls"}, 1)
    assert (events[3]["tool_output"], events[3]["error"]) == (["a"], None)
    assert events[4]["error"] == "failed"


@pytest.mark.parametrize("tool_input", [None, "ls", ["list"], 7])
def test_a_tool_s_input_may_be_anything(tool_input: Any) -> None:
    reporting, _ = entered()
    assert reporting._pre_tool("Bash", tool_input, {})
    assert reporting._post_tool("Bash", tool_input, None, None, {})


def test_a_message_s_content_may_be_missing() -> None:
    reporting, _ = entered()
    assert reporting._message("assistant", cast(str, None))


@pytest.mark.parametrize(
    ("error", "exit_code", "reason"),
    [
        (None, 0, None),
        (ValueError("bad"), 1, "ValueError: bad"),
        (KeyboardInterrupt(), 1, "KeyboardInterrupt"),
        (SystemExit(), 0, None),
        (SystemExit(0), 0, None),
        (SystemExit(3), 3, None),
        (SystemExit("message"), 1, "message"),
    ],
)
def test_leaving_says_how_it_ended(error: BaseException | None, exit_code: int, reason: str | None) -> None:
    assert ending(error) == {"event_type": "session_stop", "exit_code": exit_code, "reason": reason}


def test_a_stop_explains_the_end_whatever_else_came_of_it() -> None:
    for error in (None, ValueError("x"), SystemExit(3)):
        assert ending(error, stopped=True) == {"event_type": "session_stop", "exit_code": None, "reason": "stopped"}


def test_what_was_reported_of_the_end_counts() -> None:
    assert ending(exit_code=7, reason="killed") == {"event_type": "session_stop", "exit_code": 7, "reason": "killed"}
    assert ending(ValueError("x"), exit_code=7)["reason"] == "ValueError: x"
    assert ending(stopped=True, exit_code=130)["exit_code"] == 130


def test_an_end_that_was_reported_without_an_exit_code_is_not_taken_for_a_success() -> None:
    assert ending(reason="the program has ended")["exit_code"] is None


def test_an_agent_that_has_not_ceased_does_not_end_its_session() -> None:
    assert ending(stopped=True, ceased=False)["event_type"] == "stop_incomplete"


def test_an_error_that_can_not_be_shown_ends_the_session_all_the_same() -> None:
    class Shy(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert ending(Shy())["exit_code"] == 1
