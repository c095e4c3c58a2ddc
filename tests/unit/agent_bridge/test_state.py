"""The bridge's state: one run, at most one stop, told once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bridge.state import BridgeState
from agent_bus.commands import Lease, StopCommand


def stop(run: str, command_id: str = "c") -> StopCommand:
    return StopCommand(command_id, "s", run, "t")


def test_before_the_first_lease_no_stop_is_for_it() -> None:
    assert BridgeState().ordered(stop("1")) is None


def test_the_first_lease_brings_the_run_and_the_stop_that_waits_for_it() -> None:
    state = BridgeState()
    assert state.leased(Lease("held", "1", stop("1"))) == stop("1")
    assert state.run == "1"


def test_a_stop_is_told_once_however_often_it_is_heard() -> None:
    state = BridgeState(run="1")
    assert state.ordered(stop("1")) == stop("1")
    assert state.ordered(stop("1")) is None
    assert state.ordered(stop("1", "another")) is None
    assert state.leased(Lease("held", "1", stop("1"))) is None
    assert state.command == stop("1")


def test_a_stop_for_another_run_is_not_ours() -> None:
    state = BridgeState(run="2")
    assert state.ordered(stop("1")) is None
    assert state.command is None


def test_a_run_that_was_taken_over_is_ours_from_then_on() -> None:
    state = BridgeState(run="1")
    assert state.leased(Lease("held", "2", None)) is None
    assert state.ordered(stop("1")) is None
    assert state.ordered(stop("2")) == stop("2")


def test_once_stopped_the_run_never_changes() -> None:
    state = BridgeState(run="1", command=stop("1"))
    assert state.leased(Lease("held", "2", stop("2"))) is None
    assert (state.run, state.command) == ("1", stop("1"))


@pytest.mark.parametrize("outcome", ["superseded", "gone"])
def test_a_lease_that_is_not_held_changes_no_run_and_tells_no_stop(outcome: Any) -> None:
    state = BridgeState(run="1")
    assert state.leased(Lease(outcome, "2", stop("1"))) is None
    assert (state.run, state.command, state.superseded) == ("1", None, outcome == "superseded")


def test_a_session_that_came_back_to_us_is_superseded_no_more() -> None:
    state = BridgeState(run="1")
    state.leased(Lease("superseded", "2", None))
    state.leased(Lease("held", "1", None))
    assert not state.superseded


runs = st.sampled_from(["1", "2", "3"])
stops = st.none() | st.builds(stop, runs, st.sampled_from(["a", "b"]))
leases = st.builds(Lease, st.sampled_from(["held", "superseded", "gone"]), runs, stops)


@given(news=st.lists(leases | stops))
def test_whatever_is_heard_at_most_one_stop_is_told_and_it_is_for_the_run_held_then(
    news: list[Lease | StopCommand | None],
) -> None:
    state, told = BridgeState(), []
    for item in news:
        command = state.leased(item) if isinstance(item, Lease) else state.ordered(item)
        if command is not None:
            assert command.run == state.run
            told.append(command)
    assert told == ([state.command] if state.command else [])
