"""The main job with real parts: events reach every browser on every replica, and Stop reaches the agent."""

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import httpx
import pytest

from agent_bridge import AgentBridge, BlockingAgentBridge, SessionStopped, StopCommand
from agent_bus.timestamps import now
from tests.browser import Browser, Message, is_status
from tests.processes import DEADLINE_SECONDS, RedisServer, Server, worker

Replicas = tuple[Server, Server]
Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]
Browsers = tuple[Browser, Browser]


def event(session_id: str, event_type: str = "message", **fields: object) -> dict[str, object]:
    at = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return at | fields


async def post(client: httpx.AsyncClient, body: dict[str, object]) -> dict[str, object]:
    response = await client.post("/events", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


@contextmanager
def agent(mode: str, session_id: str, redis_url: str, **environment: str) -> Iterator[Popen[bytes]]:
    """An agent in a process of its own, attached."""
    with Popen(
        [sys.executable, "-m", "tests.agent_program", mode, session_id],
        env=os.environ | {"REDIS_URL": redis_url} | environment, stdin=PIPE, stdout=PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"entered\n"
            yield process
        finally:
            process.kill()


async def wait_for_session(client: httpx.AsyncClient, session_id: str, **expected: object) -> dict[str, object]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            session: dict[str, object] = (await client.get(f"/sessions/{session_id}")).json()
            if all(session.get(name) == value for name, value in expected.items()):
                return session
            await asyncio.sleep(0.02)


async def test_an_event_is_seen_once_and_in_order_by_browsers_on_both_replicas(
    http: Clients, browsers: Browsers, session_id: str
) -> None:
    for n in range(50):
        await post(http[n % 2], event(session_id, n=n))
    for browser in browsers:
        await browser.until(lambda m: m["type"] == "event" and m["data"]["session_id"] == session_id, count=50)
        told = browser.of(session_id)
        assert [m["type"] for m in told] == ["session_created"] + ["event"] * 50
        assert [m["data"]["n"] for m in told[1:]] == list(range(50))
        assert [m["seq"] for m in told] == sorted({m["seq"] for m in told})
        assert [m["data"]["id"] for m in told[1:]] == [m["seq"] for m in told[1:]]
    stored = (await http[0].get(f"/events/{session_id}")).json()["events"]
    assert stored == [m["data"] for m in browsers[0].of(session_id)[1:]]


async def test_stop_on_one_replica_stops_the_agent_and_both_browsers_see_it(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer
) -> None:
    with agent("cooperative", session_id, redis_server.url) as process:
        assert (await http[0].get(f"/sessions/{session_id}")).json()["presence"] == "connected"
        response = await http[1].post(f"/sessions/{session_id}/stop")
        assert response.status_code == 200
        assert response.json() == {
            "success": True, "ok": True, "session_id": session_id, "status": "stopped",
            "message": "Session stopped successfully",
        }  # fmt: skip
        for browser in browsers:
            (update,) = await browser.until(is_status(session_id, "stopped"))
            assert update["session"]["stop_confirmed"] is True
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 3


async def test_a_stop_given_before_the_agent_attaches_stops_it_at_once(
    http: Clients, session_id: str, redis_server: RedisServer
) -> None:
    await post(http[0], event(session_id, "session_start"))
    answer = (await http[0].post(f"/sessions/{session_id}/stop")).json()
    assert (answer["success"], answer["status"]) == (True, "stopped")
    assert "no agent was connected" in answer["message"]
    assert (await post(http[1], event(session_id)))["stop_requested"] is True
    async with AgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
        assert bridge.stop_requested
        with pytest.raises(SessionStopped):
            await bridge.run(asyncio.Event().wait())
        await wait_for_session(http[0], session_id, status="stopped", stop_confirmed=True)


async def test_an_old_stop_has_no_effect_on_the_run_that_was_started_again(
    http: Clients, session_id: str, redis_server: RedisServer
) -> None:
    await post(http[0], event(session_id, "session_start"))
    await http[0].post(f"/sessions/{session_id}/stop")
    assert (await post(http[1], event(session_id, "session_start")))["stop_requested"] is False
    async with AgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
        assert not bridge.stop_requested
        await wait_for_session(http[0], session_id, status="running", stop_confirmed=None, presence="connected")


async def test_two_stops_at_once_on_two_replicas_stop_once(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer
) -> None:
    calls: list[StopCommand] = []
    async with AgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
        bridge.on_stop(calls.append)
        answers = await asyncio.gather(*(client.post(f"/sessions/{session_id}/stop") for client in http))
        assert [answer.json()["status"] for answer in answers] == ["stopped", "stopped"]
        assert [answer.status_code for answer in answers] == [200, 200]
    assert len(calls) == 1
    assert len(await browsers[0].until(is_status(session_id, "stopped"))) == 1


async def test_a_stop_after_the_end_sends_nothing(http: Clients, session_id: str, redis_server: RedisServer) -> None:
    async with AgentBridge(session_id=session_id, redis_url=redis_server.url):
        pass
    answer = await http[1].post(f"/sessions/{session_id}/stop")
    assert (answer.status_code, answer.json()["success"], answer.json()["status"]) == (200, True, "finished")
    assert (await http[0].get(f"/sessions/{session_id}")).json()["stop_confirmed"] is None


async def test_stopping_an_unknown_session_is_404(http: Clients) -> None:
    answer = await http[0].post("/sessions/never-heard-of/stop")
    assert answer.status_code == 404
    assert "never-heard-of" in answer.json()["detail"]


async def test_an_agent_that_does_not_confirm_is_202_and_its_confirmation_comes_over_the_websocket(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer
) -> None:
    with agent("stubborn", session_id, redis_server.url) as process:
        answer = await http[0].post(f"/sessions/{session_id}/stop")
        assert answer.status_code == 202
        assert (answer.json()["success"], answer.json()["status"]) == (False, "running")
        assert (await http[1].get(f"/sessions/{session_id}")).json()["stop_confirmed"] is False
        assert process.stdin is not None
        process.stdin.close()
        (update,) = await browsers[1].until(is_status(session_id, "stopped"))
        assert update["session"]["stop_confirmed"] is True


async def test_a_killed_agents_lease_lapses_and_the_session_tells_so(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer
) -> None:
    with agent("cooperative", session_id, redis_server.url, TEST_LEASE_SECONDS="1") as process:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, DEADLINE_SECONDS)
    session = await wait_for_session(http[0], session_id, presence="none")
    assert session["status"] == "running"
    for browser in browsers:
        await browser.until(
            lambda m: (
                m["type"] == "session_updated"
                and m["session"]["session_id"] == session_id
                and m["session"]["presence"] == "none"
            )
        )
    answer = (await http[1].post(f"/sessions/{session_id}/stop")).json()
    assert (answer["status"], "no agent was connected" in answer["message"]) == ("stopped", True)


async def test_a_frozen_agent_is_stopped_when_it_comes_back(
    http: Clients, session_id: str, redis_server: RedisServer
) -> None:
    with agent("cooperative", session_id, redis_server.url, TEST_LEASE_SECONDS="1") as process:
        process.send_signal(signal.SIGSTOP)
        await wait_for_session(http[0], session_id, presence="none")
        assert (await http[0].post(f"/sessions/{session_id}/stop")).json()["status"] == "stopped"
        process.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 3
    await wait_for_session(http[0], session_id, status="stopped", stop_confirmed=True)


async def test_an_exception_that_leaves_the_block_finishes_with_code_one_and_the_reason(
    http: Clients, session_id: str, redis_server: RedisServer
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with AgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
            await bridge.pre_tool("Bash", {"command": "true"})
            await bridge.post_tool("Bash", {"command": "true"}, "out", error=None)
            1 / 0  # noqa: B018
    events = (await http[0].get(f"/events/{session_id}")).json()["events"]
    assert [e["event_type"] for e in events] == ["session_start", "pre_tool", "post_tool", "session_stop"]
    assert (events[-1]["exit_code"], events[-1]["reason"]) == (1, "ZeroDivisionError: division by zero")
    assert (await http[0].get(f"/sessions/{session_id}")).json()["status"] == "finished"


async def test_the_bridge_for_threads_does_the_same(http: Clients, session_id: str, redis_server: RedisServer) -> None:
    def work() -> str:
        with BlockingAgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
            bridge.message("user", "go")
            command = bridge.wait_for_stop(DEADLINE_SECONDS)
            assert command is not None
            try:
                bridge.raise_if_stopped()
            except SessionStopped as error:
                return error.command.session_id
        return "not stopped"

    working = asyncio.create_task(asyncio.to_thread(work))
    await wait_for_session(http[0], session_id, presence="connected")
    answer = await http[0].post(f"/sessions/{session_id}/stop")
    assert (answer.status_code, answer.json()["status"]) == (200, "stopped")
    assert await working == session_id


async def test_a_browser_comes_back_to_the_other_replica_with_since_and_has_every_message_once(
    http: Clients, replicas: Replicas, session_id: str
) -> None:
    async with Browser(replicas[0].ws_url) as before:
        await post(http[0], event(session_id, n=0))
        await before.until(lambda m: m["type"] == "event" and m["data"]["session_id"] == session_id)
    for n in range(1, 30):
        await post(http[1], event(session_id, n=n))
    async with Browser(f"{replicas[1].ws_url}?since={before.last_seq}") as after:
        await post(http[0], event(session_id, n=30))
        await after.until(lambda m: m["type"] == "event" and m["data"]["session_id"] == session_id, count=30)
        assert [m["data"]["n"] for m in (*before.of(session_id)[1:], *after.of(session_id))] == list(range(31))
        assert all(m["type"] != "init" for m in after.messages)


async def test_since_from_another_epoch_or_the_future_begins_with_init(replicas: Replicas) -> None:
    for query in ("since=0&epoch=deadbeef", "since=9007199254740991"):
        async with Browser(f"{replicas[0].ws_url}?{query}") as browser:
            await browser.until(lambda m: m["type"] == "init")
            assert browser.messages[0]["type"] == "init"


async def test_init_under_fire_has_no_gap_and_no_repeat(http: Clients, replicas: Replicas, session_id: str) -> None:
    total = 300

    async def fire() -> None:
        for n in range(total):
            await post(http[n % 2], event(session_id, n=n))

    async def watch(server: Server) -> None:
        async with Browser(server.ws_url) as browser:
            init = browser.messages[0]
            await browser.until(lambda m: m["type"] == "event" and m["data"].get("n") == total - 1)
            events = [m for m in browser.of(session_id) if m["type"] == "event"]
            assert all(m["seq"] > init["seq"] for m in browser.messages[1:])
            assert [m["data"]["n"] for m in events] == list(range(total - len(events), total))
            stored = (await http[0].get(f"/events/{session_id}")).json()["events"]
            missed = [e for e in stored if e["id"] > init["seq"]]
            assert [m["data"]["id"] for m in events] == [e["id"] for e in missed]

    firing = asyncio.create_task(fire())
    watching = []
    for n in range(20):
        await asyncio.sleep(0)
        watching.append(asyncio.create_task(watch(replicas[n % 2])))
        await post(http[0], event(f"{session_id}-other"))
    await asyncio.gather(firing, *watching)


async def test_a_browser_may_ask_for_some_sessions_only(http: Clients, replicas: Replicas, session_id: str) -> None:
    other = f"{session_id}-other"
    await post(http[0], event(session_id))
    async with Browser(f"{replicas[0].ws_url}?session_id={session_id}") as browser:
        assert [s["session_id"] for s in browser.messages[0]["sessions"]] == [session_id]
        await post(http[1], event(other))
        await post(http[1], event(session_id, n="last"))
        await browser.until(lambda m: m["type"] == "event" and m["data"].get("n") == "last")
        assert browser.of(other) == []


async def test_stop_several_answers_for_each(http: Clients, session_id: str, redis_server: RedisServer) -> None:
    names = [f"{session_id}-{n}" for n in range(3)]
    for name in names:
        await post(http[0], event(name, "session_start", agent_name=session_id))
    await post(http[0], event(names[0], "session_stop"))
    answer = (await http[1].post("/sessions/stop", json={"agent_name": session_id})).json()
    assert sorted(result["session_id"] for result in answer["sessions"]) == names[1:]
    assert {result["status"] for result in answer["sessions"]} == {"stopped"}
    answer = (await http[1].post("/sessions/stop", json={"session_ids": [names[0], "never"]})).json()
    assert [(r["session_id"], r["success"], r["status"]) for r in answer["sessions"]] == [
        (names[0], True, "finished"), ("never", False, "unknown"),
    ]  # fmt: skip
    assert (await http[1].post("/sessions/stop", json={})).status_code == 422


async def test_pages_of_events_and_sessions_reach_everything(http: Clients, session_id: str) -> None:
    for n in range(25):
        await post(http[0], event(session_id, n=n, agent_name=session_id))
    url = f"/events/{session_id}"
    newest = (await http[0].get(url, params={"limit": 10})).json()
    assert ([e["n"] for e in newest["events"]], newest["has_more"]) == (list(range(15, 25)), True)
    older = (await http[0].get(url, params={"limit": 10, "before": newest["next"]})).json()
    assert [e["n"] for e in older["events"]] == list(range(5, 15))
    oldest = (await http[0].get(url, params={"limit": 10, "before": older["next"]})).json()
    assert ([e["n"] for e in oldest["events"]], oldest["has_more"], oldest["next"]) == (list(range(5)), False, None)
    after = (await http[0].get(url, params={"after": older["events"][-1]["id"]})).json()
    assert after == newest | {"has_more": False, "next": None}
    assert (await http[0].get("/events/never-heard-of")).status_code == 404
    found = (await http[1].get("/sessions", params={"agent_name": session_id, "q": session_id[2:8].upper()})).json()
    assert (found["total"], [s["session_id"] for s in found["sessions"]]) == (1, [session_id])


async def test_foreign_pages_can_neither_stop_nor_listen(http: Clients, replicas: Replicas, session_id: str) -> None:
    await post(http[0], event(session_id, "session_start"))
    refused = await http[0].post(f"/sessions/{session_id}/stop", headers={"Origin": "https://evil.example"})
    assert (refused.status_code, "CORS_ORIGINS" in refused.json()["detail"]) == (403, True)
    assert (await http[0].get(f"/sessions/{session_id}")).json()["status"] == "running"
    assert (await http[0].get("/sessions", headers={"Host": "rebound.example"})).status_code == 400
    async with Browser(f"{replicas[0].ws_url}?since=0", origin="https://evil.example") as browser:
        assert await browser.closed() == 4403
        assert browser.messages == []
    for origin in ("http://localhost:5173", replicas[0].url):
        async with Browser(replicas[0].ws_url, origin=origin) as browser:
            assert browser.messages[0]["type"] == "init"


async def test_a_coordinator_that_goes_down_tells_its_browsers_to_come_back(
    redis_server: RedisServer, workspace: Path
) -> None:
    with Server("coordinator", redis_server.url, workspace) as server:
        async with Browser(server.ws_url) as browser:
            await asyncio.to_thread(server.stop)
            assert await browser.closed() == 1012


async def test_browsers_see_documents_and_tags_change(
    redis_server: RedisServer, replicas: Replicas, browsers: Browsers, workspace: Path
) -> None:
    tag = f"tag-{uuid.uuid4().hex[:8]}"
    with (
        worker(redis_server.url, workspace),
        Server("documents", redis_server.url, workspace) as documents,
    ):
        async with httpx.AsyncClient(base_url=documents.url, timeout=30) as client:
            files = {"file": ("a.txt", b"text")}
            posted = (await client.post("/documents", files=files, data={"tags": tag})).json()
            # A tag that has come and gone before the worker counted is no change that anybody is told of.
            for browser in browsers:
                await browser.until(lambda m: m["type"] == "tags_updated" and {"name": tag, "count": 1} in m["tags"])
            await client.patch(f"/documents/{posted['id']}", json={"description": "changed"})
            await client.delete(f"/documents/{posted['id']}")

        def of_document(message: Message) -> bool:
            named = message.get("document", {}).get("id") or message.get("document_id")
            return bool(named == posted["id"])

        for browser in browsers:
            told = await browser.until(of_document, count=3)
            assert [m["type"] for m in told] == ["document_created", "document_updated", "document_deleted"]
            assert told[0]["document"] == posted
            gone = told[-1]["seq"]
            counts = await browser.until(
                lambda m, gone=gone: (
                    m["type"] == "tags_updated" and m["seq"] > gone and tag not in [one["name"] for one in m["tags"]]
                )
            )
            assert set(counts[0]) == {"type", "seq", "tags"}


async def test_redis_restarting_loses_nothing_and_repeats_nothing(
    own_redis_server: RedisServer, workspace: Path, session_id: str
) -> None:
    with Server("coordinator", own_redis_server.url, workspace) as server:
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=30) as client,
            Browser(server.ws_url) as browser,
            AgentBridge(session_id=session_id, redis_url=own_redis_server.url) as bridge,
        ):
            await bridge.event("step", n=0)
            await browser.until(lambda m: m["type"] == "event" and m["data"]["event_type"] == "step")
            own_redis_server.kill()
            refused = await client.post("/events", json=event(session_id))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            await bridge.event("step", n=1)
            own_redis_server.start()
            await bridge.event("step", n=2)
            await browser.until(lambda m: m["type"] == "event" and m["data"]["event_type"] == "step", count=3)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (await client.get("/ready")).status_code != 200:
                    await asyncio.sleep(0.02)
            answer = await client.post(f"/sessions/{session_id}/stop")
            assert answer.status_code in (200, 202), answer.text
            assert (await asyncio.wait_for(bridge.wait_for_stop(), DEADLINE_SECONDS)).session_id == session_id
        steps = [m["data"]["n"] for m in browser.of(session_id) if m["type"] == "event" and "n" in m["data"]]
        assert steps == [0, 1, 2]
        seqs = [m["seq"] for m in browser.messages]
        assert seqs == sorted(set(seqs))
        assert sum(m["type"] == "init" for m in browser.messages) == 1


def test_the_bridge_finds_redis_by_the_projects_file(
    redis_server: RedisServer, workspace: Path, monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    data = workspace / ".agent-orchestrator"
    data.mkdir()
    (data / "redis-url").write_text(redis_server.url)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("AGENT_ORCHESTRATOR_PROJECT_DIR", raising=False)
    (workspace / "deeper").mkdir()
    monkeypatch.chdir(workspace / "deeper")
    with BlockingAgentBridge(session_id=session_id) as bridge:
        assert bridge._entered.tried.result(DEADLINE_SECONDS) is True


async def test_what_a_session_is_stays_valid_json_for_odd_names(
    http: Clients, browsers: Browsers, session_id: str
) -> None:
    name = 'quote " backslash \\ newline \n tab \t é 漢 🙂 </script>'
    await post(http[0], event(session_id, session_name=name))
    assert (await http[1].get(f"/sessions/{session_id}")).json()["session_name"] == name
    (created, told) = await browsers[1].until(lambda m: session_id in json.dumps(m) and m["type"] != "init", count=2)
    assert created["session"]["session_name"] == name
    assert told["data"]["session_name"] == name
