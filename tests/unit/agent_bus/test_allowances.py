"""Allowances: ten seconds' worth at once, the rate afterwards, each for itself, and no more known than fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus.allowances import (
    BURST_SECONDS,
    SESSION_EVENTS_PER_SECOND,
    SESSION_EVENTS_VARIABLE,
    Allowances,
    InvalidLimit,
    session_events_per_second,
)
from agent_bus.settings import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken_at_once(allowances: Allowances, whose: str) -> int:
    taken = 0
    while not allowances.take(whose):
        taken += 1
    return taken


@pytest.mark.parametrize("rate", [1, 3, 7, 100, 5000])
def test_ten_seconds_worth_at_once_and_then_as_much_as_the_time_brings(rate: int) -> None:
    clock = Clock()
    allowances = Allowances(rate, clock=clock)
    assert taken_at_once(allowances, "a") == rate * BURST_SECONDS
    wait = allowances.take("a")
    assert 0 < wait <= 1 / rate + 1e-9
    clock.now += wait
    assert taken_at_once(allowances, "a") == 1
    clock.now += 2
    assert taken_at_once(allowances, "a") == 2 * rate
    clock.now += 1000
    assert taken_at_once(allowances, "a") == rate * BURST_SECONDS


def test_each_has_one_of_its_own() -> None:
    allowances = Allowances(1, clock=Clock())
    assert taken_at_once(allowances, "a") == taken_at_once(allowances, "b") == 10


def test_what_is_taken_beyond_the_last_is_owed() -> None:
    clock = Clock()
    allowances = Allowances(10, clock=clock)
    assert allowances.take("a", 500) == 0
    assert allowances.take("a") == pytest.approx(40.1)
    clock.now += 40.1
    assert allowances.take("a") == 0


def test_without_a_limit_nothing_is_counted() -> None:
    allowances = Allowances(0)
    assert not any(allowances.take("a", 10**9) for _ in range(10))
    assert len(allowances) == 0


def test_those_who_rest_are_forgotten_before_those_who_owe() -> None:
    clock = Clock()
    allowances = Allowances(1, clock=clock, most=100)
    taken_at_once(allowances, "runaway")
    for number in range(10_000):
        assert allowances.take(f"made up {number}") == 0
        assert len(allowances) <= 100
    assert allowances.take("runaway") > 0
    clock.now += 60
    for number in range(200):
        allowances.take(f"later {number}")
    assert len(allowances) <= 100


@given(rate=st.integers(1, 50), steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100)), max_size=60))
def test_never_more_than_the_burst_and_the_time_since(rate: int, steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    allowances = Allowances(rate, clock=clock)
    taken, largest = 0, 0
    for pause, amount in steps:
        clock.now += pause
        if not allowances.take("a", amount):
            taken += amount
            largest = max(largest, amount)
    assert taken <= rate * (BURST_SECONDS + clock.now - 1000) + largest + 0.01


def test_the_environment_names_the_limit_as_the_settings_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SESSION_EVENTS_VARIABLE, raising=False)
    assert session_events_per_second() == Settings().session_events_per_second == SESSION_EVENTS_PER_SECOND
    for text in "0", "12":
        monkeypatch.setenv(SESSION_EVENTS_VARIABLE, text)
        assert session_events_per_second() == Settings().session_events_per_second == int(text)
    for text in "-1", "many", "1.5", "\u0663", "9" * 10:
        with pytest.raises(InvalidLimit, match="whole number of events a second"):
            session_events_per_second({SESSION_EVENTS_VARIABLE: text})
