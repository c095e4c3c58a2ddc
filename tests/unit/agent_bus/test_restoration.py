"""What a backup holds is in the system that it is put into, and nothing of it twice."""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from agent_bus.backup_file import BackupDamaged
from agent_bus.backup_format import BackupReader
from agent_bus.blueprints import BlueprintCreate, BlueprintDeleted, Blueprints
from agent_bus.bus import Bus
from agent_bus.hooks import Hooks
from agent_bus.keys import Keys
from agent_bus.messages import TagCount
from agent_bus.restoration import SKIPPED_NUMBERS, AnotherRestoration, Occupied, Restoration
from agent_bus.sessions import Sessions
from agent_bus.statistics import read_statistics
from agent_bus.tags import TagAggregate
from tests.unit.agent_bus.conftest import Driver, record
from tests.unit.agent_bus.test_backup import System, run_of, whole


@pytest.fixture
def system(bus: Bus, tmp_path: Path) -> System:
    return System(bus, tmp_path / "source")


@pytest.fixture
def target(bus: Bus, tmp_path: Path) -> System:
    return System(Bus(bus.redis, Keys(f"{bus.keys.namespace}-2")), tmp_path / "target")


def restoration(target: System) -> Restoration:
    return Restoration(target.bus, target.archive, target.blobs, lambda *told: target.told.append(told))


async def restore(target: System, backup: BackupReader) -> Restoration:
    restored = restoration(target)
    await restored.run(backup)
    return restored


async def pages(bus: Bus, **wanted: Any) -> list[bytes]:
    return list((await Sessions(bus).page(limit=1000, **wanted)).sessions)


async def filled(system: System, driver: Driver) -> None:
    await run_of(driver, *range(60), session_id="archived")
    assert await system.archiving.move("archived", 0)
    await run_of(driver, *range(100), session_id="in redis")
    await driver.post("usage", "in redis", input_tokens=5, cost_usd=0.25)
    await driver.sessions.patch("in redis", {"session_name": "Named", "agent_name": "a", "project_dir": "/p"})
    await driver.post("session_start", "stopped", agent_name="a")
    await driver.sessions.request_stop("stopped", "c1")
    await driver.post("session_start", "going on")
    await driver.post("post_tool", "going on", tool_name="Bash", error="no")


async def test_sessions_are_as_they_were(system: System, target: System, driver: Driver) -> None:
    await filled(system, driver)
    await restore(target, await system.back_up())
    assert await pages(target.bus) == await pages(system.bus)
    for status in ("running", "finished", "stopped"):
        assert await pages(target.bus, status=status) == await pages(system.bus, status=status)
    assert await pages(target.bus, agent_name="a") == await pages(system.bus, agent_name="a")
    for session_id in ("archived", "in redis", "stopped", "going on"):
        assert await whole(target, session_id) == await whole(system, session_id)
    assert await target.bus.redis.zcard(target.bus.keys.archived) == 4


async def test_numbers_go_on_above_all_that_were_given_in_a_new_epoch(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)
    backup = await system.back_up()
    await driver.post("message", "going on")
    source, before = await system.bus.position(), await target.bus.position()
    await restore(target, backup)
    after = await target.bus.position()
    assert after.epoch not in (source.epoch, before.epoch)
    assert after.seq > source.seq
    appended = await Driver(target.bus).post("message", "going on")
    assert appended.last_id is not None
    assert appended.last_id > SKIPPED_NUMBERS
    assert appended.last_id < 2**53 / 1000


async def test_sessions_go_on_and_move_to_the_archive_again(system: System, target: System, driver: Driver) -> None:
    await filled(system, driver)
    await restore(target, await system.back_up())
    before, others = await whole(target, "going on"), Driver(target.bus)
    await others.post("session_stop", "going on")
    assert await target.archiving.move("going on", 0)
    events = await whole(target, "going on")
    assert events[:-1] == before
    assert await others.status("going on") == ("finished", None)


async def test_a_session_that_was_held_is_held_by_nobody_and_its_bridge_takes_it_again(
    system: System, target: System, driver: Driver
) -> None:
    lease = await driver.sessions.enter("s", "owner", record("session_start"))
    await restore(target, await system.back_up())
    others = Driver(target.bus)
    session = await others.get()
    assert session is not None
    assert (session["status"], session["presence"], session["run"]) == ("running", "none", lease.run)
    again = await others.sessions.renew("s", "owner", lease.run, record("session_start"))
    assert (again.outcome, again.run) == ("held", lease.run)
    # Another agent of that session begins a run of its own.
    entered = await others.sessions.enter("s", "another", record("session_start"))
    assert entered.run != lease.run


