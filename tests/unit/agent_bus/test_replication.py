"""What the environment asks for, and writes that wait for a real replica."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from redis.exceptions import ResponseError

from agent_bus.bus import Bus, NotReplicated
from agent_bus.connection import connect
from agent_bus.event_records import EventRecord
from agent_bus.event_writer import BATCH, EventWriter, WriterFull
from agent_bus.events import Events, Producer
from agent_bus.keys import Keys
from agent_bus.replication import NOBODY, Replication
from agent_bus.sessions import Sessions
from agent_bus.tasks import end
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import record

ONE = Replication(1, 4000)
# A replica that hangs is not waited for longer than it takes to say so.
IMPATIENT = Replication(1, 50)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, NOBODY),
        ({"AGENT_ORCHESTRATOR_MIN_REPLICAS": " "}, NOBODY),
        ({"AGENT_ORCHESTRATOR_MIN_REPLICAS": "2"}, Replication(2, 1000)),
        (
            {"AGENT_ORCHESTRATOR_MIN_REPLICAS": "1", "AGENT_ORCHESTRATOR_REPLICATION_TIMEOUT_MS": "250"},
            Replication(1, 250),
        ),
    ],
)
def test_the_environment_says_how_many(environ: dict[str, str], wanted: Replication) -> None:
    assert Replication.from_environment(environ) == wanted


@pytest.mark.parametrize("name", ["AGENT_ORCHESTRATOR_MIN_REPLICAS", "AGENT_ORCHESTRATOR_REPLICATION_TIMEOUT_MS"])
@pytest.mark.parametrize("text", ["-1", "one", "1.5", "5000", "²"])
def test_nonsense_is_refused_and_named(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        Replication.from_environment({name: text})


@dataclass
class Pair:
    """A primary and its replica."""

    primary: RedisServer
    replica: RedisServer
    bus: Bus

    def wanting(self, replication: Replication) -> Bus:
        return Bus(self.bus.redis, self.bus.keys, replication=replication)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisServer, RedisServer]]:
    folder: Path = tmp_path_factory.mktemp("pair")
    primary = RedisServer(folder / "primary", "--repl-diskless-sync-delay", "0")
    with primary, RedisServer(folder / "replica", "--replicaof", "127.0.0.1", str(primary.port)) as replica:
        yield primary, replica


@pytest.fixture
async def pair(servers: tuple[RedisServer, RedisServer], keys: Keys) -> AsyncIterator[Pair]:
    primary, replica = servers
    redis = connect(primary.url, name="test")
    await redis.set("begun", "1")
    while not await redis.wait(1, 1000):
        await asyncio.sleep(0.01)
    yield Pair(primary, replica, Bus(redis, keys))
    replica.resume()
    await redis.aclose()


async def acknowledged(bus: Bus) -> object:
    """A change that somebody is told of; the session's id is the test's own."""
    sessions = Sessions(bus)
    lease = await sessions.enter("s", "owner", record("session_start"))
    await sessions.request_stop("s", "c")
    return await sessions.acknowledge_stop("s", lease.run, record("session_stop"))


async def test_a_change_is_answered_when_the_replica_has_it(pair: Pair) -> None:
    assert await acknowledged(pair.wanting(ONE)) == "stopped"
    async with connect(pair.replica.url, name="test") as replica:
        assert await replica.hget(pair.bus.keys.session("s"), "status") == b"stopped"


async def test_a_change_that_no_replica_takes_is_refused_and_says_what_the_script_answered(pair: Pair) -> None:
    sessions = Sessions(pair.wanting(IMPATIENT))
    lease = await sessions.enter("s", "owner", record("session_start"))
    pair.replica.pause()
    with pytest.raises(NotReplicated, match=r"within 50 ms \(0 of 1") as caught:
        await sessions.request_stop("s", "c")
    assert caught.value.reply[0] == b"sent"
    # Who asks again is told so until the replica has what was written the first time.
    for _ in range(2):
        with pytest.raises(NotReplicated):
            await sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    pair.replica.resume()
    assert await Sessions(pair.wanting(ONE)).acknowledge_stop("s", lease.run, record("session_stop")) == "repeated"


async def test_leases_and_reading_wait_for_nobody(pair: Pair) -> None:
    pair.replica.pause()
    sessions = Sessions(pair.wanting(Replication(1, 4000)))
    lease = await sessions.enter("s", "owner", record("session_start"))
    assert (await sessions.renew("s", "owner", lease.run, record("session_start"))).outcome == "held"
    assert await sessions.get("s") is not None


async def test_settling_waits_for_what_others_have_written(pair: Pair) -> None:
    pair.replica.pause()
    await acknowledged(pair.bus)
    with pytest.raises(NotReplicated):
        await pair.wanting(IMPATIENT).settle()
    await pair.bus.settle()
    pair.replica.resume()
    await pair.wanting(ONE).settle()
    async with connect(pair.replica.url, name="test") as replica:
        assert await replica.hget(pair.bus.keys.session("s"), "status") == b"stopped"


async def test_a_server_that_forgot_the_scripts_is_taught_again(pair: Pair) -> None:
    await pair.bus.redis.script_flush()
    assert await Sessions(pair.wanting(ONE)).patch("unknown", {"session_name": "x"}) is None


async def test_what_a_script_refuses_is_told_as_it_is(pair: Pair) -> None:
    bus = pair.wanting(ONE)
    await bus.redis.set(bus.keys.session("s"), "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await Sessions(bus).request_stop("s", "c")


def event(n: int) -> EventRecord:
    return EventRecord("message", "2026-01-24T10:00:00+00:00", 1769248800000000, "s", orjson.dumps({"n": n})[1:])


async def test_a_batch_of_events_waits_once_and_those_behind_it_are_refused(pair: Pair) -> None:
    redis = connect(pair.primary.url, name="test-writer", retries=0, max_connections=2)
    writer = EventWriter(pair.wanting(Replication(1, 200)), redis)
    running = asyncio.create_task(writer.run())

    async def waits() -> int:
        found = (await pair.bus.redis.info("commandstats")).get("cmdstat_wait", {"calls": 0})
        return int(found["calls"])

    try:
        before = await waits()
        appended = await asyncio.gather(*(writer.append("s", [event(n)]) for n in range(BATCH)))
        assert [one.last_id for one in appended] == list(range(2, BATCH + 2))
        assert await waits() - before <= 2
        pair.replica.pause()
        writes = (writer.append("s", [event(n)]) for n in range(2 * BATCH))
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {NotReplicated, WriterFull}
    finally:
        await end([running])
        await redis.aclose()


async def test_a_call_that_is_made_again_on_another_connection_is_not_taken_for_received(pair: Pair) -> None:
    """The script then changes nothing, and a WAIT that speaks of the connection's own changes would be content."""
    bus = pair.wanting(IMPATIENT)
    lease = await Sessions(pair.bus).enter("s", "owner", record("session_start"))
    await bus.load("append_events")
    call = Events(bus).append_call("s", [record("message")], Producer(lease.run, "owner", 1))
    pair.replica.pause()
    for _ in range(2):
        (reply,) = await bus.execute([call])
        assert isinstance(reply, NotReplicated)
        await bus.redis.connection_pool.disconnect()
    pair.replica.resume()
    (reply,) = await pair.wanting(ONE).execute([call])
    assert Events.read_append(reply).accepted == 0
