"""Each part has a user of its own in Redis: it can do its work, and nothing else."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from agent_bridge import AgentBridge
from agent_bus.access_rules import SELECTORS_SINCE, User
from agent_bus.connection import connect, with_credentials
from agent_bus.jobs import ARCHIVE_HISTORIES, JOBS, REMOVE_ORPHANED_BLOBS, JobKind
from agent_bus.refusals import is_not_permitted
from agent_bus.timestamps import now
from tests.browser import Browser, is_status
from tests.processes import DEADLINE_SECONDS, REPOSITORY, Server, wait_until, worker
from tests.redis_attacks import (
    BRIDGE_MAY_NOT,
    BRIDGE_MAY_NOT_SINCE_SELECTORS,
    KEYS,
    NOT_THEIRS,
    PARTS_MAY_NOT,
    SCRIPTS,
    WORKER_MAY_NOT,
)
from tests.redis_users import GuardedRedis, server_version, start_with

tied = pytest.mark.skipif(
    server_version() < SELECTORS_SINCE, reason="before Redis 7, commands can't be tied to the keys they are needed for"
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedRedis]:
    """A Redis with our users, for all tests of this module."""
    with GuardedRedis(tmp_path_factory.mktemp("guarded")) as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the coordinator and the workers have their data."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def coordinator(guarded: GuardedRedis, project: Path) -> Iterator[Server]:
    """A coordinator as its user."""
    with Server("coordinator", guarded.urls.api, project) as server:
        yield server


@pytest.fixture(scope="module")
def documents(guarded: GuardedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A documents server as its user."""
    with Server("documents", guarded.urls.api, tmp_path_factory.mktemp("documents")) as server:
        yield server


@pytest.fixture
async def bridge_redis(guarded: GuardedRedis) -> AsyncIterator[Redis]:
    """What an agent can make of the URL that it finds."""
    client = connect(guarded.urls.bridge, name="bridge")
    yield client
    await client.aclose()


def event(session_id: str, event_type: str = "message", **fields: object) -> dict[str, object]:
    at = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return at | fields


async def test_everything_works_and_nothing_that_is_needed_is_refused(
    guarded: GuardedRedis, coordinator: Server, documents: Server, project: Path, tmp_path: Path, session_id: str
) -> None:
    with worker(guarded.urls.worker, project, {"AGENT_ORCHESTRATOR_ARCHIVE_AFTER_SECONDS": "0.1"}) as jobs:
        async with (
            httpx.AsyncClient(base_url=coordinator.url, timeout=30) as http,
            httpx.AsyncClient(base_url=documents.url, timeout=30) as files,
            Browser(coordinator.ws_url) as browser,
        ):
            await _report_and_stop(guarded, http, browser, session_id)
            await _look(http, session_id)
            _run(guarded, project, "backup", str(tmp_path / "backup.tar"))
            await _archive_and_delete(guarded, http, session_id)
            await _edit_blueprints(http)
            await _keep_documents(files)
            _command(guarded, tmp_path, coordinator, documents)
            _run(guarded, project, "restore", str(tmp_path / "backup.tar"))
            assert len((await http.get(f"/events/{session_id}")).json()["events"]) == 7
            wait_until(lambda: not _waiting(guarded), "all jobs to be taken")
        assert "Traceback" not in jobs.output
    for log in (coordinator.output, documents.output, jobs.output):
        assert "NOPERM" not in log
        assert not any(password in log for password in guarded.passwords.values())
    assert guarded.refused() == []


async def _report_and_stop(guarded: GuardedRedis, http: httpx.AsyncClient, browser: Browser, session_id: str) -> None:
    for kind in ("session_start", "pre_tool", "post_tool", "usage"):
        answer = await http.post("/events", json=event(session_id, kind, tool_name="Bash", input_tokens=3))
        assert answer.status_code == 200, answer.text
    async with AgentBridge(session_id=session_id, agent_name="a", redis_url=guarded.urls.bridge) as bridge:
        bridge.on_stop(lambda _: None)
        await bridge.post_tool("Bash", {}, "done")
        await bridge.message("assistant", "hello")
        stopped = await http.post(f"/sessions/{session_id}/stop")
        assert stopped.json()["message"] == "Session stopped successfully", stopped.text
        assert bridge.stop_requested
    await browser.until(is_status(session_id, "stopped"))


async def _look(http: httpx.AsyncClient, session_id: str) -> None:
    for path in (
        *("/sessions", "/sessions?status=stopped&limit=1", "/sessions?agent_name=a", f"/sessions/{session_id}"),
        *(f"/events/{session_id}", f"/events/{session_id}/outline", "/statistics", "/ready", "/metrics"),
    ):
        assert (await http.get(path)).status_code == 200, path
    hook = {"session_id": f"{session_id}-hooks", "cwd": "/src", "transcript_path": "", "prompt": "hello"}
    for name in ("UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"):
        body = hook | {"hook_event_name": name, "tool_name": "Bash", "tool_use_id": "t", "tool_input": {}}
        assert (await http.post("/hooks/claude-code", json=body)).status_code == 200, name
    patched = await http.patch(f"/sessions/{session_id}/metadata", json={"session_name": "Named"})
    assert patched.status_code == 200
    assert (await http.delete(f"/sessions/{session_id}-hooks")).status_code == 200


