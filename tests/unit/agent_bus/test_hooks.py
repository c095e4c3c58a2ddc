"""What a program's hooks report: runs that begin and end by them, and stops that they carry."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.exceptions import ResponseError

from agent_bus.bus import Bus, NotReplicated
from agent_bus.commands import StopCommand
from agent_bus.connection import connect
from agent_bus.events import Producer
from agent_bus.hooks import HookKind, HookReport, Hooks
from agent_bus.keys import Keys
from agent_bus.replication import Replication
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import Driver, record
from tests.unit.live import DEADLINE_SECONDS


class Program:
    """A program that asks its hooks, turn by turn."""

    def __init__(self, driver: Driver) -> None:
        self.hooks = Hooks(driver.bus)
        self.driver = driver

    async def asks(self, kind: HookKind, prompt: str = "p1", *tools: str, agent: str = "", hears: bool = True) -> bool:
        """Whether it may go on. hears: the answer reaches it."""
        events = [] if kind == "start" else [record(f"{kind}_hook")]
        closing = record("session_stop", reason="ended"), record("session_stop", reason="stopped")
        start = record("session_start")
        outcome = await self.hooks.report(HookReport("s", kind, events, start, *closing, prompt, tools, agent))
        if not outcome.go and hears:
            await self.hooks.note_halt("s", outcome.run)
        return outcome.go

    async def stop(self) -> str:
        return (await self.driver.sessions.request_stop("s", "c")).outcome

    async def history(self) -> list[str]:
        page = await self.driver.events.page("s", limit=100)
        assert page is not None
        return [json.loads(event)["event_type"] for event in page.events]

    async def session(self) -> dict[str, Any]:
        session = await self.driver.get()
        assert session is not None
        return session


@pytest.fixture
def program(driver: Driver) -> Program:
    return Program(driver)


async def test_a_prompt_begins_a_run_and_the_end_of_the_turn_ends_it(program: Program, driver: Driver) -> None:
    assert await program.asks("prompt")
    session = await program.session()
    assert (session["status"], session["presence"], session["run"]) == ("running", "hooks", "1")
    assert await program.asks("tool", "p1", "t")
    assert await program.asks("used", "p1", "t")
    assert await program.asks("end")
    assert await driver.status() == ("finished", None)
    assert await program.history() == [
        "session_start", "prompt_hook", "tool_hook", "used_hook", "end_hook", "session_stop",
    ]  # fmt: skip


async def test_the_next_prompt_begins_the_next_run(program: Program) -> None:
    for prompt in ("p1", "p2"):
        await program.asks("prompt", prompt)
        await program.asks("end", prompt)
    assert await program.history() == ["session_start", "prompt_hook", "end_hook", "session_stop"] * 2


async def test_the_first_prompt_names_the_session_and_a_person_may_name_it_otherwise(
    program: Program, driver: Driver
) -> None:
    async def prompt(title: str) -> str:
        start = record("session_start", session_name=title)
        closing = record("session_stop"), record("session_stop")
        await program.hooks.report(HookReport("s", "prompt", [], start, *closing))
        return str((await program.session())["session_name"])

    assert await prompt("Fix the tests") == "Fix the tests"
    assert await prompt("And the docs") == "Fix the tests"
    await driver.sessions.patch("s", {"session_name": "Mine"})
    assert await prompt("More") == "Mine"


async def test_a_prompt_that_is_typed_into_a_run_belongs_to_it(program: Program) -> None:
    await program.asks("prompt")
    run = (await program.session())["run"]
    await program.asks("prompt", "p2")
    assert (await program.session())["run"] == run


async def test_a_tool_after_the_end_shows_that_the_agent_goes_on(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await program.asks("end")
    assert await program.asks("tool")
    assert await driver.status() == ("running", None)


async def test_a_late_result_after_the_end_does_not_bring_the_session_back(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await program.asks("end")
    assert await program.asks("used")
    assert await driver.status() == ("finished", None)


@pytest.mark.parametrize("kind", ["tool", "used", "wake"])
async def test_a_stop_that_waits_is_told_at_the_next_question(program: Program, driver: Driver, kind: HookKind) -> None:
    await program.asks("prompt")
    assert await program.stop() == "unattended"
    assert not await program.asks(kind)
    assert await driver.status() == ("stopped", False)


async def test_the_stop_is_confirmed_only_when_the_program_has_been_quiet(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await program.stop()
    assert await program.hooks.confirm_halts(0) == 0
    await program.asks("tool", "p1", "t1")
    assert await program.hooks.confirm_halts(60) == 0
    assert await driver.status() == ("stopped", False)
    assert await program.hooks.confirm_halts(0) == 1
    assert await driver.status() == ("stopped", True)
    assert (await program.history())[-1] == "session_stop"
    assert await program.hooks.confirm_halts(0) == 0


async def test_the_stop_is_not_confirmed_while_a_tool_that_began_before_is_at_work(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt")
    await program.asks("tool", "p1", "t1")
    await program.asks("tool", "p1", "t2")
    await program.stop()
    assert not await program.asks("tool", "p1", "t3")
    assert await program.hooks.confirm_halts(0) == 0
    assert not await program.asks("used", "p1", "t2")
    assert await program.hooks.confirm_halts(0) == 0
    assert not await program.asks("used", "p1", "t1")
    assert await program.hooks.confirm_halts(0) == 1
    assert await driver.status() == ("stopped", True)


async def test_ids_that_begin_alike_are_different_tools(program: Program) -> None:
    await program.asks("prompt")
    await program.asks("tool", "p1", "t1")
    await program.asks("tool", "p1", "t11")
    await program.stop()
    assert not await program.asks("used", "p1", "t11")
    assert await program.hooks.confirm_halts(0) == 0
    assert not await program.asks("used", "p1", "t1", "t1.")
    assert await program.hooks.confirm_halts(0) == 1


@pytest.mark.parametrize("kind", ["end", "exit"])
async def test_the_end_of_the_turn_or_the_program_confirms_the_stop(
    program: Program, driver: Driver, kind: HookKind
) -> None:
    await program.asks("prompt")
    await program.asks("tool", "p1", "t")
    await program.stop()
    assert await program.asks(kind)
    assert await driver.status() == ("stopped", True)


async def test_a_program_that_goes_on_after_all_is_told_again_and_is_not_confirmed_any_more(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt")
    await program.stop()
    await program.asks("tool")
    await program.hooks.confirm_halts(0)
    assert not await program.asks("tool")
    assert await driver.status() == ("stopped", False)
    assert await program.hooks.confirm_halts(0) == 1


async def test_a_stop_that_the_program_did_not_hear_is_not_confirmed(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await program.stop()
    assert not await program.asks("tool", "p1", "t1", hears=False)
    assert await program.hooks.confirm_halts(0) == 0
    assert await driver.status() == ("stopped", False)
    assert not await program.asks("used", "p1", "t1")
    assert await program.hooks.confirm_halts(0) == 1


async def test_a_tool_that_ran_although_it_was_refused_makes_the_stop_unconfirmed_again(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt")
    await program.stop()
    await program.asks("tool", "p1", "t1")
    await program.hooks.confirm_halts(0)
    assert not await program.asks("used", "p1", "t1")
    assert await driver.status() == ("stopped", False)
    assert await program.hooks.confirm_halts(0) == 1


async def test_what_a_program_that_its_bridge_has_ended_still_says_does_not_make_it_unconfirmed(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt")
    lease = await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.asks("tool", "p1", "t1")
    await program.stop()
    await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    assert not await program.asks("used", "p1", "t1")
    assert await driver.status() == ("stopped", True)


async def test_a_note_of_an_earlier_run_is_not_taken_for_one_of_this(program: Program, driver: Driver) -> None:
    await program.asks("prompt", "p1")
    run = (await program.session())["run"]
    await program.stop()
    await program.asks("tool", "p1")
    await program.asks("prompt", "p2")
    await program.stop()
    await program.hooks.note_halt("s", run)
    assert await program.hooks.confirm_halts(0) == 0
    assert await driver.status() == ("stopped", False)


async def test_a_turn_for_which_a_prompt_waits_is_followed_by_another_and_not_the_end(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt", "p1")
    await program.asks("prompt", "p1")
    await program.asks("end", "p1")
    assert await driver.status() == ("running", None)
    await program.asks("end", "p2")
    assert await driver.status() == ("finished", None)


async def test_a_prompt_that_a_turn_took_in_waits_no_more(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await program.asks("prompt")
    await program.asks("batch")
    await program.asks("end")
    assert await driver.status() == ("finished", None)


async def test_a_stop_is_not_confirmed_while_a_prompt_of_before_comes_next(program: Program, driver: Driver) -> None:
    await program.asks("prompt", "p1")
    await program.asks("tool", "p1", "t1")
    await program.asks("prompt", "p1")
    await program.stop()
    assert not await program.asks("used", "p1", "t1")
    assert await program.hooks.confirm_halts(0) == 0
    assert not await program.asks("tool", "p2", "t2")
    assert await program.hooks.confirm_halts(0) == 1
    assert await driver.status() == ("stopped", True)


async def test_a_stop_is_not_confirmed_while_a_subagent_goes_on(program: Program, driver: Driver) -> None:
    await program.asks("prompt", "p1")
    await program.asks("begun", "", agent="a")
    await program.asks("tool", "", "t1", agent="a")
    await program.asks("prompt", "p2")
    await program.stop()
    assert not await program.asks("tool", "p2", "t2")
    assert await program.hooks.confirm_halts(0) == 0
    assert not await program.asks("used", "", "t1", agent="a")
    assert await program.hooks.confirm_halts(0) == 1
    assert await driver.status() == ("stopped", True)


@pytest.mark.parametrize("kind", ["done", "wake"])
async def test_the_end_of_a_subagent_is_waited_for(program: Program, driver: Driver, kind: HookKind) -> None:
    await program.asks("prompt", "p1")
    await program.asks("begun", "", agent="a")
    await program.stop()
    assert not await program.asks("tool", "p1", "t1")
    assert await program.hooks.confirm_halts(0) == 0
    await program.asks(kind, "", agent="a")
    assert await program.hooks.confirm_halts(0) == 1
    assert await driver.status() == ("stopped", True)


async def test_a_prompt_that_was_typed_while_the_stopped_turn_worked_is_refused(program: Program) -> None:
    await program.asks("prompt", "p1")
    await program.stop()
    assert not await program.asks("prompt", "p1")
    assert not await program.asks("prompt", "p1")


async def test_after_a_confirmed_stop_every_prompt_is_a_new_one(program: Program, driver: Driver) -> None:
    await program.asks("prompt", "p1")
    await program.stop()
    await program.asks("tool", "p1")
    await program.hooks.confirm_halts(0)
    assert await program.asks("prompt", "p1")
    assert await driver.status() == ("running", None)


async def test_a_new_prompt_after_a_stop_begins_a_new_run(program: Program, driver: Driver) -> None:
    await program.asks("prompt", "p1")
    await program.stop()
    await program.asks("tool", "p1")
    assert await program.asks("prompt", "p2")
    assert await driver.status() == ("running", None)
    assert await program.asks("tool", "p2")
    assert await program.hooks.confirm_halts(0) == 0
    assert await driver.status() == ("running", None)


async def test_a_run_that_obeyed_is_closed_also_when_a_person_goes_on_at_once(program: Program) -> None:
    await program.asks("prompt", "p1")
    await program.stop()
    await program.asks("tool", "p1")
    await program.asks("prompt", "p2")
    assert await program.history() == [
        "session_start", "prompt_hook", "tool_hook", "session_stop", "session_start", "prompt_hook",
    ]  # fmt: skip


async def test_without_ids_a_prompt_before_the_program_was_told_is_the_stopped_runs_and_one_after_it_is_new(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt", "")
    await program.stop()
    assert not await program.asks("prompt", "")
    assert await program.asks("prompt", "")
    assert await driver.status() == ("running", None)


async def test_what_wakes_the_program_after_a_stop_begins_nothing(program: Program, driver: Driver) -> None:
    await program.asks("prompt", "p1")
    await program.stop()
    await program.asks("tool", "p1")
    await program.hooks.confirm_halts(0)
    assert not await program.asks("wake", "p2")
    assert (await driver.status())[0] == "stopped"


async def test_while_a_bridge_is_connected_only_the_bridge_confirms(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    lease = await driver.sessions.guard("s", "watcher", record("session_start"))
    assert await program.stop() == "sent"
    assert not await program.asks("tool")
    assert await program.asks("end")
    assert await program.hooks.confirm_halts(0) == 0
    assert await driver.status() == ("running", False)
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    assert await driver.status() == ("stopped", True)


async def test_a_stop_whose_bridge_was_lost_is_confirmed_by_the_hooks(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.stop()
    assert not await program.asks("tool")
    assert await program.hooks.confirm_halts(0) == 0
    await driver.expire_lease()
    await driver.sessions.lapse_leases()
    assert await driver.status() == ("stopped", False)
    assert await program.hooks.confirm_halts(0) == 1


async def test_a_turn_that_ended_while_its_bridge_was_being_lost_is_confirmed(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.stop()
    assert await program.asks("end")
    await driver.expire_lease()
    await driver.sessions.lapse_leases()
    assert await program.hooks.confirm_halts(0) == 1
    assert await driver.status() == ("stopped", True)


async def test_the_lease_goes_with_the_run_that_the_next_prompt_begins(program: Program, driver: Driver) -> None:
    first = await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.asks("prompt", "p1")
    await program.asks("end", "p1")
    assert ((await program.session())["status"], (await program.session())["presence"]) == ("finished", "connected")
    await program.asks("prompt", "p2")
    session = await program.session()
    assert (session["status"], session["presence"]) == ("running", "connected")
    assert session["run"] != first.run
    assert await program.stop() == "sent"
    renewed = await driver.sessions.renew("s", "watcher", first.run, record("session_start"))
    assert (renewed.outcome, renewed.run) == ("held", session["run"])
    assert renewed.command is not None


@pytest.mark.parametrize(
    ("prompt", "owner", "status"),
    [("p1", "watcher", "finished"), ("p0", "watcher", "running"), ("p1", "other", "running")],
)
async def test_the_watcher_knows_of_a_turn_that_a_person_interrupted_and_ends_no_other(
    program: Program, driver: Driver, prompt: str, owner: str, status: str
) -> None:
    lease = await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.asks("prompt", "p1")
    await program.asks("tool", "p1", "t1")
    await driver.post("turn_interrupted", producer=Producer(lease.run, owner, 1), prompt_id=prompt)
    session = await program.session()
    assert (session["status"], session["presence"]) == (status, "connected")


async def test_an_interruption_does_not_answer_a_stop(program: Program, driver: Driver) -> None:
    lease = await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.asks("prompt", "p1")
    await program.stop()
    await driver.post("turn_interrupted", producer=Producer(lease.run, "watcher", 1), prompt_id="p1")
    assert await driver.status() == ("running", False)


async def test_whoever_guards_is_told_that_another_run_has_begun(program: Program, bus: Bus) -> None:
    async with bus.redis.pubsub() as pubsub:
        await pubsub.subscribe(bus.keys.control("s"))
        await program.driver.sessions.guard("s", "watcher", record("session_start"))
        for prompt in ("p1", "p2"):
            await program.asks("prompt", prompt)
            await program.asks("end", prompt)
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for message in pubsub.listen():
                if message["type"] == "message":
                    break
    assert StopCommand.heard(message["data"]) is None
    assert json.loads(message["data"])["run"] == int((await program.session())["run"])


async def test_a_guard_of_a_session_that_is_over_leaves_it_so_and_obeys_no_old_stop(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt")
    await program.stop()
    await program.asks("exit")
    lease = await driver.sessions.guard("s", "watcher", record("session_start"))
    assert (lease.outcome, lease.command) == ("held", None)
    renewed = await driver.sessions.renew("s", "watcher", lease.run, record("session_start"))
    assert (renewed.outcome, renewed.command) == ("held", None)
    assert await driver.status() == ("stopped", True)
    assert (await program.session())["presence"] == "connected"


async def test_a_program_that_resumes_the_session_is_not_hit_by_the_stop_of_the_one_before(
    program: Program, driver: Driver
) -> None:
    await program.asks("prompt")
    await program.stop()
    lease = await driver.sessions.guard("s", "watcher", record("session_start"), resumed=True)
    assert (lease.outcome, lease.command) == ("held", None)
    assert (await driver.sessions.renew("s", "watcher", lease.run, record("session_start"))).command is None
    await program.asks("prompt", "p2")
    assert await driver.status() == ("running", None)


async def test_a_second_program_waits_for_the_lease_of_the_one_that_works(program: Program, driver: Driver) -> None:
    first = await driver.sessions.guard("s", "first", record("session_start"))
    await program.asks("prompt")
    second = await driver.sessions.guard("s", "second", record("session_start"), resumed=True)
    assert second.outcome == "superseded"
    await driver.sessions.request_stop("s", "c")
    assert await driver.sessions.acknowledge_stop("s", first.run, record("session_stop")) == "stopped"
    again = await driver.sessions.guard("s", "second", record("session_start"), resumed=True)
    assert (again.outcome, again.command) == ("held", None)


async def test_a_second_guard_takes_the_run_over_as_it_is_with_the_stop_that_waits(
    program: Program, driver: Driver
) -> None:
    first = await driver.sessions.guard("s", "killed", record("session_start"))
    await program.stop()
    await driver.expire_lease()
    await driver.sessions.lapse_leases()
    second = await driver.sessions.guard("s", "watcher", record("session_start"))
    assert second.run == first.run
    assert second.command is not None


async def test_a_guard_that_comes_after_a_stop_of_its_run_is_told(program: Program, driver: Driver) -> None:
    await program.asks("prompt")
    await program.stop()
    lease = await driver.sessions.guard("s", "watcher", record("session_start"))
    assert lease.command is not None


async def test_a_start_of_the_program_resumes_but_does_not_repeat_a_bridges_own(
    program: Program, driver: Driver
) -> None:
    await driver.sessions.guard("s", "watcher", record("session_start"))
    await program.asks("start")
    assert await program.history() == ["session_start"]
    await program.asks("end")
    await driver.expire_lease()
    await program.asks("start")
    assert await driver.status() == ("running", None)


@pytest.fixture
async def full(own_redis_server: RedisServer, keys: Keys) -> AsyncIterator[Program]:
    """A program whose Redis can be left without memory."""
    client = connect(own_redis_server.url, name="test")
    yield Program(Driver(Bus(client, keys)))
    await client.aclose()


async def limit(program: Program, maxmemory: int) -> None:
    redis = program.driver.bus.redis
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", maxmemory)


async def test_without_memory_a_program_is_stopped_all_the_same_and_that_is_confirmed(full: Program) -> None:
    await full.asks("prompt")
    await full.asks("tool", "p1", "t")
    await limit(full, 1)
    for _ in range(2):
        with pytest.raises(ResponseError, match="maxmemory"):
            await full.asks("used", "p1", "t")
    assert await full.stop() == "unattended"
    assert not await full.asks("used", "p1", "t")
    assert not await full.asks("tool", "p1", "t2")
    assert await full.hooks.confirm_halts(0) == 1
    assert await full.driver.status() == ("stopped", True)
    with pytest.raises(ResponseError, match="maxmemory"):
        await full.driver.post("message")
    await limit(full, 0)
    assert await full.history() == [
        "session_start",
        "prompt_hook",
        "tool_hook",
        "used_hook",
        "tool_hook",
        "session_stop",
    ]


async def test_without_memory_a_program_that_nobody_stops_is_refused_and_nothing_is_written(full: Program) -> None:
    with_it = full.driver.bus.redis
    await full.asks("prompt")
    before = await with_it.hgetall(full.driver.bus.keys.session("s"))
    await limit(full, 1)
    for kind in ("tool", "end"):
        with pytest.raises(ResponseError, match="maxmemory"):
            await full.asks(kind)  # type: ignore[arg-type]
    assert await with_it.hgetall(full.driver.bus.keys.session("s")) == before


async def test_a_halt_is_told_though_no_replica_has_it(real_bus: Bus) -> None:
    program = Program(Driver(Bus(real_bus.redis, real_bus.keys, replication=Replication(1, 1))))
    with pytest.raises(NotReplicated):
        await program.asks("prompt")
    with pytest.raises(NotReplicated):
        await program.stop()
    assert not await program.asks("tool", "p1", "t")
