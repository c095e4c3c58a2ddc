"""Which versions work side by side, and what is stated of them."""

from typing import Any

import pytest

from agent_bus import contract
from agent_bus.bus import Bus
from agent_bus.contract import MAJOR, MINOR, VERSION, NewerContract, check, state


async def stated(bus: Bus) -> Any:
    return await bus.redis.get(bus.keys.contract)


async def test_a_namespace_gets_the_version_of_the_first_who_comes(bus: Bus) -> None:
    for _ in range(2):
        await state(bus)
        assert await stated(bus) == VERSION.encode()


async def test_a_newer_minor_version_stays_stated_and_is_worked_with(bus: Bus) -> None:
    newer = f"{MAJOR}.{MINOR + 10}".encode()
    await bus.redis.set(bus.keys.contract, newer)
    await state(bus)
    assert await stated(bus) == newer


async def test_an_older_version_gives_way(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    await bus.redis.set(bus.keys.contract, "1.9")
    monkeypatch.setattr(contract, "MAJOR", 1)
    monkeypatch.setattr(contract, "MINOR", 10)
    await state(bus)
    assert await stated(bus) == b"1.10"
    monkeypatch.setattr(contract, "MAJOR", 2)
    monkeypatch.setattr(contract, "MINOR", 0)
    await state(bus)
    assert await stated(bus) == b"2.0"


@pytest.mark.parametrize("newer", [f"{MAJOR + 1}.0", "10.0", "next", ""])
async def test_a_newer_major_version_is_not_touched_and_named(bus: Bus, newer: str) -> None:
    await bus.redis.set(bus.keys.contract, newer)
    with pytest.raises(NewerContract, match=rf"its bus contract is {newer}, ours {VERSION}\): upgrade this one"):
        await state(bus)
    assert await stated(bus) == newer.encode()


def test_nothing_stated_is_nothing_newer() -> None:
    check(None)
    check(VERSION.encode())
    check(b"0.9")
