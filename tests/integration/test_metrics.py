"""`/metrics`, `/health` and `/ready` of real processes, beside a real Redis."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from agent_bridge import AgentBridge
from agent_bus.jobs import MATERIALISE_TAGS, TAGS, queue_name
from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.browser import Browser
from tests.integration.test_processes import Coordinators, a_browser_on_each
from tests.metrics import Metrics, read_metrics
from tests.processes import Process, RedisServer, Server, free_port, wait_until

STOP_WAIT_SECONDS = 0.3
PREFIX = "agent_orchestrator_"
# What the library's own collectors say.
LIBRARYS = "process_"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is refused


@pytest.fixture
def environment(keys: Keys) -> dict[str, str]:
    return {
        "AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace,
        "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": str(STOP_WAIT_SECONDS),
    }


@pytest.fixture
def coordinator(redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]) -> Iterator[Server]:
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        yield server


@pytest.fixture
def documents(redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]) -> Iterator[Server]:
    with Server("documents", redis_server.url, tmp_path, environment) as server:
        yield server


class Worker(Process):
    """A worker that answers for its metrics."""

    def __init__(self, redis_url: str, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            ["-m", "api.cli", "worker", "--redis-url", redis_url, "--metrics-port", str(self.port)],
            {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)} | environment,
            folder / f"worker-{self.port}.log",
        )
        wait_until(self._ready, "the worker to be ready")

    def _ready(self) -> bool:
        assert self.popen.poll() is None, self.output
        try:
            return httpx.get(f"{self.url}/ready").status_code == 200
        except httpx.TransportError:
            return False


def event(session_id: str, **fields: object) -> dict[str, object]:
    at = {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return at | fields


def post_events(url: str, session_id: str, count: int) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        for _ in range(count):
            assert client.post("/events", json=event(session_id)).status_code == 200


def follows_the_conventions(metrics: Metrics) -> None:
    for family in metrics.families.values():
        assert family.documentation, family.name
        if family.name.startswith(LIBRARYS):
            continue
        assert re.fullmatch(rf"{PREFIX}[a-z]+(_[a-z]+)*", family.name), family.name
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            assert len(sample.labels) <= 4, sample


def test_requests_are_counted_by_route_and_never_by_id(coordinator: Server, session_id: str) -> None:
    post_events(coordinator.url, session_id, 3)
    with httpx.Client(base_url=coordinator.url, timeout=30) as client:
        assert client.post("/events", content=b"no event").status_code == 422
        # With an origin it takes the long way.
        own = {"Origin": coordinator.url}
        assert client.post("/events", json=event(session_id), headers=own).status_code == 200
        assert client.get(f"/sessions/{session_id}").status_code == 200
        assert client.get("/sessions/nobody").status_code == 404
        assert client.get("/nothing/of/ours").status_code == 404
        assert client.get("/health", headers={"Host": "elsewhere"}).status_code == 400
    metrics = read_metrics(coordinator.url)
    follows_the_conventions(metrics)

    def requests(route: str, status: int, method: str = "GET") -> float:
        return metrics.value("http_requests_total", method=method, route=route, status=str(status))

    assert requests("/events", 200, "POST") == 4
    assert requests("/events", 422, "POST") == 1
    assert requests("/sessions/{session_id}", 200) == requests("/sessions/{session_id}", 404) == 1
    assert requests("other", 404) == requests("other", 400) == 1
    assert metrics.value("http_request_seconds_count", method="POST", route="/events") == 5
    assert metrics.value("events_accepted_total", way="event") == 4
    assert metrics.value("events_refused_total", reason="invalid") == 1
    assert metrics.value("redis_round_trip_seconds_count") > 0
    assert metrics.value("redis_errors_total") == 0
    assert metrics.value("process_resident_memory_bytes") > 1_000_000
    assert metrics.value("process_open_fds") > 3
    assert session_id not in str(metrics.samples)
    assert "nobody" not in str(metrics.samples)


async def test_the_relay_tells_whom_it_serves_and_whom_it_let_go(coordinator: Server, session_id: str) -> None:
    def read() -> Metrics:
        return read_metrics(coordinator.url)

    async with Browser(coordinator.ws_url) as one, Browser(coordinator.ws_url) as two:
        await asyncio.to_thread(post_events, coordinator.url, session_id, 5)
        for browser in (one, two):
            await browser.until(lambda message: message["type"] == "event", count=5)
        metrics = await asyncio.to_thread(read)
        assert metrics.value("browsers_connected") == 2
        assert metrics.value("relay_following") == 1
        assert metrics.value("relay_lag_messages") == 0
        assert metrics.value("relay_messages_received_total") >= 6
        assert metrics.value("relay_messages_delivered_total") == 2 * metrics.value("relay_messages_received_total")
    async with Browser(f"{coordinator.ws_url}?since=999999999") as ahead:
        # It is told to begin anew in the same connection, and leaves by itself.
        await ahead.until(lambda message: message["type"] == "init")
    async with Browser(f"{coordinator.ws_url}?since=soon") as wrong:
        assert await wrong.closed() == 4400
    metrics = await asyncio.to_thread(
        wait_until, lambda: (m := read()).value("websockets_closed_total") == 4 and m, "the closes to be counted"
    )
    assert metrics.value("websockets_closed_total", code="left") == 3
    assert metrics.value("websockets_closed_total", code="4400") == 1
    assert metrics.value("browsers_connected") == 0


async def test_a_browser_that_does_not_keep_up_is_counted_by_its_code(
    redis_server: RedisServer, tmp_path: Path, environment: dict[str, str], session_id: str
) -> None:
    small = environment | {"AGENT_ORCHESTRATOR_WS_BUFFER_BYTES": "4096"}
    with Server("coordinator", redis_server.url, tmp_path, small) as server:
        async with Browser(server.ws_url) as browser:
            browser.connection.transport.pause_reading()

            def let_go() -> bool:
                large = event(session_id, content=[{"type": "text", "text": "x" * 500_000}])
                assert httpx.post(f"{server.url}/events", json=large).status_code == 200
                return read_metrics(server.url).value("websockets_closed_total", code="4008") == 1

            await asyncio.to_thread(wait_until, let_go, "the browser to be let go")
            browser.connection.transport.resume_reading()


async def test_a_stop_is_timed_by_what_came_of_it(
    coordinator: Server,
    redis_server: RedisServer,
    keys: Keys,
    session_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", keys.namespace)

    async def stop(name: str) -> int:
        async with httpx.AsyncClient(base_url=coordinator.url, timeout=30) as client:
            return (await client.post(f"/sessions/{name}/stop")).status_code

    def bridge(name: str) -> AgentBridge:
        return AgentBridge(session_id=name, redis_url=redis_server.url)

    async with bridge(session_id) as obedient:
        stopping = asyncio.create_task(stop(session_id))
        await obedient.wait_for_stop()
    assert await stopping == 200
    assert await stop(session_id) == 200
    assert await stop("nobody") == 404
    async with bridge("stubborn") as stubborn:
        assert await stop("stubborn") == 202
        await stubborn.wait_for_stop()
    await asyncio.to_thread(post_events, coordinator.url, "alone", 1)
    assert await stop("alone") == 200
    metrics = await asyncio.to_thread(read_metrics, coordinator.url)
    counts = {labels["outcome"]: value for labels, value in metrics.all("stop_seconds_count")}
    assert counts == {"confirmed": 1, "ended": 1, "unknown": 1, "unconfirmed": 1, "unattended": 1}
    assert metrics.value("stop_seconds_sum", outcome="unconfirmed") >= STOP_WAIT_SECONDS
    route = "/sessions/{session_id}/stop"
    assert metrics.value("http_requests_total", method="POST", route=route, status="202") == 1


async def test_two_processes_behind_one_port_are_counted_together(
    redis_server: RedisServer, tmp_path: Path, session_id: str
) -> None:
    """Whichever answers a scrape used to know its own share only, and two scrapes in a row contradicted each other."""
    with Coordinators(redis_server.url, tmp_path) as server:
        one, two = server.children
        for child, count in ((one, 3), (two, 4)):
            with server.only(child):
                await asyncio.to_thread(post_events, server.url, session_id, count)
        async with AsyncExitStack() as stack:
            await a_browser_on_each(server, stack)

            def told(metrics: Metrics) -> dict[str, float]:
                return {
                    "requests": metrics.value("http_requests_total", method="POST", route="/events", status="200"),
                    "accepted": metrics.value("events_accepted_total", way="event"),
                    "browsers": metrics.value("browsers_connected"),
                    "following": metrics.value("relay_following"),
                    "processes": len(metrics.all("process_resident_memory_bytes")),
                }

            wanted = {"requests": 7, "accepted": 7, "browsers": 2, "following": 2, "processes": 2}
            # What is read rather than counted is written down every second.
            await asyncio.to_thread(wait_until, lambda: told(read_metrics(server.url)) == wanted, "all to be told")
            for child in (one, two):
                with server.only(child):
                    metrics = await asyncio.to_thread(read_metrics, server.url)
                    follows_the_conventions(metrics)
                    assert told(metrics) == wanted
            killed = {labels["pid"] for labels, _ in metrics.all("process_open_fds")}
            assert killed == {"coordinator-1", "coordinator-2"}
            one.kill()
            await asyncio.to_thread(server.await_serving, 3)

            def mended() -> Metrics | None:
                found = read_metrics(server.url)
                return found if told(found) == wanted | {"browsers": 1} else None

            # What the killed one had counted is not forgotten; what it held is.
            await asyncio.to_thread(wait_until, mended, "the counts to be those of both, old and new")


def test_the_folder_in_which_processes_count_goes_with_them(redis_server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    previous = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(tmp_path / "tmp")
    try:
        with Coordinators(redis_server.url, tmp_path) as server:
            assert list((tmp_path / "tmp").glob("agent-orchestrator-metrics-*/*.db"))
            assert server.stop() == 0
    finally:
        if previous is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = previous
    assert not list((tmp_path / "tmp").iterdir())


def test_documents_tell_bytes_and_queues(documents: Server, keys: Keys) -> None:
    with httpx.Client(base_url=documents.url, timeout=30) as client:
        uploaded = client.post("/documents", files={"file": ("a.txt", b"x" * 1000)}, data={"tags": "a"})
        assert uploaded.status_code == 201
        document = uploaded.json()["id"]
        assert len(client.get(f"/documents/{document}").content) == 1000
        assert len(client.get(f"/documents/{document}", headers={"Range": "bytes=0-9"}).content) == 10
    queue = queue_name(keys, TAGS)
    metrics = wait_until(
        lambda: (m := read_metrics(documents.url)).value("queue_jobs", queue=queue) == 1 and m, "the job to be queued"
    )
    follows_the_conventions(metrics)
    assert metrics.value("upload_bytes_total") == 1000
    assert metrics.value("download_bytes_total") == 1010
    assert metrics.value("workers_alive") == 0
    assert metrics.value("queue_failed_jobs") == 0
    assert metrics.value("http_requests_total", route="/documents/{document_id}", method="GET") == 2
    assert document not in str(metrics.samples)


def test_a_worker_tells_of_its_jobs(
    documents: Server, redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    with Worker(redis_server.url, tmp_path, environment) as worker:
        assert httpx.get(f"{worker.url}/health").json() == {"status": "healthy", "service": "worker"}
        assert httpx.get(f"{worker.url}/ready").json()["checks"] == {"redis": "ok", "working": "ok", "stopping": "ok"}
        assert httpx.get(f"{worker.url}/elsewhere").status_code == 404
        files = {"file": ("a.txt", b"x")}
        assert httpx.post(f"{documents.url}/documents", files=files, data={"tags": "a"}).status_code == 201
        name = MATERIALISE_TAGS.name
        metrics = wait_until(
            lambda: (m := read_metrics(worker.url)).value("jobs_total", job=name, outcome="done") == 1 and m,
            "the job to be done",
        )
        follows_the_conventions(metrics)
        assert metrics.value("job_seconds_count", job=name) == 1
        assert metrics.value("job_seconds_sum", job=name) > 0
        assert metrics.value("process_resident_memory_bytes") > 1_000_000
        assert read_metrics(documents.url).value("workers_alive") == 1
        assert worker.stop() == 0, worker.output


def test_a_job_that_fails_is_counted_and_why_the_worker_is_not_ready_is_told(
    own_redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    broken = environment | {"AGENT_ORCHESTRATOR_BLOB_STORE_URL": "s3://nowhere/at-all", "AWS_ALLOW_HTTP": "1",
                            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_ACCESS_KEY_ID": "x",
                            "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "x"}  # fmt: skip
    with Worker(own_redis_server.url, tmp_path, broken) as worker:
        wait_until(
            lambda: read_metrics(worker.url).value("jobs_total", job="remove_orphaned_blobs", outcome="retried") == 1,
            "the job to fail",
            60,
        )
        own_redis_server.kill()
        wait_until(lambda: httpx.get(f"{worker.url}/ready").status_code == 503, "the worker to notice")
        unready = httpx.get(f"{worker.url}/ready").json()
        assert unready["detail"].startswith("Redis does not answer")
        assert httpx.get(f"{worker.url}/health").status_code == 200
        own_redis_server.start()
        wait_until(lambda: httpx.get(f"{worker.url}/ready").status_code == 200, "the worker to work again")


def test_a_workers_metrics_are_for_this_machine_unless_it_is_said(redis_server: RedisServer, tmp_path: Path) -> None:
    arguments = ["-m", "api.cli", "worker", "--redis-url", redis_server.url, "--metrics-port", str(free_port())]
    with Process([*arguments, "--metrics-host", EVERYWHERE], {}, tmp_path / "log") as process:
        assert process.popen.wait(30) == 1
        assert "--insecure" in process.output
        assert len(process.output.splitlines()) == 1


def test_ready_says_what_is_missing(own_redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]) -> None:
    with (
        Server("coordinator", own_redis_server.url, tmp_path, environment) as coordinator,
        Server("documents", own_redis_server.url, tmp_path, environment) as documents,
    ):
        for server in (coordinator, documents):
            wait_until(lambda s=server: httpx.get(f"{s.url}/ready").status_code == 200, "it to be ready")
        own_redis_server.pause()
        try:
            for server in (coordinator, documents):
                answer = httpx.get(f"{server.url}/ready", timeout=10)
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "1"
                assert answer.json()["detail"].startswith("Redis does not answer")
                assert answer.json()["status"] == "not ready"
                assert httpx.get(f"{server.url}/health").status_code == 200
                # An outage is when metrics are looked at.
                assert httpx.get(f"{server.url}/metrics", timeout=10).status_code == 200
        finally:
            own_redis_server.resume()
        own_redis_server.kill()
        wait_until(
            lambda: httpx.get(f"{coordinator.url}/ready", timeout=10).json()["checks"]["subscription"] != "ok",
            "the subscription to be missed",
        )
        assert read_metrics(coordinator.url).value("redis_errors_total", kind="connection") > 0
        assert read_metrics(coordinator.url).value("relay_following") == 0
        own_redis_server.start()
        for server in (coordinator, documents):
            wait_until(lambda s=server: httpx.get(f"{s.url}/ready", timeout=10).status_code == 200, "it to heal")


def test_documents_are_not_ready_when_bytes_can_not_be_kept(
    redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    store = tmp_path / "store"
    with Server(
        "documents", redis_server.url, tmp_path, environment | {"AGENT_ORCHESTRATOR_BLOB_STORE_URL": f"file://{store}"}
    ) as server:
        shutil.rmtree(store)
        # A file in the folder's place is in the way of root, too.
        store.write_bytes(b"")
        answer = httpx.get(f"{server.url}/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["redis"] == "ok"
        assert "blob store" in answer.json()["detail"]
        assert str(store) not in answer.text
        assert httpx.get(f"{server.url}/health").status_code == 200
        store.unlink()
        store.mkdir()
        wait_until(lambda: httpx.get(f"{server.url}/ready").status_code == 200, "it to heal")


def test_metrics_need_a_token_where_everything_does(
    redis_server: RedisServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    token = "0123456789abcdef" * 4
    with Server("coordinator", redis_server.url, tmp_path, environment | {"AGENT_ORCHESTRATOR_TOKEN": token}) as server:
        assert httpx.get(f"{server.url}/metrics").status_code == 401
        metrics = read_metrics(server.url, headers={"Authorization": f"Bearer {token}"})
        assert metrics.value("http_requests_total", status="401") == 1
        assert httpx.get(f"{server.url}/ready").status_code in (200, 503)
