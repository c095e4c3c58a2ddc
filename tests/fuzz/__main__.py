"""`python -m tests.fuzz`: every parser under a coverage-guided fuzzer; prints executions and findings.

What was reached is kept in build/fuzz, and is where the next run begins. A finding stays there as a file, and belongs
into the harness's seeds.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.catalogue import HARNESSES
from tests.processes import REPOSITORY

SECONDS_VARIABLE = "AGENT_ORCHESTRATOR_FUZZ_SECONDS"
SHORT_SECONDS = 10
FOLDER = REPOSITORY / "build" / "fuzz"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one harness. found: files with the inputs that broke it."""

    name: str
    executions: int
    found: tuple[Path, ...]
    log: Path
    failed: bool


def main() -> None:
    """Runs what was asked for. Ends with status 1 for a finding, and with 2 where there is no fuzzer."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(HARNESSES), help=", ".join(HARNESSES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument(
        "--seconds", type=int, default=int(os.environ.get(SECONDS_VARIABLE) or SHORT_SECONDS),
        help=f"for each; without it, {SECONDS_VARIABLE}, else %(default)s",
    )  # fmt: skip
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: make fuzz does that, on CPython 3.11 to 3.13 on x86-64 Linux", file=sys.stderr)
        sys.exit(2)
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda name: run(name, options.seconds), options.only or HARNESSES))
    width = max(len(result.name) for result in results)
    for result in results:
        told = (
            "nothing"
            if not result.failed
            else f"{', '.join(map(str, result.found)) or 'it broke off'}; see {result.log}"
        )
        print(f"{result.name.ljust(width)}  {result.executions:>12,} executions  found {told}")
        if result.failed:
            print(f"{' ' * width}  !! {HARNESSES[result.name].invariant}")
    print(f"{sum(result.executions for result in results):,} executions, {sum(r.failed for r in results)} findings")
    sys.exit(1 if any(result.failed for result in results) else 0)


def run(name: str, seconds: int) -> Result:
    """One harness, until the time is over or something is found."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    before = set(_inputs(folder))
    log = folder / "log"
    with log.open("wb") as output:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.one", name, str(folder), str(seconds)],
            stdout=output, stderr=subprocess.STDOUT, cwd=REPOSITORY,
        )  # fmt: skip
    executed = re.findall(rb"number_of_executed_units:\s*(\d+)", log.read_bytes())
    found = tuple(sorted(set(_inputs(folder)) - before))
    failed = ended.returncode != 0 or not executed
    print(f"{name}: {'found something' if failed else 'nothing found'}", file=sys.stderr, flush=True)
    return Result(name, int(executed[-1]) if executed else 0, found, log, failed)


def _inputs(folder: Path) -> list[Path]:
    return [path for kind in ("crash", "timeout", "oom", "leak", "slow-unit") for path in folder.glob(f"{kind}-*")]


if __name__ == "__main__":
    main()
