"""`agent-bridge ps`, `stop` and `tail` as processes, with real coordinators, agents and lost connections."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from agent_bus.coordinator_address import API_URL_VARIABLE
from agent_bus.timestamps import now
from tests.processes import DEADLINE_SECONDS, RedisServer, Server, free_port
from tests.unit.proxy import Proxy

Replicas = tuple[Server, Server]
Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]


@asynccontextmanager
async def running(*arguments: str, url: str) -> AsyncIterator[Process]:
    """A command of `agent-bridge`, which does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent_bridge.entry", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE,
        stderr=PIPE, env=os.environ | {API_URL_VARIABLE: url},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def run(*arguments: str, url: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a command that ends by itself."""
    async with running(*arguments, url=url) as process, asyncio.timeout(DEADLINE_SECONDS):
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


async def read_line(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        return (await stream.readline()).decode()


async def ended(process: Process) -> tuple[int | None, str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        out, err = await process.stdout.read(), await process.stderr.read()
        return await process.wait(), out.decode(), err.decode()


@asynccontextmanager
async def agent(mode: str, session_id: str, redis_url: str) -> AsyncIterator[Process]:
    """An agent in a process of its own, attached."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.agent_program", mode, session_id, stdin=PIPE, stdout=PIPE,
        env=os.environ | {"REDIS_URL": redis_url},
    )  # fmt: skip
    try:
        assert await read_line(process.stdout) == "entered\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def report(client: httpx.AsyncClient, session_id: str, event_type: str = "note", **fields: object) -> int:
    body = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": now()}
    answer = await client.post("/events", json=body | fields)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


def numbers(lines: str) -> list[int]:
    return [json.loads(line)["id"] for line in lines.splitlines()]


async def test_ps_lists_what_is_running(replicas: Replicas, http: Clients, session_id: str) -> None:
    over = f"{session_id}-over"
    await report(http[0], session_id, "session_start", agent_name="reviewer", project_dir="/src/app")
    await http[0].patch(f"/sessions/{session_id}/metadata", json={"session_name": "Nightly review"})
    await report(http[0], over, "session_stop")

    code, out, _ = await run("ps", url=replicas[1].url)
    [row] = [line for line in out.splitlines() if session_id in line]
    assert code == 0
    for words in ("Nightly review", "reviewer", "running", "hooks", "/src/app"):
        assert words in row

    code, out, _ = await run("ps", "--all", "--json", "--api-url", replicas[1].url, url="http://nowhere.invalid")
    listed = {session["session_id"]: session for session in map(json.loads, out.splitlines())}
    assert code == 0
    assert listed[session_id] == (await http[0].get(f"/sessions/{session_id}")).json()
    assert listed[over]["status"] == "finished"


@pytest.fixture
async def alone(own_redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a coordinator that has no other sessions than the test's."""
    server = await asyncio.to_thread(Server, "coordinator", own_redis_server.url, tmp_path)
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE_SECONDS) as client:
        yield client
    await asyncio.to_thread(server.stop)


async def test_all_means_all_of_them_however_many(alone: httpx.AsyncClient) -> None:
    names = {f"s{n}" for n in range(1005)}
    turns = asyncio.Semaphore(50)

    async def start(name: str) -> None:
        async with turns:
            await report(alone, name, "session_start")

    await asyncio.gather(*map(start, names))
    url = str(alone.base_url)
    _, out, _ = await run("ps", "--json", url=url)
    assert sorted(json.loads(line)["session_id"] for line in out.splitlines()) == sorted(names)
    code, out, _ = await run("stop", "--all", "--json", url=url)
    results = [json.loads(line) for line in out.splitlines()]
    assert sorted(result["session_id"] for result in results) == sorted(names)
    # Nobody was there who could have confirmed it.
    assert (code, {result["stop_confirmed"] for result in results}) == (1, {False})
    assert await run("ps", url=url) == (0, "", "agent-bridge: no session is running\n")
    assert await run("stop", "--all", url=url) == (0, "", "agent-bridge: no session is running\n")


async def test_stop_ends_the_agent_and_is_confirmed(
    replicas: Replicas, http: Clients, session_id: str, redis_server: RedisServer
) -> None:
    async with agent("orderly", session_id, redis_server.url) as process:
        assert await run("stop", session_id[:-2], url=replicas[0].url) == (
            0, f"{session_id}: Session stopped successfully\n", "",
        )  # fmt: skip
        assert (await ended_agent(process))[-1] == "stopped"
    code, out, _ = await run("stop", session_id, url=replicas[0].url)
    assert (code, "already stopped" in out) == (0, True)


async def ended_agent(process: Process) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        return (await process.stdout.read()).decode().splitlines()


async def test_a_stop_that_is_not_confirmed_is_no_success(
    replicas: Replicas, session_id: str, redis_server: RedisServer
) -> None:
    async with agent("stubborn", session_id, redis_server.url):
        code, out, _ = await run("stop", session_id, "--json", url=replicas[0].url)
        assert (code, json.loads(out)["status"]) == (1, "running")


async def test_several_are_stopped_by_name_or_id_and_the_unknown_is_said(
    replicas: Replicas, http: Clients, session_id: str
) -> None:
    first, second = f"a{session_id}", f"b{session_id}"
    await report(http[0], first, "session_start")
    await report(http[0], second, "session_start")
    await http[0].patch(f"/sessions/{second}/metadata", json={"session_name": f"Name {session_id}"})
    code, out, err = await run("stop", first, f"Name {session_id}", f"c{session_id}", url=replicas[0].url)
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()] == [first, second]
    assert f"No session 'c{session_id}'" in err
    for name in (first, second):
        assert (await http[1].get(f"/sessions/{name}")).json()["status"] == "stopped"


