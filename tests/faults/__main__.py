"""`python -m tests.faults`: injects faults under load, and prints what was lost, repeated or out of order.

The seed that it prints, given again, makes the same schedule.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.faults.catalogue import FAULTS, SECONDS_VARIABLE, SHORT, SHORT_SECONDS
from tests.faults.run import Result, run_in_turn
from tests.faults.system import Layout, NotPossibleHere
from tests.faults.table import table


def main() -> None:
    """Runs what was asked for. Ends with status 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of an earlier run, to repeat it")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(FAULTS), help=", ".join(FAULTS))
    parser.add_argument(
        "--seconds", type=float, default=float(os.environ.get(SECONDS_VARIABLE) or SHORT_SECONDS),
        help=f"how long each fault is repeated; without it, {SECONDS_VARIABLE}, else %(default)g",
    )  # fmt: skip
    parser.add_argument("--short", action="store_true", help=f"a selection, each once: {', '.join(SHORT)}")
    options = parser.parse_args()
    names = options.only or (SHORT if options.short else list(FAULTS))
    groups = _by_layout(names) if options.short else [[name] for name in names]
    seconds = 0.0 if options.short else options.seconds
    # As Ctrl-C does: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"seed {options.seed}", flush=True)
    results = [result for group in groups for result in _run(group, options.seed, seconds)]
    print(table(results))
    print(f"seed {options.seed}")
    sys.exit(0 if results and all(result.verdict.good for result in results) else 1)


def _by_layout(names: Iterable[str]) -> list[list[str]]:
    """Faults that can be had on one system, together: to start it takes as long as a fault."""
    groups: dict[Layout, list[str]] = {}
    for name in names:
        groups.setdefault(FAULTS[name].layout, []).append(name)
    return list(groups.values())


def _run(names: Sequence[str], seed: int, seconds: float) -> list[Result]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        try:
            return asyncio.run(run_in_turn([FAULTS[name] for name in names], seed, seconds, Path(folder), _say))
        except NotPossibleHere as error:
            print(f"{', '.join(names)}: left out: {error}", file=sys.stderr)
            return []
        finally:
            print(f"{', '.join(names)} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _say(name: str) -> None:
    print(f"{name} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
