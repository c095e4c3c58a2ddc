"""`python -m tests.security`: attacks the real system, and prints what was tried and how it was refused."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.security.attacks import Attack, Tries
from tests.security.catalogue import ATTACKS
from tests.security.system import System
from tests.security.table import table


def main() -> None:
    """Runs what was asked for. Ends with status 1 if anything got through."""
    parser = argparse.ArgumentParser(prog="python -m tests.security", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(ATTACKS), help=", ".join(ATTACKS))
    options = parser.parse_args()
    # As Ctrl-C does: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    results: dict[str, tuple[Attack, Tries]] = {}
    with tempfile.TemporaryDirectory(prefix="security-", ignore_cleanup_errors=True) as folder:
        with System(Path(folder)) as system:
            for name in options.only or ATTACKS:
                began = time.monotonic()
                tries = run(ATTACKS[name], system)
                results[name] = ATTACKS[name], tries
                print(f"{name} took {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        leaks = list(system.leaks())
    print(table(results))
    for leak in leaks:
        print(f"!! {leak}")
    held = sum(tries.good for _, tries in results.values())
    tried = sum(tries.refused.total() + len(tries.through) for _, tries in results.values())
    print(f"{held} of {len(results)} attacks held, {tried:,} tries")
    sys.exit(0 if held == len(results) and not leaks else 1)


def run(attack: Attack, system: System) -> Tries:
    """What came of an attack; one that broke off got through."""
    tries = Tries()
    try:
        attack.run(system, tries)
    except Exception as error:  # noqa: BLE001 - told in the table, and the others go on
        tries.through.append(f"broke off: {error!r}")
    return tries


if __name__ == "__main__":
    main()