async def test_tail_shows_what_was_and_what_comes_until_the_end(
    replicas: Replicas, http: Clients, session_id: str
) -> None:
    before = [await report(http[0], session_id, n=n) for n in range(5)]
    async with running("tail", session_id, "-n", "3", "--json", "--until-end", url=replicas[0].url) as process:
        shown = [await read_line(process.stdout) for _ in range(3)]
        after = [await report(http[n % 2], session_id, n=n) for n in range(50)]
        after.append(await report(http[1], session_id, "session_stop", exit_code=0))
        code, out, err = await ended(process)
    assert (code, err) == (0, f"agent-bridge: session {session_id} is finished\n")
    assert numbers("".join(shown) + out) == before[-3:] + after
    stored = (await http[0].get(f"/events/{session_id}")).json()["events"]
    assert [json.loads(line) for line in ("".join(shown) + out).splitlines()] == stored[2:]


async def test_tail_loses_and_repeats_nothing_while_events_rush_in_as_it_joins(
    replicas: Replicas, http: Clients, session_id: str
) -> None:
    await report(http[0], session_id)
    joined = asyncio.Event()

    async def rush() -> None:
        while not joined.is_set():
            await report(http[1], session_id)
        await report(http[1], session_id, "session_stop")

    async with running("tail", session_id, "--since-start", "--json", "--until-end", url=replicas[0].url) as process:
        rushing = asyncio.create_task(rush())
        first = await read_line(process.stdout)
        joined.set()
        await rushing
        code, out, _ = await ended(process)
    assert code == 0
    stored = (await http[0].get(f"/events/{session_id}?limit=10000")).json()["events"]
    assert numbers(first + out) == [event["id"] for event in stored]


async def test_tail_goes_on_after_a_lost_connection(replicas: Replicas, http: Clients, session_id: str) -> None:
    wanted = [await report(http[0], session_id)]
    async with Proxy(replicas[0].port) as proxy:
        url = proxy.url.replace("redis", "http").removesuffix("/0")
        async with running("tail", session_id, "--json", url=url) as process:
            lines = [await read_line(process.stdout)]
            for _ in range(3):
                wanted.append(await report(http[0], session_id))
                lines.append(await read_line(process.stdout))
                proxy.go_down()
                assert "trying again" in await read_line(process.stderr)
                wanted += [await report(http[1], session_id) for _ in range(5)]
                proxy.come_back()
                lines += [await read_line(process.stdout) for _ in range(5)]
                assert await read_line(process.stderr) == "agent-bridge: connected again\n"
            await http[1].delete(f"/sessions/{session_id}")
            code, out, err = await ended(process)
    assert (code, out, err) == (0, "", f"agent-bridge: session {session_id} was deleted\n")
    assert numbers("".join(lines)) == wanted


async def test_tail_goes_on_with_another_replica_when_its_own_is_shut_down(
    replicas: Replicas, redis_server: RedisServer, http: Clients, session_id: str, tmp_path: Path
) -> None:
    wanted = [await report(http[0], session_id)]
    own = await asyncio.to_thread(Server, "coordinator", redis_server.url, tmp_path)
    async with Proxy(own.port) as proxy:
        url = proxy.url.replace("redis", "http").removesuffix("/0")
        async with running("tail", session_id, "--json", url=url) as process:
            lines = [await read_line(process.stdout)]
            # Whoever connects from here on finds another replica.
            proxy._target_port = replicas[1].port
            await asyncio.to_thread(own.stop)
            assert "1012" in await read_line(process.stderr)
            wanted.append(await report(http[0], session_id))
            lines.append(await read_line(process.stdout))
    assert numbers("".join(lines)) == wanted


async def test_ctrl_c_ends_tail_quietly(replicas: Replicas, http: Clients, session_id: str) -> None:
    await report(http[0], session_id, "message", role="user", content=[{"type": "text", "text": "hello"}])
    async with running("tail", session_id, url=replicas[0].url) as process:
        assert (await read_line(process.stdout)).endswith(" message       user: hello\n")
        process.send_signal(signal.SIGINT)
        assert await ended(process) == (130, "", "")


async def test_tail_ends_when_its_reader_has_left(replicas: Replicas, http: Clients, session_id: str) -> None:
    await report(http[0], session_id)
    await report(http[0], session_id)
    command = f'"{sys.executable}" -m agent_bridge.entry tail {session_id} | head -n 1'
    process = await asyncio.create_subprocess_shell(
        command, stdout=PIPE, stderr=PIPE, env=os.environ | {API_URL_VARIABLE: replicas[0].url}
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        out, err = await process.communicate()
    assert (out.count(b"\n"), err) == (1, b"")


@pytest.mark.parametrize("command", [("ps",), ("stop", "--all"), ("stop", "s"), ("tail", "s")])
async def test_nobody_there_is_one_line_that_says_what_to_do(
    command: tuple[str, ...],
) -> None:
    code, out, err = await run(*command, url=f"http://127.0.0.1:{free_port()}")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "make up" in err
    assert "--api-url" in err


@pytest.mark.parametrize("command", ["stop", "tail"])
async def test_an_unknown_session_is_said(replicas: Replicas, session_id: str, command: str) -> None:
    code, out, err = await run(command, session_id, url=replicas[0].url)
    assert (code, out) == (1, "")
    assert f"No session {session_id!r}" in err
