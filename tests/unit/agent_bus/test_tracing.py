import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_bus import tracing
from agent_bus.log_lines import subject

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*tracing.ENDPOINT_VARIABLES, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    yield
    tracing.stop()


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing._process, "tracer", provider.get_tracer("test"))
    return exporter


def one(exporter: InMemorySpanExporter) -> Any:
    (span,) = exporter.get_finished_spans()
    assert isinstance(span, ReadableSpan)
    return span


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({ENDPOINT: ""}, False),
        ({ENDPOINT: "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_environment_says_whether_there_are_traces(environment: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(environment) is wanted


def test_without_traces_spans_cost_nothing_and_say_nothing() -> None:
    assert not tracing.start("test")
    with tracing.span("a", attributes={"x": 1}) as span:
        assert span is tracing.NO_SPAN
        span.set("y", 2)
        span.note("n")
        span.rename("b")
        span.fail("why")
    tracing.begin("c").end()
    assert tracing.carried() == {}
    assert tracing.trace_id() == ""
    assert not tracing.active()


def test_missing_packages_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(tracing.NotInstalled, match=r"pip install 'agent-orchestrator\[telemetry\]'"):
        tracing.start("test")


def test_tracing_is_started_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    assert tracing.start("test")
    assert tracing.active()
    assert tracing._process.provider.resource.attributes["service.name"] == "agent-orchestrator-test"
    tracing.stop()
    assert not tracing.active()


def test_a_span_tells_what_it_was_told(exporter: InMemorySpanExporter) -> None:
    with tracing.span("first", "SERVER", attributes={"a": 1}) as span:
        span.rename("second")
        span.set("b", "two")
        span.note("happened")
        span.fail("why")
    told = one(exporter)
    assert (told.name, dict(told.attributes), told.kind.name) == ("second", {"a": 1, "b": "two"}, "SERVER")
    assert [event.name for event in told.events] == ["happened"]
    assert (told.status.status_code.name, told.status.description) == ("ERROR", "why")


def test_an_error_that_leaves_the_block_is_in_the_span(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="why"), tracing.span("failing"):
        raise ValueError("why")
    assert one(exporter).status.status_code.name == "ERROR"


def test_a_trace_is_taken_from_a_carrier_and_given_on(exporter: InMemorySpanExporter) -> None:
    with tracing.span("a", parent={"traceparent": f"00-{TRACE}-{PARENT}-01"}):
        assert tracing.trace_id() == TRACE
        assert subject()["trace_id"] == TRACE
        assert tracing.carried()["traceparent"].split("-")[1] == TRACE
    assert f"{one(exporter).parent.span_id:016x}" == PARENT


@pytest.mark.parametrize("carrier", [{"traceparent": "nonsense"}, {"traceparent": ""}, {"tracestate": "a=b"}])
def test_a_carrier_that_makes_no_sense_begins_a_new_trace(
    exporter: InMemorySpanExporter, carrier: dict[str, str]
) -> None:
    with tracing.span("a", parent=carrier):
        pass
    assert one(exporter).parent is None


def test_a_span_may_outlast_the_block_in_which_it_began(exporter: InMemorySpanExporter) -> None:
    span = tracing.begin("long", "CONSUMER", attributes={"a": 1})
    assert not exporter.get_finished_spans()
    span.set("b", 2)
    span.end()
    assert dict(one(exporter).attributes) == {"a": 1, "b": 2}


def test_a_part_of_another_program_uses_that_programs_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    tracing.join()
    assert not tracing.active()
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    tracing.join()
    assert tracing.active()
    assert tracing._process.provider is None
