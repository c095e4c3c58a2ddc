"""Sessions on the scripts: the same suite on fakeredis and on a real server."""

import json

import pytest

from agent_bus.events import Producer
from tests.unit.agent_bus.conftest import Driver, record


async def test_start_creates_a_running_session_and_tells_of_it_before_the_event(driver: Driver) -> None:
    appended = await driver.post("session_start", timestamp="2026-01-24T10:00:00+00:00")
    session = await driver.get()
    assert session is not None
    assert session == {
        "session_id": "s", "session_name": "s", "status": "running", "created_at": "2026-01-24T10:00:00+00:00",
        "modified_at": session["modified_at"], "project_dir": None, "agent_name": None, "presence": "hooks",
        "usage": None, "cost_usd": None,
        "stop_confirmed": None, "run": "1", "events": 1, "started_at": session["modified_at"], "ended_at": None,
        "stop_requested_at": None, "stop_confirmed_at": None,
    }  # fmt: skip
    created, event = await driver.messages()
    assert (created["type"], created["seq"]) == ("session_created", 1)
    assert created["session"] == session | {"events": 0}, "the event that follows is not counted yet"
    assert (event["type"], event["seq"], event["data"]["id"]) == ("event", 2, 2)
    assert appended.last_id == 2


async def test_an_event_of_an_unknown_session_creates_it_running(driver: Driver) -> None:
    await driver.post("post_tool")
    assert await driver.status() == ("running", None)


async def test_even_a_lost_start_and_an_early_stop_leave_a_finished_session(driver: Driver) -> None:
    await driver.post("session_stop")
    assert await driver.status() == ("finished", None)


async def test_a_late_event_is_kept_and_does_not_bring_the_session_back(driver: Driver) -> None:
    await driver.post("session_start")
    await driver.post("session_stop")
    await driver.post("message")
    assert await driver.status() == ("finished", None)
    page = await driver.events.page("s", limit=10)
    assert page is not None
    assert [json.loads(event)["event_type"] for event in page.events] == ["session_start", "session_stop", "message"]


async def test_a_start_resumes_and_keeps_what_described_the_session(driver: Driver) -> None:
    await driver.post("session_start", project_dir="/p", agent_name="a", timestamp="2026-01-24T10:00:00+00:00")
    before = await driver.get()
    await driver.post("session_stop")
    await driver.post("session_start", project_dir="/q", agent_name="b", timestamp="2026-01-25T10:00:00+00:00")
    after = await driver.get()
    assert before is not None
    assert after is not None
    assert (after["status"], after["project_dir"], after["agent_name"]) == ("running", "/p", "a")
    assert after["created_at"] == before["created_at"]
    assert after["modified_at"] > before["modified_at"]


async def test_stopped_is_never_turned_into_finished(driver: Driver) -> None:
    await driver.post("session_start")
    await driver.sessions.request_stop("s", "c")
    await driver.post("session_stop")
    assert await driver.status() == ("stopped", True), "the agent's own report of its end confirms the stop"


async def test_a_stop_without_an_agent_waits_for_the_run_and_not_for_the_next(driver: Driver) -> None:
    await driver.post("session_start")
    assert (await driver.sessions.request_stop("s", "c1")).outcome == "unattended"
    assert await driver.status() == ("stopped", False)
    assert (await driver.post("message")).command is not None
    lease = await driver.sessions.enter("s", "b1", record("session_start"))
    assert lease.command is not None
    assert lease.command.command_id == "c1"
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    assert await driver.status() == ("stopped", True)
    again = await driver.sessions.enter("s", "b2", record("session_start"))
    assert again.command is None
    assert again.run != lease.run
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stale"
    assert await driver.status() == ("running", None)


