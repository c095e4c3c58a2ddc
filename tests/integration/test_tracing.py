"""Traces of real processes, as a receiver of the test's own hears them by OTLP."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent_bus import tracing
from agent_bus.jobs import MATERIALISE_TAGS
from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.processes import Process, RedisServer, Server, wait_until, worker

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLIENTS = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
COMMAND = (sys.executable, "-c", "import time; print('running', flush=True); time.sleep(600)")


class Told:
    """A span that was received."""

    def __init__(self, service: str, span: Any) -> None:
        self.service, self.name = service, span.name
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.events = [event.name for event in span.events]
        self.failed = span.status.code == 2
        self.attributes = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


class Receiver:
    """Takes spans on a loopback port."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    named = {item.key: item.value.string_value for item in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        receiver.spans += [Told(named["service.name"], span) for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, name: str, **attributes: str) -> list[Told]:
        """The spans of a name with these attributes, which are ours."""
        wanted = {f"agent_orchestrator.{key}": value for key, value in attributes.items()}
        return [span for span in self.spans if span.name == name and wanted.items() <= span.attributes.items()]

    def one(self, name: str, **attributes: str) -> Told:
        """Waits for such a span; it must be the only one."""
        (found,) = wait_until(lambda: self.find(name, **attributes), f"the span {name!r} among {len(self.spans)}")
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def environment(receiver: Receiver, keys: Keys) -> dict[str, str]:
    return {
        "AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }


def event(session_id: str) -> dict[str, object]:
    return {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}


def test_a_request_is_a_span_in_the_clients_trace(
    redis_server: RedisServer, tmp_path: Path, environment: dict[str, str], receiver: Receiver, session_id: str
) -> None:
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        named = CLIENTS | {"X-Request-ID": "mine-1"}
        assert httpx.post(f"{server.url}/events", json=event(session_id), headers=named).status_code == 200
        assert httpx.get(f"{server.url}/sessions/{session_id}").status_code == 200
        short = receiver.one("POST /events")
        assert (short.service, short.trace, short.parent) == ("agent-orchestrator-coordinator", TRACE, PARENT)
        assert short.attributes["http.route"] == "/events"
        assert short.attributes["http.response.status_code"] == 200
        assert short.attributes["agent_orchestrator.request_id"] == "mine-1"
        long = receiver.one("GET /sessions/{session_id}")
        assert long.trace != TRACE
        assert not long.parent


async def test_a_stop_is_followed_from_the_request_to_the_agents_end(
    redis_server: RedisServer, tmp_path: Path, environment: dict[str, str], receiver: Receiver, session_id: str
) -> None:
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        arguments = ["-m", "agent_bridge.entry", "run", "--session-id", session_id, "--redis-url", redis_server.url]
        with Process([*arguments, "--", *COMMAND], environment, tmp_path / "agent.log") as agent:
            await asyncio.to_thread(wait_until, lambda: "running" in agent.output, "the command to run")

            def connected() -> bool:
                answer = httpx.get(f"{server.url}/sessions/{session_id}")
                return answer.status_code == 200 and answer.json()["presence"] == "connected"

            await asyncio.to_thread(wait_until, connected, "the bridge to be connected")
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                answer = await client.post(f"/sessions/{session_id}/stop", headers=CLIENTS)
            assert answer.json()["message"] == "Session stopped successfully"
            await asyncio.to_thread(agent.popen.wait, 30)

        def check() -> None:
            request = receiver.one("POST /sessions/{session_id}/stop")
            asked = receiver.one("stop", session_id=session_id)
            assert (request.trace, asked.trace, asked.parent) == (TRACE, TRACE, request.id)
            assert asked.events == ["told"]
            assert asked.attributes["agent_orchestrator.outcome"] == "confirmed"
            # Both sides name the command and the run, for what an agent is told carries no trace.
            obeyed = receiver.one("stop of the agent", session_id=session_id)
            assert obeyed.service == "agent-orchestrator-bridge"
            assert obeyed.attributes["agent_orchestrator.outcome"] == "stopped"
            for name in (tracing.COMMAND_ID, tracing.RUN):
                assert obeyed.attributes[name] == asked.attributes[name]

        await asyncio.to_thread(check)


def test_a_job_goes_on_in_the_trace_of_the_request_that_asked_for_it(
    redis_server: RedisServer, tmp_path: Path, environment: dict[str, str], receiver: Receiver
) -> None:
    with (
        Server("documents", redis_server.url, tmp_path, environment) as server,
        worker(redis_server.url, tmp_path, environment) as working,
    ):
        files = {"file": ("a.txt", b"x")}
        answer = httpx.post(f"{server.url}/documents", files=files, data={"tags": "a"}, headers=CLIENTS)
        assert answer.status_code == 201
        upload = receiver.one("POST /documents")
        assert upload.trace == TRACE
        job = receiver.one(f"job {MATERIALISE_TAGS.path}")
        assert (job.service, job.trace, job.parent) == ("agent-orchestrator-worker", TRACE, upload.id)
        assert job.attributes["agent_orchestrator.outcome"] == "done"
        assert not job.failed
        assert working.stop() == 0


def test_a_receiver_that_is_away_harms_nobody_and_delays_no_end(redis_server: RedisServer, tmp_path: Path) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "10"}
    with Server("coordinator", redis_server.url, tmp_path, away) as server:
        for _ in range(3):
            assert httpx.post(f"{server.url}/events", json=event("away")).status_code == 200
        assert server.stop() == 0, server.output
        assert "Traceback" not in server.output


@pytest.mark.parametrize("part", ["up", "coordinator", "documents", "worker"])
def test_without_the_packages_each_part_says_so_in_one_line_and_ends(part: str, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; "
        f"sys.argv = ['agent-orchestrator', {part!r}, '--project-dir', {str(tmp_path)!r}]; "
        "from api.cli import main; main()"
    )
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with Process(["-c", code], environment, tmp_path / "log") as process:
        assert process.popen.wait(30) == 2
        assert process.output.startswith("Error: OTEL_EXPORTER_OTLP_ENDPOINT is set")
        assert "agent-orchestrator[telemetry]" in process.output
        assert len(process.output.splitlines()) == 1


def test_nothing_of_it_is_loaded_where_it_is_not_wanted(redis_server: RedisServer, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import api.coordinator.app, api.documents.app, api.serving, workers.main, agent_bridge.attachment\n"
        "from agent_bus import tracing\n"
        "assert not tracing.start('test')\n"
        "tracing.join()\n"
        "with tracing.span('nothing') as span: span.set('a', 1)\n"
        # Redis's client looks for a part of the SDK by itself, where it is installed.
        "ours = ('opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "found = [name for name in sys.modules if name.startswith(ours)]\n"
        "assert not found, found"
    )
    with Process(["-c", code], {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, tmp_path / "log") as process:
        assert process.popen.wait(30) == 0, process.output
