"""Limits with real parts: what a session is refused, who is not hindered by it, and how it is counted."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.metrics import read_metrics
from tests.processes import RedisServer, Server, wait_until

ONE_A_SECOND = {"AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND": "1", "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": "0.2"}
# More than the ten at once and what comes while they are sent.
MANY = 60


@pytest.fixture
def server(redis_server: RedisServer, keys: Keys, tmp_path: Path) -> Iterator[Server]:
    environment = ONE_A_SECOND | {
        "AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace,
        "CORS_ORIGINS": "http://front.example",
    }
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def event(session_id: str) -> dict[str, object]:
    return {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}


def hook(session_id: str) -> dict[str, object]:
    return {"hook_event_name": "UserPromptSubmit", "session_id": session_id, "prompt": "go on", "cwd": "/"}


@pytest.mark.parametrize("headers", [{}, {"origin": "http://front.example"}], ids=["program", "page"])
@pytest.mark.parametrize(("path", "said"), [("/events", event), ("/hooks/claude-code", hook)], ids=["event", "hook"])
def test_a_session_is_refused_what_is_over_its_limit_and_nobody_else_anything(
    client: httpx.Client, server: Server, path: str, said: Callable[[str], object], headers: dict[str, str]
) -> None:
    answers = [client.post(path, json=said("runaway"), headers=headers) for _ in range(MANY)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    assert {answer.status_code for answer in refused} == {429}
    assert int(refused[0].headers["retry-after"]) >= 1
    detail = refused[0].json()["detail"]
    assert detail.startswith("The session 'runaway' is over its limit of 1 events a second")
    assert "AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND" in detail
    # Another session, and what keeps the runaway in hand.
    assert client.post(path, json=said("another"), headers=headers).status_code == 200
    for asked in "/health", "/ready":
        assert client.get(asked).status_code == 200
    assert read_metrics(server.url).value("events_refused_total", reason="rate") == len(refused)
    stopped = client.post("/sessions/runaway/stop")
    assert (stopped.status_code, stopped.json()["status"]) in ((200, "stopped"), (202, "running"))


def test_a_hook_that_is_refused_does_not_keep_the_program(client: httpx.Client, server: Server) -> None:
    for _ in range(MANY):
        client.post("/hooks/claude-code", json=hook("runaway"))
    done = subprocess.run(
        [sys.executable, "-m", "agent_bridge.entry", "hook", "--api-url", server.url, "--timeout-ms", "20000"],
        input=b'{"hook_event_name": "Stop", "session_id": "runaway", "cwd": "/"}', capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"answered 429" in done.stderr


def test_who_is_over_its_limit_is_told_to_stop_all_the_same(client: httpx.Client) -> None:
    for session_id, path, said in (("runaway", "/events", event), ("hooked", "/hooks/claude-code", hook)):
        for _ in range(MANY):
            client.post(path, json=said(session_id))
        assert client.post(f"/sessions/{session_id}/stop").status_code in (200, 202)

    def told_with_a_refusal() -> bool:
        # It is looked up once a second: a flood must stay cheap.
        refused = client.post("/events", json=event("runaway"))
        return refused.status_code == 429 and refused.json().get("stop_requested") is True

    wait_until(told_with_a_refusal, "an agent over its limit to be told to stop")
    told = client.post("/hooks/claude-code", json=hook("hooked") | {"hook_event_name": "PreToolUse"})
    assert (told.status_code, told.json()["continue"]) == (200, False)