async def test_a_connected_agent_is_told_and_the_session_runs_until_it_confirms(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    assert (await driver.sessions.request_stop("s", "c")).outcome == "sent"
    assert await driver.status() == ("running", False)
    renewed = await driver.sessions.renew("s", "b", lease.run, record("session_start"))
    assert renewed.command is not None
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "repeated"
    assert await driver.status() == ("stopped", True)
    assert [m["type"] for m in await driver.messages()] == [
        "session_created", "event", "stop_requested", "event", "session_updated",
    ]  # fmt: skip


async def test_asking_twice_is_asking_once(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.request_stop("s", "first")
    await driver.sessions.request_stop("s", "second")
    renewed = await driver.sessions.renew("s", "b", lease.run, record("session_start"))
    assert renewed.command is not None
    assert renewed.command.command_id == "first"
    assert sum(m["type"] == "stop_requested" for m in await driver.messages()) == 1


async def test_stopping_what_is_over_or_unknown_sends_nothing(driver: Driver) -> None:
    assert (await driver.sessions.request_stop("s", "c")).outcome == "unknown"
    await driver.post("session_start")
    await driver.post("session_stop")
    before = await driver.messages()
    assert (await driver.sessions.request_stop("s", "c")).outcome == "ended"
    assert await driver.messages() == before


async def test_a_killed_agents_lease_lapses_and_the_browsers_are_told_once(driver: Driver) -> None:
    await driver.sessions.enter("s", "b", record("session_start"))
    assert await driver.sessions.lapse_leases() == 0
    await driver.expire_lease()
    assert await driver.sessions.lapse_leases() == 1
    assert await driver.sessions.lapse_leases() == 0
    told = (await driver.messages())[-1]
    assert (told["type"], told["session"]["presence"], told["session"]["status"]) == (
        "session_updated",
        "none",
        "running",
    )


async def test_an_agent_killed_while_stopping_ends_stopped_without_confirmation(driver: Driver) -> None:
    await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.request_stop("s", "c")
    await driver.expire_lease()
    await driver.sessions.lapse_leases()
    assert await driver.status() == ("stopped", False)


async def test_an_agent_that_was_frozen_past_its_lease_takes_it_up_again_and_learns_of_the_stop(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.expire_lease()
    await driver.sessions.lapse_leases()
    assert (await driver.sessions.request_stop("s", "c")).outcome == "unattended"
    back = await driver.sessions.renew("s", "b", lease.run, record("session_start"))
    assert (back.outcome, back.run) == ("held", lease.run)
    assert back.command is not None


async def test_a_second_bridge_begins_another_run_and_the_first_is_superseded(driver: Driver) -> None:
    first = await driver.sessions.enter("s", "b1", record("session_start"))
    second = await driver.sessions.enter("s", "b2", record("session_start"))
    assert first.run != second.run
    assert (await driver.sessions.renew("s", "b1", first.run, record("session_start"))).outcome == "superseded"
    await driver.post("session_stop", producer=Producer(first.run, "b1", 1))
    assert await driver.status() == ("running", None), "a zombie's end is not the new run's"


async def test_entering_again_after_a_lost_answer_is_entering_once(driver: Driver) -> None:
    first = await driver.sessions.enter("s", "b", record("session_start"))
    second = await driver.sessions.enter("s", "b", record("session_start"))
    assert first.run == second.run
    assert [m["type"] for m in await driver.messages()] == ["session_created", "event"]


async def test_a_batch_sent_twice_is_accepted_once(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    batch = [record("message", n=n) for n in range(3)]
    assert (await driver.append(batch, producer=Producer(lease.run, "b", 1))).accepted == 3
    assert (await driver.append(batch, producer=Producer(lease.run, "b", 1))).accepted == 0
    more = [*batch, record("message", n=3)]
    assert (await driver.append(more, producer=Producer(lease.run, "b", 1))).accepted == 1
    page = await driver.events.page("s", limit=10)
    assert page is not None
    assert [json.loads(event).get("n") for event in page.events] == [None, 0, 1, 2, 3]


async def test_a_name_given_by_a_person_outlives_what_events_say(driver: Driver) -> None:
    await driver.post("session_start")
    await driver.post("message", session_name="from the agent")
    assert (await driver.get() or {})["session_name"] == "from the agent"
    await driver.sessions.patch("s", {"session_name": "from a person"})
    await driver.post("session_start", session_name="from the agent")
    assert (await driver.get() or {})["session_name"] == "from a person"


async def test_patch_sets_and_clears_and_tells(driver: Driver) -> None:
    assert await driver.sessions.patch("s", {"agent_name": "a"}) is None
    await driver.post("session_start")
    await driver.sessions.patch("s", {"agent_name": "a", "project_dir": "/p"})
    await driver.sessions.patch("s", {"agent_name": None})
    session = await driver.get() or {}
    assert (session["agent_name"], session["project_dir"]) == (None, "/p")
    assert (await driver.messages())[-1]["session"] == session


async def test_delete_takes_the_history_along_and_an_event_after_it_begins_anew(driver: Driver) -> None:
    for _ in range(3):
        await driver.post("message", agent_name="a")
    assert await driver.sessions.delete("s") == 3
    assert await driver.sessions.delete("s") is None
    assert await driver.get() is None
    assert await driver.events.page("s", limit=1) is None
    assert (await driver.sessions.page(limit=10, agent_name="a")).total == 0
    await driver.post("message")
    page = await driver.events.page("s", limit=10)
    assert page is not None
    assert len(page.events) == 1


async def test_a_bridge_whose_session_was_deleted_holds_the_one_that_its_events_bring_back(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.delete("s")
    assert (await driver.sessions.renew("s", "b", lease.run, record("session_start"))).outcome == "gone"
    await driver.post("message", producer=Producer(lease.run, "b", 1))
    back = await driver.sessions.renew("s", "b", lease.run, record("session_start"))
    assert back.outcome == "held"
    assert (await driver.get() or {})["presence"] == "connected"


@pytest.mark.parametrize("session_id", ["*", "a:b", "é ü", "{x}", "%s%d", "-1", "a b\u2028"])
async def test_ids_are_data(driver: Driver, session_id: str) -> None:
    await driver.post("message", session_id)
    await driver.post("message", "other")
    assert (await driver.get(session_id) or {})["session_id"] == session_id
    assert await driver.sessions.delete(session_id) == 1
    assert await driver.get("other") is not None


async def test_pages_go_through_all_sessions_newest_first_even_with_equal_times(driver: Driver) -> None:
    for n in range(7):
        await driver.post("session_start", f"s{n}", timestamp=f"2026-01-24T10:00:0{n // 2}+00:00")
    seen: list[str] = []
    cursor = None
    while True:
        page = await driver.sessions.page(limit=2, after=cursor)
        assert page.total == 7
        found = [json.loads(session) for session in page.sessions]
        seen += [session["session_id"] for session in found]
        cursor = page.next
        if cursor is None:
            break
        # A session that comes in while somebody pages through must not shift what follows.
        await driver.post("session_start", "late", timestamp="2026-02-01T10:00:00+00:00")
        await driver.sessions.delete("late")
    assert sorted(seen) == [f"s{n}" for n in range(7)]
    assert [name[1] for name in seen] == sorted((name[1] for name in seen), key=lambda n: (-(int(n) // 2), -int(n)))


async def test_usage_adds_up_on_the_session_and_is_told(driver: Driver) -> None:
    await driver.post("session_start")
    tokens = {"input_tokens": 3, "output_tokens": 2, "cache_read_tokens": 1, "cache_write_tokens": 0}
    await driver.post("usage", model="m", **tokens, cost_usd=0.1)
    await driver.post("usage", model="n", **tokens, cost_usd=0.2)
    session = await driver.get()
    assert session is not None
    assert session["usage"] == {name: 2 * count for name, count in tokens.items()}
    assert session["cost_usd"] == 0.3
    told = [message["session"] for message in await driver.messages() if message["type"] == "session_updated"]
    assert told[-1] == session | {"events": 2}


async def test_usage_of_a_session_never_heard_of_counts(driver: Driver) -> None:
    await driver.post("usage", input_tokens=3)
    session = await driver.get()
    assert session is not None
    assert session["usage"]["input_tokens"] == 3
    assert session["cost_usd"] is None


async def test_usage_outlives_the_run(driver: Driver) -> None:
    await driver.post("usage", output_tokens=3)
    await driver.post("session_stop")
    await driver.post("session_start")
    session = await driver.get()
    assert session is not None
    assert session["usage"]["output_tokens"] == 3


@pytest.mark.parametrize("value", ["3", None, -1, [3], {"a": 1}, True, 1e300])
async def test_usage_that_is_no_plausible_number_is_kept_but_not_counted(driver: Driver, value: object) -> None:
    await driver.post("usage", input_tokens=value, cost_usd=value)
    session = await driver.get()
    assert session is not None
    assert (session["usage"], session["cost_usd"]) == (None, None)


async def test_usage_that_a_bridge_sends_twice_counts_once(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    for _ in range(2):
        await driver.post("usage", producer=Producer(lease.run, "b", 1), input_tokens=5)
    session = await driver.get()
    assert session is not None
    assert session["usage"]["input_tokens"] == 5


async def test_a_lease_that_lapses_is_told_at_once_as_nobody_there(driver: Driver) -> None:
    await driver.sessions.enter("s", "b", record("session_start"))
    before = await driver.get()
    await driver.expire_lease()
    assert await driver.sessions.lapse_leases() == 1
    told = (await driver.messages())[-1]
    assert (told["type"], told["session"]["presence"], told["session"]["status"]) == (
        "session_updated", "none", "running",
    )  # fmt: skip
    assert before is not None
    assert told["session"]["modified_at"] > before["modified_at"]


async def test_late_events_are_counted_and_every_page_says_how_many_there_are(driver: Driver) -> None:
    for session_id, events in (("a", 2), ("b", 3)):
        for number in range(events):
            await driver.post(("session_start", "session_stop", "message")[number], session_id)
    page = await driver.sessions.page(limit=10)
    assert {session["session_id"]: session["events"] for session in map(json.loads, page.sessions)} == {"a": 2, "b": 3}


async def test_an_event_that_comes_before_the_change_in_the_same_script_is_counted(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.request_stop("s", "c")
    await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    counts = [(m["type"], m["session"]["events"]) for m in await driver.messages() if "session" in m]
    assert counts == [("session_created", 0), ("stop_requested", 1), ("session_updated", 2)]


async def test_a_run_has_a_beginning_and_an_end_and_the_next_one_its_own(driver: Driver) -> None:
    await driver.post("session_start")
    running = await driver.get()
    await driver.post("session_stop")
    ended = await driver.get()
    await driver.post("message")
    late = await driver.get()
    await driver.post("session_start")
    again = await driver.get()
    assert running is not None
    assert ended is not None
    assert late is not None
    assert again is not None
    assert running["ended_at"] is None
    assert running["started_at"] == ended["started_at"] <= ended["ended_at"] == late["ended_at"] < late["modified_at"]
    assert again["started_at"] > ended["ended_at"]
    assert again["ended_at"] is None


async def test_each_step_of_a_stop_has_its_time_and_the_next_run_has_none_of_them(driver: Driver) -> None:
    async def steps() -> list[str | None]:
        session = await driver.get()
        assert session is not None
        return [session[name] for name in ("started_at", "stop_requested_at", "stop_confirmed_at", "ended_at")]

    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.request_stop("s", "first")
    _, asked, *later = await steps()
    assert later == [None, None]
    await driver.sessions.request_stop("s", "second")
    await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    started, still, confirmed, ended = await steps()
    assert asked is not None
    assert started is not None
    assert ended is not None
    assert still == asked
    assert started < asked < ended == confirmed
    await driver.sessions.enter("s", "b2", record("session_start"))
    assert (await steps())[1:] == [None, None, None]


async def test_a_stop_that_nobody_heard_ends_the_run_at_once_and_its_confirmation_does_not_move_the_end(
    driver: Driver,
) -> None:
    await driver.post("session_start")
    await driver.sessions.request_stop("s", "c")
    asked = await driver.get()
    await driver.post("session_stop")
    confirmed = await driver.get()
    assert asked is not None
    assert confirmed is not None
    assert asked["stop_requested_at"] == asked["ended_at"] == confirmed["ended_at"]
    assert asked["stop_confirmed_at"] is None
    assert confirmed["stop_confirmed_at"] > confirmed["ended_at"]


async def test_a_session_of_an_older_version_reads_well_and_goes_on(driver: Driver) -> None:
    await driver.post("session_start")
    await driver.post("message")
    await driver.bus.redis.hdel(driver.bus.keys.session("s"), "began_at")
    old = await driver.get()
    assert old is not None
    assert (old["events"], old["started_at"], old["ended_at"]) == (2, None, None)
    await driver.post("session_stop")
    ended = await driver.get()
    assert ended is not None
    assert (ended["events"], ended["started_at"]) == (3, None)
    assert ended["ended_at"] is not None


async def test_an_agent_that_joins_a_stopped_run_and_obeys_does_not_move_the_runs_end(driver: Driver) -> None:
    await driver.post("session_start")
    await driver.sessions.request_stop("s", "c")
    before = await driver.get()
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    after = await driver.get()
    assert before is not None
    assert after is not None
    assert after["ended_at"] == before["ended_at"]
    assert after["stop_confirmed_at"] > before["ended_at"]


async def test_an_agent_that_reported_its_end_before_it_acknowledges_had_ceased_by_then(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.request_stop("s", "c")
    await driver.post("session_stop", producer=Producer(lease.run, "b", 1))
    reported = await driver.get()
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    acknowledged = await driver.get()
    assert reported is not None
    assert acknowledged is not None
    for name in ("ended_at", "stop_confirmed_at"):
        assert reported[name] is not None
        assert acknowledged[name] == reported[name]


async def test_an_obeyed_stop_counts_though_redis_has_lost_it(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "owner", record("session_start"))
    closing = record("session_stop")
    assert await driver.sessions.acknowledge_stop("s", lease.run, closing) == "stale"
    assert await driver.sessions.acknowledge_stop("s", "another", closing, "c") == "stale"
    assert await driver.status() == ("running", None)
    assert await driver.sessions.acknowledge_stop("s", lease.run, closing, "c") == "stopped"
    assert await driver.status() == ("stopped", True)
    assert await driver.sessions.acknowledge_stop("s", lease.run, closing, "c") == "repeated"


async def test_the_end_of_a_run_that_is_over_is_not_told_twice(driver: Driver) -> None:
    lease = await driver.sessions.enter("s", "owner", record("session_start"))
    await driver.post("session_stop", producer=Producer(lease.run, "owner", 1))
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"), "c") == "stale"
    assert await driver.status() == ("finished", None)
