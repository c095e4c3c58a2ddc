"""What a coordinator counts and times."""

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from api.metrics import Growth, RedisMetrics, Registry, RequestMetrics

if TYPE_CHECKING:
    from api.coordinator.services import Services

logger = logging.getLogger(__name__)

# Whoever reads metrics waits, and wants to know of an outage in particular.
PATIENCE_SECONDS = 0.5


class CoordinatorMetrics:
    """A coordinator's metrics; `docs/operations.md` has the table."""

    def __init__(self) -> None:
        self.registry = registry = Registry()
        self.requests = RequestMetrics(registry)
        self.redis = RedisMetrics(registry)
        self.refused = registry.counter(
            "events_refused",
            "Events over HTTP that were not accepted: no event, too many of a session, or Redis did not take it.",
            ("reason",),
        )
        self.invalid_events = self.refused.labels("invalid")
        self.rate_limited = self.refused.labels("rate")
        self.accepted_hooks = registry.counter(
            "events_accepted", "Events that came over HTTP and are in Redis.", ("way",)
        )
        self._hook_events = self.accepted_hooks.labels("hook")
        self._events = Growth(self.accepted_hooks.labels("event"))
        self._unavailable = Growth(self.refused.labels("redis"))
        self._crowded_out = Growth(self.refused.labels("full"))
        self._waiting = registry.gauge("events_waiting", "Events that wait for the round trip before theirs to end.")
        self._received = Growth(registry.counter("relay_messages_received", "Messages that came from the bus."))
        self._delivered = Growth(
            registry.counter(
                "relay_messages_delivered", "Messages handed to browsers; one that goes to two counts twice."
            )
        )
        self._connections = registry.gauge("browsers_connected", "Browsers that are connected by WebSocket.")
        self._buffered = registry.gauge("relay_buffered_bytes", "What waits for browsers that do not keep up.")
        self._behind = registry.gauge(
            "relay_lag_messages", "Messages that Redis has and a replica has not received; of several, the most.",
            largest=True,
        )  # fmt: skip
        self._following = registry.gauge(
            "relay_following", "How many processes follow the bus at this moment: 1 for each that is well."
        )
        self.stops = registry.seconds(
            "stop", "From asking for a stop to its answer, by what came of it.", ("outcome",)
        )  # fmt: skip

    def hook_kept(self, events: int) -> None:
        """So many events of a hook are in Redis."""
        self._hook_events.inc(events)

    def stopped(self, outcome: str, seconds: float) -> None:
        """A stop was answered."""
        self.stops.labels(outcome).observe(seconds)

    async def sample(self, services: "Services") -> None:
        """Reads what is counted, or stands, elsewhere."""
        relay, writer = services.relay, services.writer
        self._events.reached(writer.accepted)
        self._unavailable.reached(writer.refused - writer.crowded_out)
        self._crowded_out.reached(writer.crowded_out)
        self._waiting.set(writer.waiting)
        self._received.reached(relay.received)
        self._delivered.reached(relay.delivered)
        self._connections.set(relay.connections)
        self._buffered.set(relay.buffered)
        self._following.set(relay.ready)
        # An outage is told by the errors; the distance is then what it was.
        with suppress(RedisError, OSError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._behind.set(await relay.behind())
