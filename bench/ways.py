"""The ways to bring a message to many browsers: ours, and the peers'."""

from redis.asyncio import Redis

from agent_bus.bus import Bus
from agent_bus.event_records import EventRecord
from agent_bus.events import Events
from agent_bus.timestamps import microseconds, now
from bench.peers.dialects import DIALECTS, Dialect

OURS = "ours"
SESSION = "bench"
"""The session whose events are published."""

# What is around an event on the bus: its type, number and id.
ENVELOPE = b'{"type":"event","seq":100000,"data":{"id":100000,}'


def event_command(session_id: str, json_tail: bytes) -> tuple[bytes, ...]:
    """The Redis command that accepts one event, just as a coordinator sends it."""
    timestamp = now()
    record = EventRecord("message", timestamp, microseconds(timestamp), session_id, json_tail)
    # Never connected: it only makes the arguments.
    arguments = Events(Bus(Redis())).append_call(session_id, [record])
    return b"EVALSHA", *(part if isinstance(part, bytes) else str(part).encode() for part in arguments)


def _publish(payload: str) -> tuple[bytes, ...]:
    return event_command(SESSION, payload.encode()[1:])


WAYS = DIALECTS | {
    OURS: Dialect(
        name=OURS,
        environment="project",
        command=(),
        path="/ws",
        hello=(),
        greetings=1,
        publish=_publish,
    )
}


def payload_bytes(way: str, message_bytes: int) -> int:
    """How long a payload must be for browsers to be sent messages of so many bytes."""
    return message_bytes - (len(ENVELOPE) if way == OURS else 0)
