"""Every harness over its own corpus, damaged in the ways that a fuzzer damages it; `make fuzz` goes on from there."""

import random

import pytest

from tests.fuzz.catalogue import HARNESSES
from tests.fuzz.harness import Harness
from tests.fuzz.mutation import damaged

DAMAGED = 40
"""Of each seed."""


@pytest.mark.parametrize("harness", HARNESSES.values(), ids=lambda harness: harness.name)
def test_what_is_stated_holds_for_the_corpus_and_near_it(harness: Harness) -> None:
    rng = random.Random(harness.name)
    for seed in (b"", *harness.seeds):
        for data in (seed, *(damaged(seed, harness, rng) for _ in range(DAMAGED))):
            try:
                harness.check(data)
            except Exception as error:
                raise AssertionError(f"{harness.invariant}; not for {data[:500]!r}") from error
