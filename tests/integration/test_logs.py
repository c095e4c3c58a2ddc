"""What real processes log: JSON where nobody looks at a terminal, with what each line is about, and no secrets."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from agent_bus.keys import Keys
from agent_bus.log_lines import FORMAT_VARIABLE
from agent_bus.timestamps import now
from tests.browser import Browser
from tests.integration.test_up import Up
from tests.processes import REPOSITORY, Process, RedisServer, Server, free_port, wait_until, worker

# What is not on a terminal, and was told nothing.
UNTOLD = {FORMAT_VARIABLE: ""}
PASSWORD, TOKEN = "pass-word-of-redis", "0123456789abcdef" * 4


def lines(process: Process) -> list[dict[str, Any]]:
    """Every line that it has written, each of which must be JSON."""
    # Behind the last line break there may be part of a line.
    found = [json.loads(line) for line in process.output.split("\n")[:-1]]
    for line in found:
        assert {"time", "level", "logger", "message"} <= line.keys(), line
    return found


def event(session_id: str) -> dict[str, object]:
    return {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}


def test_a_stop_can_be_followed_by_its_request_session_and_command(
    redis_server: RedisServer, tmp_path: Path, keys: Keys, session_id: str
) -> None:
    environment = UNTOLD | {"AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace}
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        assert httpx.post(f"{server.url}/events", json=event(session_id)).status_code == 200
        answer = httpx.post(f"{server.url}/sessions/{session_id}/stop", headers={"X-Request-ID": "pressed-1"})
        assert answer.headers["x-request-id"] == "pressed-1"
        (line,) = [line for line in lines(server) if line.get("session_id") == session_id]
        assert line["request_id"] == "pressed-1"
        with redis.Redis(port=redis_server.port) as client:
            assert line["command_id"] == client.hget(keys.session(session_id), "stop_id").decode()  # type: ignore[union-attr]
        assert server.stop() == 0


def test_a_failure_is_one_line_with_the_requests_name(own_redis_server: RedisServer, tmp_path: Path) -> None:
    with Server("documents", own_redis_server.url, tmp_path, UNTOLD) as server:
        own_redis_server.kill()
        answer = httpx.get(f"{server.url}/documents", timeout=30)
        assert answer.status_code == 503
        told = [line for line in lines(server) if line.get("request_id") == answer.headers["x-request-id"]]
        assert told
        assert {line["level"] for line in told} == {"WARNING"}


def test_an_event_that_could_not_be_kept_is_found_by_its_name(own_redis_server: RedisServer, tmp_path: Path) -> None:
    with Server("coordinator", own_redis_server.url, tmp_path, UNTOLD) as server:
        accepted = httpx.post(f"{server.url}/events", json=event("s"), headers={"X-Request-ID": "mine-1"})
        assert accepted.headers.get_list("x-request-id") == ["mine-1"]
        own_redis_server.kill()
        for headers in ({}, {"Origin": server.url}, {"X-Request-ID": "mine-2"}):
            answer = httpx.post(f"{server.url}/events", json=event("s"), timeout=30, headers=headers)
            assert answer.status_code == 503
            (name,) = answer.headers.get_list("x-request-id")
            assert [line for line in lines(server) if line.get("request_id") == name]
        assert name == "mine-2"


def test_a_worker_writes_json_and_names_its_jobs(redis_server: RedisServer, tmp_path: Path, keys: Keys) -> None:
    # One of its jobs looks at the blobs, and says what it thinks of this.
    environment = UNTOLD | {
        "AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace,
        "AGENT_ORCHESTRATOR_BLOB_STORE_URL": "nonsense://",
    }
    with worker(redis_server.url, tmp_path, environment) as process:
        told = wait_until(
            lambda: [line for line in lines(process) if "job_id" in line and line["level"] == "ERROR"], "a job to fail"
        )
        assert "BlobStoreFailed" in told[0]["message"]
        assert process.stop() == 0
    lines(process)


@pytest.mark.parametrize("chosen", ["text", "json"])
async def test_secrets_stay_out_of_the_log(chosen: str, own_redis_server: RedisServer, tmp_path: Path) -> None:
    with redis.Redis(port=own_redis_server.port) as client:
        client.config_set("requirepass", PASSWORD)
    url = f"redis://:{PASSWORD}@127.0.0.1:{own_redis_server.port}/0"
    environment = {FORMAT_VARIABLE: chosen, "AGENT_ORCHESTRATOR_TOKEN": TOKEN}
    with (
        Server("coordinator", url, tmp_path, environment) as server,
        worker(url, tmp_path, environment) as working,
    ):
        own = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=server.url, timeout=30, headers=own) as client:
            assert (await client.get("/sessions")).status_code == 200
            ticket = (await client.post("/ws-ticket")).json()["ticket"]
            async with Browser(f"{server.ws_url}?ticket={ticket}"):
                pass
            wrong = {"Authorization": "Bearer wrong-token-of-somebody"}
            assert (await client.get("/sessions", headers=wrong)).status_code == 401
            await asyncio.to_thread(wait_until, lambda: working.output, "the worker to begin")
            own_redis_server.kill()
            assert (await client.get("/sessions")).status_code == 503
            await asyncio.to_thread(wait_until, lambda: "subscription lost" in server.output, "the outage to be told")
        server.stop()
        working.stop()
        for secret in (PASSWORD, TOKEN, ticket, "wrong-token-of-somebody"):
            assert secret not in server.output
            assert secret not in working.output


def test_up_writes_what_all_of_its_processes_say_as_json(tmp_path: Path) -> None:
    with Up(tmp_path / "project", "--coordinators", "2", environment=UNTOLD) as system:
        for said in ("works on", '"process":"coordinator-1"', '"process":"coordinator-2"'):
            wait_until(lambda said=said: said in system.output.replace(": ", ":"), f"{said} to be said")
        assert httpx.get(f"{system.url}/health").status_code == 200
        assert system.stop() == 0
        written = lines(system)
    assert {line["process"] for line in written} >= {
        "up", "coordinator", "coordinator-1", "coordinator-2", "documents", "worker",
    }  # fmt: skip


def test_on_a_terminal_up_shows_lines_for_people(tmp_path: Path) -> None:
    """What its processes write goes through it, so they are on no terminal, and have to be told."""
    ours, theirs = pty.openpty()
    options = ["--project-dir", str(tmp_path), "--port", str(free_port()), "--documents-port", str(free_port())]
    environment = {name: value for name, value in os.environ.items() if name != FORMAT_VARIABLE}
    with subprocess.Popen(
        [sys.executable, "-m", "api.cli", "up", *options], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
        env=environment | {"REDIS_URL": ""}, cwd=REPOSITORY, start_new_session=True,
    ) as system:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while b"is running" not in shown or b"works on" not in shown:
                shown += os.read(ours, 4096)
        finally:
            system.send_signal(signal.SIGTERM)
            while True:
                try:
                    part = os.read(ours, 4096)
                except OSError:
                    # A terminal whose other end is closed.
                    break
                if not part:
                    break
                shown += part
            os.close(ours)
    text = shown.decode()
    for name in ("documents", "coordinator", "worker"):
        (line, *_) = [line for line in text.splitlines() if line.startswith(f"{name:<11} | ")]
        assert " INFO " in line
    assert '{"time"' not in text


def test_a_format_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    for part in ("up", "coordinator", "documents", "worker"):
        with Process(["-m", "api.cli", part], {FORMAT_VARIABLE: "xml"}, tmp_path / f"{part}.log", tmp_path) as process:
            assert process.popen.wait(30) == 2
            assert process.output == f"Error: {FORMAT_VARIABLE}: 'xml' is neither text nor json\n"
