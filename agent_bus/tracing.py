"""Traces by OpenTelemetry, where the environment says where they go. Nothing of it is imported otherwise.

Each process has one tracer at most, as it has one log. A trace goes on from process to process by W3C's trace context:
in HTTP headers, and in a job's metadata. What agents are told goes without: both sides name the command in a span of
their own, by the attributes below.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PACKAGE = "agent-orchestrator"

SESSION_ID, COMMAND_ID, RUN = (f"agent_orchestrator.{name}" for name in ("session_id", "command_id", "run"))
OUTCOME, REQUEST_ID = "agent_orchestrator.outcome", "agent_orchestrator.request_id"

# A process that ends does not wait longer than this for a receiver of traces that is away.
FLUSH_SECONDS = 2.0

Kind = Literal["INTERNAL", "SERVER", "PRODUCER", "CONSUMER"]
Value = str | int | float | bool
Carrier = Mapping[str, str]
"""W3C's trace context by header: `traceparent`, `tracestate`."""


class NotInstalled(Exception):
    """Traces are wanted and the packages for it are not there; the message says what to do."""


class Span:
    """A stretch of work; this one is told to nobody."""

    def set(self, name: str, value: Value) -> None:
        """Says more of it."""

    def rename(self, name: str) -> None:
        """Says what it is, once that is known."""

    def note(self, event: str) -> None:
        """Something happened within it, now."""

    def fail(self, reason: str) -> None:
        """It did not succeed."""

    def end(self) -> None:
        """It is over."""


NO_SPAN = Span()


class _Told(Span):
    """A stretch of work in a trace."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def set(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, event: str) -> None:
        self._span.add_event(event)

    def fail(self, reason: str) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_status(StatusCode.ERROR, reason)

    def end(self) -> None:
        self._span.end()


class _Tracing:
    """This process's tracer, and the provider that we made for it."""

    tracer: Any = None
    provider: Any = None


_process = _Tracing()


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says where traces go, and not that there are to be none."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not disabled and any(environ.get(name) for name in ENDPOINT_VARIABLES)


def active() -> bool:
    """Whether spans go anywhere."""
    return _process.tracer is not None


def check() -> bool:
    """Whether tracing is wanted. Raises NotInstalled where it is and can't be had."""
    if not wanted():
        return False
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401 - whether they are there
    except ImportError as error:
        variable = next(name for name in ENDPOINT_VARIABLES if os.environ.get(name))
        raise NotInstalled(
            f"{variable} is set, and the packages that send traces are not installed: "
            f"pip install '{PACKAGE}[telemetry]', or unset it"
        ) from error
    return True


def start(service: str) -> bool:
    """Begins tracing if that is wanted, for a program that is ours; says whether it is. Raises NotInstalled."""
    if not check():
        return False
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    described = {"service.version": _version()}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        described["service.name"] = f"{PACKAGE}-{service}"
    provider = TracerProvider(resource=Resource.create(dict(described)), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # Not made the program's global one: libraries would begin spans of their own for what has one of ours.
    _process.provider, _process.tracer = provider, provider.get_tracer(PACKAGE)
    return True


def join() -> None:
    """For a part of somebody else's program: spans go where the program's own do, if it has a tracer provider."""
    if active() or not wanted():
        return
    try:
        from opentelemetry import trace
    except ImportError:
        # Somebody else's program does without, and so do we.
        return
    _process.tracer = trace.get_tracer(PACKAGE)


def stop() -> None:
    """Sends what has not been sent, for a short while at most."""
    provider, _process.provider, _process.tracer = _process.provider, None, None
    if provider is None:
        return
    # In a thread of its own, since an exporter that tries again would hold up the end of the process.
    sending = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
    sending.start()
    sending.join(FLUSH_SECONDS)


@contextmanager
def span(
    name: str, kind: Kind = "INTERNAL", *, attributes: Mapping[str, Value] | None = None, parent: Carrier | None = None
) -> Iterator[Span]:
    """A span around a block, and what is begun within it belongs to it. An error that leaves the block is noted in it.

    parent: what it goes on from, where that comes from another process.
    """
    if _process.tracer is None:
        yield NO_SPAN
        return
    from opentelemetry.trace import SpanKind

    with _process.tracer.start_as_current_span(
        name, context=_context(parent), kind=SpanKind[kind], attributes=attributes
    ) as begun:
        yield _Told(begun)


def begin(name: str, kind: Kind = "INTERNAL", *, attributes: Mapping[str, Value] | None = None) -> Span:
    """A span that lasts until it is told to end."""
    if _process.tracer is None:
        return NO_SPAN
    from opentelemetry.trace import SpanKind

    return _Told(_process.tracer.start_span(name, kind=SpanKind[kind], attributes=attributes))


def carried() -> dict[str, str]:
    """The current span as another process may go on from it; empty where there is none."""
    carrier: dict[str, str] = {}
    if _process.tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier)
    return carrier


def trace_id() -> str:
    """Names the current trace, as log lines may say; empty where there is none."""
    if _process.tracer is None:
        return ""
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def _context(parent: Carrier | None) -> Any:
    if not parent:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(parent)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "unknown"
