"""The Lua scripts as texts, and what they share."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from agent_bus.bus import Bus
from agent_bus.scripts import script

NAMES = sorted(file.name.removesuffix(".lua") for file in files("agent_bus.scripts").iterdir() if ".lua" in file.name)


@pytest.mark.parametrize("name", NAMES)
async def test_every_script_compiles_under_the_name_that_it_is_called_by(redis: Redis, name: str) -> None:
    await redis.script_load(script(name).text)
    assert await redis.script_exists(script(name).sha) == [True]


@pytest.mark.parametrize("name", NAMES)
def test_an_include_line_comes_first_and_is_resolved(name: str) -> None:
    own = (files("agent_bus.scripts") / f"{name}.lua").read_text("utf-8")
    first, _, rest = own.partition("\n")
    assert "-- include:" not in rest
    text = script(name).text
    assert text.endswith(own)
    for part in first.removeprefix("-- include:").split() if first.startswith("-- include:") else []:
        assert (files("agent_bus.scripts") / f"{part}.lua").read_text("utf-8") in text


def test_a_script_that_does_not_exist_is_said_to_be_missing() -> None:
    with pytest.raises(FileNotFoundError):
        script("no_such_script")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(micros=st.integers(0, 253402300799 * 10**6))
async def test_the_scripts_write_times_as_python_does(real_bus: Bus, micros: int) -> None:
    keys = real_bus.keys
    text = script("bus").text + "\nreturn iso(tonumber(ARGV[4]), tonumber(ARGV[5]))"
    written = await real_bus.redis.eval(
        text, 3, keys.counter, keys.stream, keys.epoch, "", "", "", micros // 10**6, micros % 10**6
    )
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    assert written.decode() == moment.isoformat(timespec="microseconds")