async def test_a_stop_that_was_under_way_ends_as_for_an_agent_that_is_gone_and_waits_for_it(
    system: System, target: System, driver: Driver
) -> None:
    lease = await driver.sessions.enter("s", "owner", record("session_start"))
    assert (await driver.sessions.request_stop("s", "c1")).outcome == "sent"
    await restore(target, await system.back_up())
    others = Driver(target.bus)
    assert await others.sessions.lapse_leases() == 1
    assert await others.status() == ("stopped", False)
    again = await others.sessions.renew("s", "owner", lease.run, record("session_start"))
    assert again.command is not None
    assert again.command.command_id == "c1"


async def test_a_program_that_was_told_to_halt_is_confirmed_when_it_has_been_quiet(
    system: System, target: System, driver: Driver
) -> None:
    lease = await driver.post("session_start")
    await driver.sessions.request_stop("s", "c1")
    await system.bus.run(
        "note_halt",
        [*(driver.sessions._own("s")), system.bus.keys.halted],
        ["s", lease.run],
    )
    await restore(target, await system.back_up())
    await Hooks(target.bus).confirm_halts(0)
    assert await Driver(target.bus).status() == ("stopped", True)


async def test_documents_are_as_they_were_with_tags_and_counts(system: System, target: System) -> None:
    content = bytes(range(256)) * 3000
    stored = await system.upload(content, ("a", "b"), author="Ann", description="d")
    for _ in range(5):
        await system.upload(b"", ("b",))
    await system.documents.patch(stored.document.id, tags=["b", "c"])
    await restore(target, await system.back_up())
    assert await target.documents.page() == await system.documents.page()
    assert await target.documents.page(tags=["b", "c"]) == await system.documents.page(tags=["b", "c"])
    assert await target.documents.page(filename="A.TXT") == await system.documents.page(filename="A.TXT")
    assert await target.documents.get(stored.document.id) == await system.documents.get(stored.document.id)
    found = await target.blobs.get(stored.document.id)
    assert b"".join([chunk async for chunk in found.chunks]) == content

    async def no_job() -> None:
        raise AssertionError("the aggregate is current")

    counts = [TagCount(name="b", count=6), TagCount(name="c", count=1)]
    assert await TagAggregate(target.bus).read(no_job) == counts
    patched = await target.documents.patch(stored.document.id, description="new", versions=[2])
    assert patched is not None
    assert patched.version == 3


async def test_blueprints_and_the_names_of_deleted_ones_are_as_they_were(system: System, target: System) -> None:
    source, others = Blueprints(system.bus), Blueprints(target.bus)
    servers = {"x": {"command": "run", "args": [], "env": {"A": "é"}, "own": [1.5]}}
    kept = BlueprintCreate.model_validate(
        {"name": "kept", "description": "mine", "mcp_servers": servers, "tags": ["t"]}
    )
    await source.create(kept)
    gone = BlueprintCreate(name="gone", description="")
    await source.create(gone)
    await source.delete("gone")
    # What a server has imported from folders before.
    for name in ("kept", "gone"):
        await others.create(BlueprintCreate(name=name, description="imported"))
    await restore(target, await system.back_up())
    assert await others.list() == await source.list()
    assert len(await others.list()) == 1
    with pytest.raises(BlueprintDeleted):
        await others.create(gone, revive=False)


async def test_statistics_are_as_they_were(system: System, target: System, driver: Driver) -> None:
    await filled(system, driver)
    await restore(target, await system.back_up())
    assert await read_statistics(target.bus, 24) == await read_statistics(system.bus, 24)
    async for key in target.bus.redis.scan_iter(match=f"{target.bus.keys.sessions}:statistics:*"):
        assert 7 * 86400 < await target.bus.redis.ttl(key) <= 8 * 86400


async def test_a_namespace_with_sessions_or_documents_is_refused_untouched(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)
    backup = await system.back_up()
    with pytest.raises(Occupied, match="4 sessions and 0 documents"):
        await restore(system, backup)
    await target.upload()
    before = await target.bus.position()
    with pytest.raises(Occupied, match="0 sessions and 1 documents"):
        await restore(target, backup)
    assert await target.bus.position() == before
    assert await pages(target.bus) == []


async def test_a_damaged_file_is_refused_before_anything_is_written(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)
    backup = await system.back_up()
    file = backup._file
    assert isinstance(file, io.BytesIO)
    data = bytearray(file.getvalue())
    data[data.index(b"manifest.json") + 600] ^= 1
    with pytest.raises(BackupDamaged):
        await restore(target, BackupReader(io.BytesIO(bytes(data))))
    assert await target.bus.redis.keys(f"{target.bus.keys.namespace}:*") == []


class Killed(Exception):
    pass