async def _archive_and_delete(guarded: GuardedRedis, http: httpx.AsyncClient, session_id: str) -> None:
    with guarded.administrator() as client:

        def due(job: JobKind, done: bool) -> bool:
            client.delete(KEYS.due(job.name))
            return done

        moved = KEYS.history(session_id)
        await asyncio.to_thread(
            wait_until, lambda: due(ARCHIVE_HISTORIES, not client.exists(moved)), "the history to move"
        )
        assert len((await http.get(f"/events/{session_id}")).json()["events"]) == 7
        assert (await http.delete(f"/sessions/{session_id}")).status_code == 200
        # As if it had been an hour ago.
        (name,) = client.zrange(KEYS.archived, 0, -1)  # type: ignore[misc]
        client.zadd(KEYS.archived, {name: 1})
        await asyncio.to_thread(
            wait_until, lambda: due(REMOVE_ORPHANED_BLOBS, not client.exists(KEYS.archived)), "its object to go"
        )


async def _edit_blueprints(http: httpx.AsyncClient) -> None:
    assert (await http.post("/agents", json={"name": "one", "description": "", "tags": []})).status_code == 201
    assert (await http.patch("/agents/one", json={"description": "more"})).status_code == 200
    assert (await http.get("/agents")).json()[0]["name"] == "one"
    assert (await http.delete("/agents/one")).status_code == 204


async def _keep_documents(files: httpx.AsyncClient) -> None:
    written = await files.post("/documents", files={"file": ("a.txt", b"text")}, data={"tags": "a,b"})
    assert written.status_code == 201, written.text
    name = written.json()["id"]
    for query in ("", "?tags=a,b", "?filename=a*", "?filename=a&tags=a,b"):
        assert len((await files.get(f"/documents{query}")).json()) == 1, query
    assert (await files.patch(f"/documents/{name}", json={"tags": ["c"]})).status_code == 200
    assert (await files.get("/documents/tags")).json() == {"tags": [{"name": "c", "count": 1}]}
    assert (await files.get(f"/documents/{name}")).content == b"text"
    assert (await files.delete(f"/documents/{name}")).status_code == 200
    health = (await files.get("/health")).json()
    assert health["status"] == "healthy", health
    assert (await files.get("/metrics")).status_code == 200


def _command(guarded: GuardedRedis, folder: Path, coordinator: Server, documents: Server) -> None:
    """What people do at a command line, as the servers' user."""
    agent = folder / "agents" / "two"
    agent.mkdir(parents=True)
    (agent / "agent.json").write_text('{"name": "two", "description": ""}', "utf-8")
    (folder / "out").mkdir()
    ports = ("--port", str(coordinator.port), "--documents-port", str(documents.port))
    for arguments in (("agents", "import", str(agent.parent)), ("agents", "export", str(folder / "out")),
                      ("doctor", *ports)):  # fmt: skip
        _run(guarded, folder, *arguments)
    assert (folder / "out" / "two" / "agent.json").exists()


