"""`python -m tests.soak`: lets the whole system work for long, and tells what memory, files and tasks came to."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.soak.curve import draw
from tests.soak.run import soak
from tests.soak.samples import Series, table

SECONDS_VARIABLE = "AGENT_ORCHESTRATOR_SOAK_SECONDS"
TOLD_EVERY_SECONDS = 60.0


def main() -> None:
    """Runs for so long. Ends with status 1 if a limit was passed or a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=float(os.environ.get(SECONDS_VARIABLE) or 60),
        help=f"without it, {SECONDS_VARIABLE}, else %(default)g",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="where the picture goes, as SVG")
    options = parser.parse_args()
    # As Ctrl-C does: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    next_told = TOLD_EVERY_SECONDS

    def told(passed: float, series: Mapping[str, Series]) -> None:
        nonlocal next_told
        if passed >= next_told:
            next_told += TOLD_EVERY_SECONDS
            memory = ", ".join(f"{one.name} {one.samples[-1].memory:.0f}" for one in series.values())
            print(f"{passed:.0f} s, MiB: {memory}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        soaked = asyncio.run(soak(options.seconds, Path(folder), told))
    print(table(soaked.series))
    print(
        f"{soaked.seconds:.0f} s, {soaked.operations:,} requests, {soaked.acknowledged:,} acknowledged; "
        f"{soaked.spells} spells of a slow redis, a flood, or browsers that do not read; {soaked.verdict.lost} lost, "
        f"{soaked.verdict.repeated} repeated, {soaked.verdict.out_of_order} out of order"
    )
    if options.out:
        options.out.write_text(draw(soaked), "utf-8")
    for complaint in soaked.complaints:
        print(complaint)
    sys.exit(1 if soaked.complaints else 0)


if __name__ == "__main__":
    main()
