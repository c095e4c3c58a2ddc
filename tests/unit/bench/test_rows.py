"""Rows: ratios run by run, medians, and what counts as met."""

import pytest

from bench.rows import in_turn, ratio_row, spread, value_row


def test_ways_take_turns() -> None:
    order: list[str] = []
    given = in_turn(2, lambda: order.append("a"), lambda: order.append("b"))
    assert order == ["a", "b", "a", "b"]
    assert [len(results) for results in given] == [2, 2]


def test_a_ratio_is_taken_in_each_run_and_its_median_counts() -> None:
    row = ratio_row("r", "what", [10.0, 30.0, 100.0], [5.0, 10.0, 10.0], target=3.0, better="higher")
    assert (row.value, row.ours, row.theirs, row.met, row.spread) == (3.0, 30.0, 10.0, True, (10 - 2) / 3)


@pytest.mark.parametrize(
    ("value", "better", "met"),
    [(2.0, "higher", True), (1.9, "higher", False), (2.0, "lower", True), (2.1, "lower", False)],
)
def test_the_target_itself_is_met(value: float, better: str, met: bool) -> None:
    row = value_row("r", "what", [value], target=2.0, better="higher" if better == "higher" else "lower")
    assert row.met is met


def test_a_single_run_and_zeros_have_no_spread() -> None:
    assert spread([3.0]) == spread([0.0, 0.0]) == 0.0
