import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import values
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.metrics import (
    FOLDER_VARIABLE,
    PROCESS_VARIABLE,
    Growth,
    RedisMetrics,
    Registry,
    RequestMetrics,
    add_metrics_route,
    forget_process,
    keep_sampled,
)
from tests.metrics import Metrics


@pytest.fixture(autouse=True)
def values_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What shares its values sets the library to do so for its whole process."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    yield
    values.ValueClass = values.MutexValue


@pytest.fixture
def registry() -> Registry:
    return Registry({})


def read(registry: Registry) -> Metrics:
    registry.sample()
    return Metrics(registry.text("")[0].decode())


def shared(folder: Path, process: str) -> Registry:
    return Registry({FOLDER_VARIABLE: str(folder), PROCESS_VARIABLE: process})


def test_requests_are_counted_and_timed(registry: Registry) -> None:
    requests = RequestMetrics(registry)
    for _ in range(2):
        requests.answered("GET", "/a", 200, 0.02)
    requests.answered("GET", "/a", 0, 0.02)
    metrics = read(registry)
    assert metrics.value("http_requests_total", method="GET", route="/a", status="200") == 2
    assert metrics.value("http_requests_total", status="none") == 1
    assert metrics.value("http_request_seconds_count", method="GET", route="/a") == 3
    assert metrics.value("http_request_seconds_bucket", le="0.025") == 3
    assert metrics.value("http_request_seconds_bucket", le="0.01") == 0


def test_methods_that_clients_make_up_are_counted_as_one(registry: Registry) -> None:
    requests = RequestMetrics(registry)
    for n in range(100):
        requests.answered(f"BREW{n}", "other", 405, 0.0)
    assert read(registry).all("http_requests_total") == [
        ({"method": "other", "route": "other", "status": "405"}, 100.0)
    ]


def test_websockets_are_counted_by_their_end(registry: Registry) -> None:
    requests = RequestMetrics(registry)
    for code in (4008, 4008, None):
        requests.closed(code)
    assert read(registry).value("websockets_closed_total", code="4008") == 2
    assert read(registry).value("websockets_closed_total", code="left") == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RedisTimeoutError(), "timeout"),
        (TimeoutError(), "timeout"),
        (RedisConnectionError(), "connection"),
        (ConnectionResetError(), "connection"),
        (ResponseError(), "refused"),
        (RedisError(), "other"),
    ],
)
def test_round_trips_that_fail_are_counted_by_kind(registry: Registry, error: Exception, kind: str) -> None:
    redis = RedisMetrics(registry)
    redis.observe(0.001, None)
    redis.observe(0.001, error)
    assert read(registry).value("redis_round_trip_seconds_count") == 2
    assert [labels["kind"] for labels, value in read(registry).all("redis_errors_total") if value] == [kind]


def test_a_script_that_the_server_is_yet_to_be_taught_is_no_error(registry: Registry) -> None:
    RedisMetrics(registry).observe(0.001, NoScriptError())
    assert read(registry).value("redis_errors_total") == 0


def test_what_is_counted_elsewhere_is_followed(registry: Registry) -> None:
    growth = Growth(registry.counter("things", "Things."))
    for total in (0, 3, 3, 10):
        growth.reached(total)
        assert read(registry).value("things_total") == total


def test_a_process_tells_what_it_uses(registry: Registry) -> None:
    metrics = read(registry)
    assert metrics.value("process_resident_memory_bytes") > 0
    assert metrics.value("process_open_fds") > 0
    assert not registry.shared


async def test_one_process_samples_when_it_is_asked(registry: Registry) -> None:
    async def sample() -> None:
        raise AssertionError("nobody has asked")

    await keep_sampled(registry, sample)


async def test_the_route_samples_and_tells_prometheus_which_format_it_is(registry: Registry) -> None:
    gauge = registry.gauge("depth", "Depth.")

    async def sample() -> None:
        gauge.inc()

    app = FastAPI()
    add_metrics_route(app, registry, sample)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        plain = await client.get("/metrics")
        modern = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert plain.headers["cache-control"] == "no-store"
    assert Metrics(plain.text).value("depth") == 1
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
    assert "/metrics" not in app.openapi()["paths"]


def test_processes_that_share_a_folder_tell_of_all(tmp_path: Path) -> None:
    registries = []
    # In turn, since the library writes for one process at a time.
    for n in (1, 2):
        registry = shared(tmp_path, f"coordinator-{n}")
        registries.append(registry)
        assert registry.shared
        RequestMetrics(registry).answered("GET", "/a", 200, 0.02)
        registry.gauge("connected", "Connected.").set(n)
        registry.gauge("behind", "Behind.", largest=True).set(n)
        registry.sample()
    for registry in registries:
        metrics = read(registry)
        assert metrics.value("http_requests_total", route="/a") == 2
        assert metrics.value("http_request_seconds_count", route="/a") == 2
        assert metrics.value("connected") == 3
        assert metrics.value("behind") == 2
        assert {labels["pid"] for labels, _ in metrics.all("process_open_fds")} == {"coordinator-1", "coordinator-2"}
        assert metrics.value("process_cpu_seconds_total") > 0


def test_of_a_process_that_ended_what_it_counted_stays_and_what_it_held_goes(tmp_path: Path) -> None:
    """Sums that fell back would look to Prometheus like a restart of all, and be counted twice."""
    first = shared(tmp_path, "coordinator-1")
    RequestMetrics(first).answered("GET", "/a", 200, 0.02)
    first.gauge("connected", "Connected.").set(5)
    first.sample()
    forget_process(str(tmp_path), "coordinator-1")
    assert read(first).value("http_requests_total") == 1
    assert not read(first).all("connected")
    assert not read(first).all("process_resident_memory_bytes")
    # One that is started again in its place goes on from there.
    again = shared(tmp_path, "coordinator-1")
    RequestMetrics(again).answered("GET", "/a", 200, 0.02)
    assert read(again).value("http_requests_total") == 2
    assert len(list(tmp_path.glob("counter_*.db"))) == 1


def test_a_folder_for_other_programs_metrics_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    RequestMetrics(Registry({})).answered("GET", "/a", 200, 0.02)
    assert not list(tmp_path.iterdir())
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path)
