"""`python -m bench`: runs the benchmarks, prints one table, and writes it with its pictures.

A benchmark whose run was wrong, or whose peer can't be started here, has no row; a line says why.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench import documents, fanout, growth, ingest, reliability, replicas, starting, stop
from bench.growth_chart import draw_growth
from bench.machine import describe
from bench.report import Report, moved, put_table, table
from bench.rows import FULL, QUICK, Effort, Incorrect, Row
from bench.table_chart import draw_table
from tests.processes import REPOSITORY

RESULTS = REPOSITORY / "bench" / "results" / "latest.json"
DOCUMENT = REPOSITORY / "docs" / "performance.md"
PICTURE = REPOSITORY / "docs" / "performance.svg"
GROWTH_PICTURE = REPOSITORY / "docs" / "growth.svg"

Benchmark = Callable[[Effort, Path], Iterable[Row]]

# In the order of the table.
BENCHMARKS: dict[str, Benchmark] = {
    "fanout": fanout.saturated,
    "latency": fanout.slow,
    "idle": fanout.idle,
    "kept": reliability.kept,
    "stalled": reliability.stalled,
    "ingest": ingest.http,
    "bridge": ingest.bridge,
    "stop": stop.stop,
    "documents": documents.documents,
    "growth": growth.growth,
    "replicas": replicas.replicas,
    "start": starting.starting,
}


def _run(names: Iterable[str], effort: Effort) -> Iterator[Row]:
    for name in names:
        began = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            try:
                yield from BENCHMARKS[name](effort, Path(folder))
            except Incorrect as error:
                print(f"{name}: no figure: {error}", file=sys.stderr)
            except Exception:  # noqa: BLE001 - a benchmark that breaks is not to cost the others their figures
                print(f"{name}: no figure, it broke:", file=sys.stderr)
                traceback.print_exc()
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    """Runs what was asked for. Ends with status 1 if no benchmark gave a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs and smaller sizes")
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), help="these benchmarks; nothing is written")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go, as JSON")
    options = parser.parse_args()
    # As Ctrl-C does: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    committed = Report.read(RESULTS)
    report = Report(describe(), list(_run(options.only or BENCHMARKS, QUICK if options.quick else FULL)))
    if not report.rows:
        sys.exit("no benchmark gave a figure")
    print(table(report.rows))
    if committed is not None:
        for line in moved(committed.rows, report.rows):
            print(line)
    if options.only:
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(report.as_json(), "utf-8")
    print(f"written to {options.out}")
    if not options.quick:
        PICTURE.write_text(draw_table(report.rows), "utf-8")
        GROWTH_PICTURE.write_text(draw_growth(report.rows), "utf-8")
        DOCUMENT.write_text(put_table(DOCUMENT.read_text("utf-8"), report.rows), "utf-8")
        print(f"drawn in {PICTURE} and {GROWTH_PICTURE}, and put into {DOCUMENT}")


if __name__ == "__main__":
    main()
