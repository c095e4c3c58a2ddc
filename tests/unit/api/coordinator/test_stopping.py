"""Stopping: every row of the contract's table, and the races around them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from agent_bus.bus import Bus, NotReplicated
from agent_bus.connection import connect
from agent_bus.replication import Replication
from agent_bus.sessions import Sessions
from agent_bus.tasks import end
from api.coordinator.relay import Relay
from api.coordinator.stopping import RESTARTED, STOPPED, UNATTENDED, StopAnswer, Stopper, as_json
from tests.processes import RedisServer, free_port
from tests.unit.agent_bus.conftest import Driver, record
from tests.unit.live import DEADLINE_SECONDS, eventually


@pytest.fixture
async def relay(real_bus: Bus, redis_server: RedisServer) -> AsyncIterator[Relay]:
    live = connect(redis_server.url, name="test-live", retries=0, timeout=None, max_connections=2)
    relay = Relay(real_bus, live, init_sessions=10)
    task = asyncio.create_task(relay.run())
    await eventually(lambda: relay.ready, "the relay")
    yield relay
    await end([task])
    await live.aclose()


@pytest.fixture
def driver(real_bus: Bus) -> Driver:
    return Driver(real_bus)


@pytest.fixture
def sessions(driver: Driver) -> Sessions:
    return driver.sessions


@pytest.fixture
def stopper(sessions: Sessions, relay: Relay) -> Stopper:
    """One that waits for as long as any of these tests could take."""
    return Stopper(sessions, relay, wait_seconds=DEADLINE_SECONDS)


@pytest.fixture
def hasty(sessions: Sessions, relay: Relay) -> Stopper:
    return Stopper(sessions, relay, wait_seconds=0.05)


async def stop_is_asked_for(driver: Driver) -> None:
    while (await driver.status())[1] is None:
        await asyncio.sleep(0.002)


async def real_messages(driver: Driver) -> list[bytes]:
    return [message.json for message in await driver.bus.read(0, limit=100)]


async def test_a_session_never_heard_of_can_not_be_stopped(stopper: Stopper) -> None:
    assert await stopper.stop("unknown") is None


async def test_the_agents_confirmation_is_waited_for(driver: Driver, sessions: Sessions, stopper: Stopper) -> None:
    lease = await sessions.enter("s", "owner", record("session_start"))
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    assert not stopping.done()
    assert await sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    answer = await stopping
    assert answer == StopAnswer(True, "stopped", STOPPED)
    assert answer.http_status == 200


async def test_two_who_stop_at_once_get_the_same_answer_for_one_command(
    driver: Driver, sessions: Sessions, stopper: Stopper
) -> None:
    lease = await sessions.enter("s", "owner", record("session_start"))
    both = asyncio.gather(stopper.stop("s"), stopper.stop("s"))
    await stop_is_asked_for(driver)
    await sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    assert list(await both) == [StopAnswer(True, "stopped", STOPPED)] * 2
    assert [message["type"] for message in await driver.messages()].count("stop_requested") == 1


async def test_no_confirmation_in_time_is_said_and_not_called_a_success(
    driver: Driver, sessions: Sessions, hasty: Stopper
) -> None:
    lease = await sessions.enter("s", "owner", record("session_start"))
    answer = await hasty.stop("s")
    assert answer is not None
    assert (answer.success, answer.status, answer.http_status) == (False, "running", 202)
    assert "0.05 s" in answer.message
    await sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    assert (await driver.status())[0] == "stopped"


async def test_without_an_agent_the_command_stays_waiting(driver: Driver, sessions: Sessions, stopper: Stopper) -> None:
    await driver.post("session_start")
    assert await stopper.stop("s") == StopAnswer(True, "stopped", UNATTENDED)
    assert (await sessions.enter("s", "owner", record("session_start"))).command is not None


@pytest.mark.parametrize("status", ["finished", "stopped"])
async def test_what_is_over_already_is_said_and_nothing_is_sent(driver: Driver, stopper: Stopper, status: str) -> None:
    await driver.post("session_start")
    if status == "stopped":
        await stopper.stop("s")
    else:
        await driver.post("session_stop")
    before = await driver.messages()
    answer = await stopper.stop("s")
    assert answer is not None
    assert (answer.success, answer.status, answer.http_status) == (True, status, 200)
    assert status in answer.message
    assert await driver.messages() == before


async def test_a_run_that_ends_by_itself_meanwhile_is_a_success(
    driver: Driver, sessions: Sessions, relay: Relay
) -> None:
    # While its bridge is connected, only that knows.
    await sessions.enter("s", "owner", record("session_start"), lease_seconds=0.5)
    stopper = Stopper(sessions, relay, wait_seconds=1)
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    await driver.post("session_stop")
    answer = await stopping
    assert answer is not None
    assert (answer.success, answer.status) == (True, (await driver.status())[0])


async def test_a_session_that_is_started_again_meanwhile_ends_the_wait(
    driver: Driver, sessions: Sessions, stopper: Stopper
) -> None:
    await sessions.enter("s", "owner", record("session_start"))
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    await sessions.enter("s", "another", record("session_start"))
    assert await stopping == StopAnswer(False, "running", RESTARTED)


async def test_what_is_heard_late_of_an_earlier_run_does_not_end_the_wait(
    driver: Driver, sessions: Sessions, relay: Relay, stopper: Stopper
) -> None:
    """A message of the run before, still on its way when the stop is given, once passed for this run's end."""
    await driver.post("session_start")
    await driver.post("session_stop")
    earlier = next(m for m in await real_messages(driver) if b'"status":"finished"' in m)
    lease = await sessions.enter("s", "owner", record("session_start"))
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    await eventually(lambda: relay._watches, "the stop to watch")
    for watch in relay._watches["s"]:
        watch.tell(earlier)
    await asyncio.sleep(0)
    assert not stopping.done()
    assert await sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    assert await stopping == StopAnswer(True, "stopped", STOPPED)


