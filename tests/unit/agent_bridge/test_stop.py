import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent_bridge.stop import stop
from tests.unit.agent_bridge.small_servers import SmallCoordinator, small_coordinator


def outcome(session_id: str, success: bool = True, message: str = "Session stopped successfully") -> dict[str, Any]:
    return {"success": success, "ok": success, "session_id": session_id, "status": "any", "message": message}


@pytest.fixture
def told() -> Iterator[SmallCoordinator]:
    with small_coordinator() as server:
        sessions = [{"session_id": name, "session_name": name} for name in ("aa1", "aa2", "b1")]
        server.answers["GET", "/sessions?status=running"] = 200, {"sessions": sessions, "next": None}
        for session in sessions:
            server.answers["GET", f"/sessions/{session['session_id']}"] = 200, session
        yield server


def invoke(server: SmallCoordinator, *arguments: str) -> Result:
    return CliRunner().invoke(stop, ["--api-url", server.url, *arguments])


def asked(server: SmallCoordinator) -> list[tuple[str, Any]]:
    return [(path, body) for method, path, body in server.requests if method == "POST"]


def test_one_is_stopped_and_the_server_has_the_word(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/b1/stop"] = 200, outcome("b1")
    result = invoke(told, "b")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "b1: Session stopped successfully\n", "")


def test_one_that_has_not_confirmed_is_no_success(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/b1/stop"] = 202, outcome("b1", False, "told, not confirmed")
    result = invoke(told, "b1")
    assert (result.exit_code, result.stdout) == (1, "b1: told, not confirmed\n")


@pytest.mark.parametrize(("confirmed", "code"), [(False, 1), (True, 0), (None, 0)])
def test_what_nobody_could_confirm_is_no_success(told: SmallCoordinator, confirmed: bool | None, code: int) -> None:
    told.answers["POST", "/sessions/b1/stop"] = 200, outcome("b1", message="nobody was there") | {"status": "stopped"}
    session = {"session_id": "b1", "session_name": "b1", "status": "stopped", "stop_confirmed": confirmed}
    told.answers["GET", "/sessions/b1"] = 200, session
    result = invoke(told, "b1")
    assert result.exit_code == code
    assert ("not confirmed" in result.stdout) == (code == 1)


def test_json_is_what_the_api_gives(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/b1/stop"] = 202, outcome("b1", False)
    result = invoke(told, "b1", "--json")
    assert json.loads(result.stdout) == outcome("b1", False) | {"stop_confirmed": None}


def test_one_that_was_deleted_meanwhile_is_unknown(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/b1/stop"] = 404, {"detail": "No session 'b1'"}
    result = invoke(told, "b1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (1, "unknown")


def test_several_are_stopped_together(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/stop"] = 200, {"sessions": [outcome("b1"), outcome("aa2", False, "not yet")]}
    result = invoke(told, "b1", "aa2")
    assert (result.exit_code, result.stdout) == (1, "b1: Session stopped successfully\naa2: not yet\n")
    assert asked(told) == [("/sessions/stop", {"session_ids": ["b1", "aa2"]})]


def test_all_are_stopped(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/stop"] = 200, {"sessions": [outcome("b1"), outcome("aa2")]}
    assert invoke(told, "--all").exit_code == 0
    assert asked(told) == [("/sessions/stop", {"all": True})]


def test_nothing_to_stop_is_said(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/stop"] = 200, {"sessions": []}
    result = invoke(told, "--all")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "agent-bridge: no session is running\n")


def test_what_is_unknown_or_several_does_not_keep_the_others_from_being_stopped(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/b1/stop"] = 200, outcome("b1")
    result = invoke(told, "nobody", "aa", "b1")
    assert (result.exit_code, result.stdout) == (1, "b1: Session stopped successfully\n")
    assert "No session 'nobody'" in result.stderr
    assert "\n  aa1  'aa1'\n  aa2  'aa2'\n" in result.stderr
    assert asked(told) == [("/sessions/b1/stop", None)]


def test_nothing_is_asked_for_when_none_is_known(told: SmallCoordinator) -> None:
    assert invoke(told, "nobody").exit_code == 1
    assert asked(told) == []


@pytest.mark.parametrize("arguments", [(), ("b1", "--all")])
def test_it_must_be_said_which(told: SmallCoordinator, arguments: tuple[str, ...]) -> None:
    assert invoke(told, *arguments).exit_code == 2
    assert asked(told) == []