def _run(guarded: GuardedRedis, folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "api.cli", *arguments]
    environment = os.environ | {"REDIS_URL": guarded.urls.api, "AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _waiting(guarded: GuardedRedis) -> int:
    with guarded.administrator() as client:
        periodic = [KEYS.due(job.name) for job in JOBS if job.every_seconds]
        done = client.exists(*periodic)
        waiting = sum(int(client.llen(key)) for key in client.keys("rq:queue:*"))  # type: ignore[arg-type]
        return waiting + len(periodic) - int(done) + int(client.zcard("rq:wip:ao-maintenance"))  # type: ignore[arg-type]


@pytest.mark.parametrize("attack", BRIDGE_MAY_NOT)
async def test_a_bridge_is_refused_what_is_not_a_bridge_s(
    bridge_redis: Redis, guarded: GuardedRedis, attack: str
) -> None:
    with pytest.raises(NoPermissionError):
        await bridge_redis.execute_command(*BRIDGE_MAY_NOT[attack])
    with guarded.administrator() as client:
        client.acl_log_reset()


@pytest.mark.parametrize("body", SCRIPTS)
async def test_a_script_of_its_own_takes_a_bridge_no_further(
    bridge_redis: Redis, guarded: GuardedRedis, body: str
) -> None:
    sha = await bridge_redis.execute_command("SCRIPT LOAD", body)
    with pytest.raises(ResponseError) as refused:
        await bridge_redis.execute_command("EVALSHA", sha, 0)
    assert is_not_permitted(refused.value)
    with guarded.administrator() as client:
        client.acl_log_reset()


@tied
@pytest.mark.parametrize("command", BRIDGE_MAY_NOT_SINCE_SELECTORS)
async def test_from_redis_7_on_commands_are_tied_to_their_keys(
    bridge_redis: Redis, guarded: GuardedRedis, command: tuple[str, ...]
) -> None:
    with pytest.raises(NoPermissionError):
        await bridge_redis.execute_command(*command)
    with guarded.administrator() as client:
        client.acl_log_reset()


async def test_while_attacks_go_on_the_bridge_s_own_work_does_too(
    guarded: GuardedRedis, coordinator: Server, bridge_redis: Redis, session_id: str
) -> None:
    async with (
        httpx.AsyncClient(base_url=coordinator.url, timeout=30) as http,
        AgentBridge(session_id=session_id, redis_url=guarded.urls.bridge) as bridge,
    ):
        bridge.on_stop(lambda _: None)
        for attack in BRIDGE_MAY_NOT.values():
            with pytest.raises(NoPermissionError):
                await bridge_redis.execute_command(*attack)
        await bridge.message("assistant", "still here")
        assert (await http.post(f"/sessions/{session_id}/stop")).json()["success"] is True
        assert "still here" in (await http.get(f"/events/{session_id}")).text
    with guarded.administrator() as client:
        client.acl_log_reset()


@pytest.mark.parametrize("user", ["api", "worker"])
@pytest.mark.parametrize("command", PARTS_MAY_NOT)
async def test_no_part_is_an_administrator(guarded: GuardedRedis, user: str, command: tuple[str, ...]) -> None:
    client = connect(getattr(guarded.urls, user), name="test")
    with pytest.raises(NoPermissionError):
        await client.execute_command(*command)
    await client.aclose()
    with guarded.administrator() as administrator:
        administrator.acl_log_reset()


async def test_workers_see_neither_tickets_nor_blueprints(guarded: GuardedRedis) -> None:
    client = connect(guarded.urls.worker, name="test")
    for command in WORKER_MAY_NOT:
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command)
    await client.aclose()
    with guarded.administrator() as administrator:
        administrator.acl_log_reset()


async def test_without_credentials_one_may_ping_and_that_is_all(guarded: GuardedRedis) -> None:
    client: Any = Redis(port=guarded.port)
    assert await client.execute_command("PING")
    with pytest.raises(NoPermissionError):
        await client.execute_command("GET", KEYS.counter)
    await client.aclose()
    with guarded.administrator() as administrator:
        administrator.acl_log_reset()


@pytest.mark.parametrize(("part", "user"), NOT_THEIRS)
def test_a_part_that_is_given_another_s_user_says_so_and_ends(
    guarded: GuardedRedis, tmp_path: Path, part: str, user: User
) -> None:
    ended = start_with(getattr(guarded.urls, user), part, tmp_path)
    assert ended.returncode == 1
    line = ended.stderr.splitlines()[-1]
    assert f"does not permit the user {user} what is needed" in line
    assert guarded.passwords[user] not in ended.stderr


@pytest.mark.parametrize("part", ["coordinator", "documents", "worker"])
@pytest.mark.parametrize("credentials", ["api:mistaken", ""])
def test_a_part_that_is_not_let_in_says_so_and_ends(
    guarded: GuardedRedis, tmp_path: Path, part: str, credentials: str
) -> None:
    user, _, password = credentials.partition(":")
    url = with_credentials(guarded.url, user, password) if user else guarded.url
    ended = start_with(url, part, tmp_path)
    assert ended.returncode == 1
    line = ended.stderr.splitlines()[-1]
    assert ("refuses the password" if user else "does not permit the user default") in line
    assert "acl write" in line
    assert "mistaken" not in ended.stderr


async def test_a_bridge_that_is_not_let_in_says_so(
    guarded: GuardedRedis, session_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = with_credentials(guarded.url, "bridge", "mistaken")
    async with AgentBridge(session_id=session_id, redis_url=url) as bridge:
        assert await bridge.message("assistant", "kept until then")
    (line,) = [record.getMessage() for record in caplog.records if "refuses the password" in record.getMessage()]
    assert "redis://bridge:***@" in line
    assert session_id in line
    assert "mistaken" not in caplog.text


async def test_a_bridge_whose_redis_comes_back_with_another_password_says_so(
    tmp_path: Path, session_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    later = GuardedRedis(tmp_path / "later")
    url = with_credentials(later.url, "bridge", "mistaken")

    async def told(text: str) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while text not in caplog.text:
                await asyncio.sleep(0.02)

    async with AgentBridge(session_id=session_id, redis_url=url):
        await told("redis is away")
        with later:
            await told("refuses the password")


async def test_a_command_under_a_bridge_that_is_not_let_in_is_run_and_told_why(
    guarded: GuardedRedis, tmp_path: Path
) -> None:
    environment = os.environ | {"REDIS_URL": with_credentials(guarded.url, "bridge", "mistaken")}
    command = [sys.executable, "-m", "agent_bridge.entry", "run", "--", "echo", "done"]
    ended = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, cwd=REPOSITORY, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n")
    assert "refuses the password" in ended.stderr
    assert "mistaken" not in ended.stderr
