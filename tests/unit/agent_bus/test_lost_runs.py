"""Runs whose agent was lost: they end as what they are, and nobody else's does."""

import json

import pytest

from agent_bus import lost_runs
from agent_bus.bus import Bus
from agent_bus.events import Producer
from agent_bus.lost_runs import LOST, LostRuns
from agent_bus.timestamps import now
from tests.unit.agent_bus.conftest import Driver, record

DAY = 24 * 3600


@pytest.fixture
def lost(bus: Bus) -> LostRuns:
    return LostRuns(bus)


async def be_silent(driver: Driver, session_id: str = "s") -> None:
    """What a day and more without a word does to a session."""
    key = driver.bus.keys.session(session_id)
    await driver.bus.redis.hset(key, "modified_at", "2020-01-24T10:00:00.000000+00:00")


async def test_a_silent_run_has_finished_for_nobody_stopped_it(lost: LostRuns, driver: Driver) -> None:
    await driver.post("session_start")
    await be_silent(driver)
    assert await lost.end(DAY) == 1
    assert await driver.status() == ("finished", None)
    page = await driver.events.page("s", limit=10)
    assert page is not None
    last = json.loads(page.events[-1])
    assert (last["event_type"], last["reason"], last["exit_code"]) == ("session_stop", LOST, None)
    told = (await driver.messages())[-1]
    assert (told["type"], told["session"]["status"]) == ("session_updated", "finished")
    assert await lost.end(DAY) == 0


async def test_a_run_that_has_been_heard_of_goes_on(lost: LostRuns, driver: Driver) -> None:
    await driver.post("session_start")
    await be_silent(driver)
    await driver.post("message")
    assert await lost.end(DAY) == 0
    assert await driver.status() == ("running", None)


async def test_a_run_that_a_bridge_holds_goes_on_however_silent_it_is(lost: LostRuns, driver: Driver) -> None:
    await driver.sessions.enter("s", "b", record("session_start"))
    await be_silent(driver)
    assert await lost.end(DAY) == 0
    assert await driver.status() == ("running", None)


async def test_silence_counts_from_the_lapse_of_the_lease(lost: LostRuns, driver: Driver) -> None:
    await driver.sessions.enter("s", "b", record("session_start"))
    await be_silent(driver)
    await driver.expire_lease()
    await driver.sessions.lapse_leases()
    assert await lost.end(DAY) == 0
    await be_silent(driver)
    assert await lost.end(DAY) == 1


async def test_what_has_ended_is_left_alone(lost: LostRuns, driver: Driver) -> None:
    await driver.post("session_start")
    await driver.sessions.request_stop("s", "c")
    await be_silent(driver)
    assert await lost.end(DAY) == 0
    assert await driver.status() == ("stopped", False)


async def test_many_are_looked_at_in_parts(lost: LostRuns, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_runs, "PART", 3)
    names = [f"s{number}" for number in range(10)]
    for name in names:
        await driver.post("session_start", name)
        await be_silent(driver, name)
    assert await lost.end(DAY) == len(names)


async def test_a_session_that_was_deleted_meanwhile_is_passed_over(lost: LostRuns, driver: Driver) -> None:
    await driver.post("session_start")
    await driver.bus.redis.delete(driver.bus.keys.session("s"))
    assert await lost.end(DAY) == 0


async def test_one_that_was_given_up_and_is_at_work_all_the_same_begins_anew_and_can_be_stopped(
    lost: LostRuns, driver: Driver
) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.expire_lease()
    await be_silent(driver)
    assert await lost.end(DAY) == 1
    renewed = await driver.sessions.renew("s", "b", lease.run, record("session_start"))
    assert (renewed.outcome, renewed.run != lease.run) == ("held", True)
    session = await driver.get()
    assert session is not None
    assert (session["status"], session["presence"], session["run"]) == ("running", "connected", renewed.run)
    assert (await driver.sessions.request_stop("s", "c")).outcome == "sent"
    again = await driver.sessions.renew("s", "b", renewed.run, record("session_start"))
    assert (again.run, again.command is not None) == (renewed.run, True)


async def test_one_that_ended_by_itself_does_not_begin_anew_with_a_late_renewal(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.post("session_stop", producer=Producer(lease.run, "b", 1))
    await driver.sessions.renew("s", "b", lease.run, record("session_start"))
    assert await driver.status() == ("finished", None)


async def test_silence_counts_from_when_a_session_was_put_back(lost: LostRuns, driver: Driver) -> None:
    await driver.post("session_start")
    await be_silent(driver)
    await driver.bus.redis.hset(driver.bus.keys.session("s"), "restored_at", now())
    assert await lost.end(DAY) == 0
    assert await driver.status() == ("running", None)