def breaks_off(target: System, before: int) -> Restoration:
    """A restoration that breaks off before it puts an entry back."""
    broken = restoration(target)
    inner = broken._put_back

    async def until_then(number: int, entry: Any) -> None:
        if number == before:
            raise Killed
        await inner(number, entry)

    broken._put_back = until_then  # type: ignore[method-assign]
    return broken


@pytest.mark.parametrize("before", range(1, 9))
async def test_a_restoration_that_broke_off_goes_on_where_it_was(
    system: System, target: System, driver: Driver, before: int
) -> None:
    await filled(system, driver)
    for _ in range(2):
        await system.upload(b"abc", ("a",))
    await Blueprints(system.bus).create(BlueprintCreate(name="a", description="A"))
    backup = await system.back_up()
    with pytest.raises(Killed):
        await breaks_off(target, before).run(backup)
    await restore(target, backup)
    assert await pages(target.bus) == await pages(system.bus)
    for session_id in ("archived", "in redis", "stopped", "going on"):
        assert await whole(target, session_id) == await whole(system, session_id)
    assert await target.documents.page() == await system.documents.page()
    assert await Blueprints(target.bus).list() == await Blueprints(system.bus).list()
    assert not await target.bus.redis.exists(target.bus.keys.restoration)
    assert len([blob async for some in target.archive.blobs.listed() for blob in some]) == 4
    with pytest.raises(Occupied):
        await restore(target, backup)


async def test_what_somebody_deletes_before_all_is_there_stays_deleted(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)
    backup = await system.back_up()
    with pytest.raises(Killed):
        await breaks_off(target, 5).run(backup)
    (one, _) = await pages(target.bus)
    session_id = orjson.loads(one)["session_id"]
    assert await Sessions(target.bus).delete(session_id) is not None
    await restore(target, backup)
    assert len(await pages(target.bus)) == 3
    assert await Sessions(target.bus).get(session_id) is None


async def test_an_answer_that_was_lost_leaves_one_of_everything(system: System, target: System, driver: Driver) -> None:
    await filled(system, driver)
    await system.upload(b"abc", ("a",))
    backup, inner = await system.back_up(), target.bus.run

    async def twice(name: str, keys: Any, args: Any = ()) -> Any:
        args = list(args)
        await inner(name, keys, args)
        return await inner(name, keys, args)

    target.bus.run = twice  # type: ignore[method-assign]
    restored = await restore(target, backup)
    assert restored.left_out == []
    assert await pages(target.bus) == await pages(system.bus)
    assert len([blob async for some in target.archive.blobs.listed() for blob in some]) == 4


async def test_another_backup_is_not_mixed_with_one_that_broke_off(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)
    first, second = await system.back_up(), await system.back_up()
    with pytest.raises(Killed):
        await breaks_off(target, 1).run(first)
    with pytest.raises(AnotherRestoration):
        await restore(target, second)
    await restore(target, first)


async def begun_anew(target: System, during: Any) -> Restoration:
    restored = restoration(target)
    inner = restored._put_back

    async def after_something(number: int, entry: Any) -> None:
        if number == 1:
            await during()
        await inner(number, entry)

    restored._put_back = after_something  # type: ignore[method-assign]
    return restored


async def test_a_session_that_begins_anew_meanwhile_has_its_past_beneath_it(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)
    past, others = await whole(system, "in redis"), Driver(target.bus)

    async def begin() -> None:
        await others.sessions.enter("in redis", "owner", record("session_start", "in redis", agent_name="b"))
        await others.post("usage", "in redis", input_tokens=2, cost_usd=0.5)

    await (await begun_anew(target, begin)).run(await system.back_up())
    session = await others.get("in redis")
    assert session is not None
    assert session["events"] == len(past) + 2
    assert (session["status"], session["presence"], session["session_name"]) == ("running", "connected", "Named")
    assert (session["usage"]["input_tokens"], session["cost_usd"]) == (7, 0.75)
    assert session["project_dir"] == "/p"
    events = await whole(target, "in redis")
    assert events[: len(past)] == past
    assert len(await pages(target.bus)) == 4
    assert len(await pages(target.bus, agent_name="b")) == 1
    assert len(await pages(target.bus, agent_name="a")) == 1


async def test_one_whose_past_can_not_be_put_beneath_it_is_told_and_left(
    system: System, target: System, driver: Driver
) -> None:
    await filled(system, driver)

    async def begin() -> None:
        await run_of(Driver(target.bus), 1, session_id="in redis")
        assert await target.archiving.move("in redis", 0)

    restored = await begun_anew(target, begin)
    await restored.run(await system.back_up())
    assert [one.id for one in restored.left_out] == ["in redis"]
    assert len(await whole(target, "in redis")) == 3
    assert len([blob async for some in target.archive.blobs.listed() for blob in some]) == 4