async def test_a_message_without_a_run_makes_it_ask_redis(
    driver: Driver, sessions: Sessions, relay: Relay, stopper: Stopper
) -> None:
    """An older version beside this one does not say which run it speaks of."""
    lease = await sessions.enter("s", "owner", record("session_start"))
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    await eventually(lambda: relay._watches, "the stop to watch")
    newest = (await real_messages(driver))[-1]
    for watch in relay._watches["s"]:
        watch.tell(newest.replace(f',"run":"{lease.run}"'.encode(), b"").replace(b'"running"', b'"finished"'))
    await asyncio.sleep(0)
    assert not stopping.done()
    await sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    assert await stopping == StopAnswer(True, "stopped", STOPPED)


async def test_a_session_that_is_deleted_meanwhile_is_unknown(
    driver: Driver, sessions: Sessions, stopper: Stopper
) -> None:
    await sessions.enter("s", "owner", record("session_start"))
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    await sessions.delete("s")
    assert await stopping is None


async def test_an_agent_that_dies_instead_of_confirming_ends_the_wait_when_its_lease_lapses(
    driver: Driver, sessions: Sessions, stopper: Stopper
) -> None:
    await sessions.enter("s", "owner", record("session_start"), lease_seconds=0.05)
    stopping = asyncio.create_task(stopper.stop("s"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not stopping.done():
            await sessions.lapse_leases()
            await asyncio.sleep(0.01)
    answer = await stopping
    assert answer is not None
    assert (answer.success, answer.status) == (True, "stopped")
    assert answer.message != STOPPED


async def test_messages_that_get_lost_do_not_lose_the_answer(real_bus: Bus, redis_server: RedisServer) -> None:
    """A relay that is not connected sees nothing; what counts is read when the time is over."""
    live = connect(redis_server.url, name="test-live", retries=0, timeout=None)
    driver = Driver(real_bus)
    stopper = Stopper(driver.sessions, Relay(real_bus, live, init_sessions=1), wait_seconds=0.3)
    lease = await driver.sessions.enter("s", "owner", record("session_start"))
    stopping = asyncio.create_task(stopper.stop("s"))
    await stop_is_asked_for(driver)
    await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    assert await stopping == StopAnswer(True, "stopped", STOPPED)
    await live.aclose()


async def test_many_can_wait_without_holding_anything(driver: Driver, sessions: Sessions, stopper: Stopper) -> None:
    """More than there are connections to Redis."""
    runs = {}
    for n in range(100):
        runs[f"s{n}"] = (await sessions.enter(f"s{n}", "owner", record("session_start", f"s{n}"))).run
    stopping = [asyncio.create_task(stopper.stop(name)) for name in runs]
    for name, run in runs.items():
        while await sessions.acknowledge_stop(name, run, record("session_stop", name)) == "stale":
            await asyncio.sleep(0.002)
    assert await asyncio.gather(*stopping) == [StopAnswer(True, "stopped", STOPPED)] * 100


def test_over_the_wire_ok_and_success_are_the_same() -> None:
    assert as_json("s", StopAnswer(False, "running", "m")) == {
        "success": False, "ok": False, "session_id": "s", "status": "running", "message": "m",
    }  # fmt: skip


async def test_what_came_of_each_stop_is_told(driver: Driver, sessions: Sessions, relay: Relay) -> None:
    told: list[str] = []

    def stopper(wait_seconds: float) -> Stopper:
        return Stopper(sessions, relay, wait_seconds=wait_seconds, on_stop=lambda outcome, _: told.append(outcome))

    await stopper(0).stop("s")
    lease = await sessions.enter("s", "owner", record("session_start"))
    await stopper(0.05).stop("s")
    stopping = asyncio.create_task(stopper(DEADLINE_SECONDS).stop("s"))
    await eventually(lambda: "s" in relay._watches, "the stop to be under way")
    await sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    await stopping
    await stopper(0).stop("s")
    await driver.post("session_start", "alone")
    await stopper(0).stop("alone")
    assert told == ["unknown", "unconfirmed", "confirmed", "ended", "unattended"]


async def test_a_stop_during_an_outage_is_told_as_failed(relay: Relay) -> None:
    told: list[str] = []
    away = Sessions(Bus(connect(f"redis://127.0.0.1:{free_port()}", name="test", retries=0)))
    stopper = Stopper(away, relay, wait_seconds=0.05, on_stop=lambda outcome, _: told.append(outcome))
    with pytest.raises(RedisConnectionError):
        await stopper.stop("s")
    assert told == ["failed"]


async def test_a_confirmation_that_too_few_replicas_have_received_is_not_promised(
    driver: Driver, sessions: Sessions, relay: Relay
) -> None:
    lease = await sessions.enter("s", "owner", record("session_start"))
    alone = Sessions(Bus(driver.bus.redis, driver.bus.keys, replication=Replication(1, 1)))
    with pytest.raises(NotReplicated):
        await Stopper(alone, relay, wait_seconds=DEADLINE_SECONDS).stop("s")
    # The agent was told, and its own word counts.
    assert await sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
