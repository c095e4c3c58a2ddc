"""Each fault once, with zeros wherever zeros are promised. `make faults` repeats them and prints the figures."""

import os
import random
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, SECONDS_VARIABLE
from tests.faults.run import run
from tests.faults.system import NotPossibleHere
from tests.faults.table import table

SECONDS = float(os.environ.get(SECONDS_VARIABLE) or 0)


@pytest.mark.faults
@pytest.mark.parametrize("name", FAULTS)
async def test_nothing_is_lost_repeated_or_out_of_order_under(name: str, tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    try:
        result = await run(FAULTS[name], seed, SECONDS, tmp_path)
    except NotPossibleHere as error:
        pytest.skip(str(error))
    told = f"python -m tests.faults --seed {seed} --only {name}\n{table([result])}"
    print(told)
    assert result.verdict.good, told
    assert result.heal_seconds, told
