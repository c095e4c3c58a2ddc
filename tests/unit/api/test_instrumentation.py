from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_bus import tracing
from agent_bus.log_lines import request_id
from api.errors import problem
from api.instrumentation import Instrumentation, name_route
from api.metrics import Registry, RequestMetrics
from api.noted import NotedResponse
from tests.metrics import Metrics

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Seen:
    """An application with the layer around it, and what that has counted."""

    def __init__(self, app: ASGIApp, *noted: str) -> None:
        self._registry = Registry({})
        self.app = Instrumentation(app, RequestMetrics(self._registry), noted=frozenset(noted))

    @property
    def metrics(self) -> Metrics:
        self._registry.sample()
        return Metrics(self._registry.text("")[0].decode())

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers={key.replace("_", "-"): v for key, v in headers.items()})


def framework() -> FastAPI:
    app = FastAPI()

    @app.get("/things/{name}")
    async def thing(name: str) -> dict[str, str]:
        return {"name": name, "request": request_id.get().decode()}

    async def page(_: Any) -> Response:
        return Response("page")

    app.router.routes.append(Route("/", page))
    return app


@pytest.fixture
def seen() -> Seen:
    return Seen(framework())


async def test_routes_are_counted_by_their_template(seen: Seen) -> None:
    for path in ("/things/a", "/things/b", "/nothing", "/nothing/else", "/"):
        await seen.get(path)
    counted = {(labels["route"], labels["status"]): value for labels, value in seen.metrics.all("http_requests_total")}
    assert counted == {("/things/{name}", "200"): 2, ("other", "404"): 2, ("page", "200"): 1}


async def test_a_request_that_passes_the_framework_by_names_its_route() -> None:
    async def short(scope: Scope, receive: Receive, send: Send) -> None:
        name_route(scope, "/short")
        await Response("", 202)(scope, receive, send)

    seen = Seen(short)
    await seen.get("/short/7", "POST")
    assert seen.metrics.value("http_requests_total", method="POST", route="/short", status="202") == 1


async def test_each_request_has_a_name_of_its_own_and_its_log_lines_too(seen: Seen) -> None:
    answers = [await seen.get("/things/a") for _ in range(3)]
    names = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(names)) == 3
    assert names == [answer.json()["request"] for answer in answers]


async def test_a_clients_name_is_kept_and_given_back(seen: Seen) -> None:
    answer = await seen.get("/things/a", x_request_id="from-the-proxy:1/2")
    assert answer.headers["x-request-id"] == answer.json()["request"] == "from-the-proxy:1/2"


@pytest.mark.parametrize("name", ["", "two words", "x" * 129, 'quote"d', "<script>"])
async def test_a_name_that_is_long_or_odd_is_replaced(seen: Seen, name: str) -> None:
    assert (await seen.get("/things/a", x_request_id=name)).headers["x-request-id"] != name


async def test_an_answer_that_is_sent_again_does_not_collect_names() -> None:
    seen = Seen(Response("always this one"))
    for _ in range(3):
        assert len((await seen.get("/")).headers.get_list("x-request-id")) == 1


async def test_a_request_whose_client_left_is_counted() -> None:
    async def silent(*_: object) -> None:
        return None

    seen = Seen(silent)

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    async def refuse(_: Message) -> None:
        raise AssertionError("nobody is there")

    await seen.app({"type": "http", "method": "GET", "path": "/", "headers": []}, nothing, refuse)
    assert seen.metrics.value("http_requests_total", status="none") == 1


@pytest.mark.parametrize(("close", "code"), [({"code": 4400}, "4400"), ({}, "1000"), (None, "left")])
async def test_websockets_are_counted_by_the_code_they_were_closed_with(
    close: dict[str, int] | None, code: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        if close is not None:
            await send({"type": "websocket.close", **close})

    async def ignore(_: Message) -> None:
        return None

    async def nothing() -> Message:
        return {"type": "websocket.connect"}

    seen = Seen(app)
    await seen.app({"type": "websocket", "path": "/ws", "headers": []}, nothing, ignore)
    assert seen.metrics.all("websockets_closed_total") == [({"code": code}, 1.0)]


async def test_a_request_that_is_traced_says_what_became_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("", 503)(scope, receive, send)

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing._process, "tracer", provider.get_tracer("test"))
    await Seen(framework()).get("/things/a?secret=1", x_request_id="r-1")
    await Seen(broken).get("/")
    well, failed = exporter.get_finished_spans()
    assert well.name == "GET /things/{name}"
    assert well.attributes == {
        "http.request.method": "GET",
        "url.path": "/things/a",
        "http.route": "/things/{name}",
        "http.response.status_code": 200,
        "agent_orchestrator.request_id": "r-1",
    }
    assert well.status.status_code.name == "UNSET"
    assert failed.status.status_code.name == "ERROR"


async def test_what_is_answered_by_noted_answers_is_counted_all_the_same() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem(422, "why") if b"bad" in scope["query_string"] else NotedResponse("")
        await answer(scope, receive, send)

    seen = Seen(app, "/many")
    well, named = await seen.get("/many", "POST"), await seen.get("/many", "POST", x_request_id="mine")
    refused = await seen.get("/many?bad", "POST")
    read = await seen.get("/many")
    assert "x-request-id" not in well.headers
    assert named.headers.get_list("x-request-id") == ["mine"]
    assert refused.status_code == 422
    assert "x-request-id" in read.headers
    count = seen.metrics.value
    assert count("http_requests_total", method="POST", route="/many", status="200") == 2
    assert count("http_requests_total", method="POST", route="/many", status="422") == 1
    assert count("http_request_seconds_count", method="POST", route="/many") == 3
