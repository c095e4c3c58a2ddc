"""The results as one table."""

from collections.abc import Iterable

from tests.faults.run import Result

HEADINGS = ("fault", "times", "load", "acknowledged", "lost", "repeated", "out of order", "time to heal", "as promised")


def table(results: Iterable[Result]) -> str:
    """A line for each fault, aligned, and its notes below."""
    lines = [HEADINGS]
    notes: list[list[str]] = [[]]
    for result in results:
        verdict, heal = result.verdict, result.heal_seconds
        lost = f"{verdict.lost} (documented)" if verdict.excused else str(verdict.lost)
        lines.append((
            result.fault.title, str(len(heal)), f"{result.operations:,}", f"{result.acknowledged:,}",
            lost, str(verdict.repeated), str(verdict.out_of_order),
            f"{max(heal):.1f} s" if heal else "never", "yes" if verdict.good else "NO",
        ))  # fmt: skip
        notes.append([*result.notes, *([] if verdict.good else verdict.explain().splitlines())])
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    told = []
    for line, below in zip(lines, notes, strict=True):
        cells = [
            cell.ljust(width) if column in (0, len(line) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        told.append("  ".join(cells).rstrip())
        told += [f"  {note}" for note in below]
    return "\n".join(told)
