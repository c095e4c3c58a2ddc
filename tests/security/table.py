"""The results as one table."""

import textwrap
from collections.abc import Mapping

from tests.security.attacks import Attack, Tries

HEADINGS = ("attack", "tried", "refused with", "control", "held")
WIDTH = 44


def table(results: Mapping[str, tuple[Attack, Tries]]) -> str:
    """Lines for each attack, aligned; below an attack that got through, what did."""
    rows: list[tuple[list[list[str]], list[str]]] = [([[heading] for heading in HEADINGS], [])]
    for name, (attack, tries) in results.items():
        ways = ", ".join(f"{how} ×{count}" if count > 1 else how for how, count in tries.refused.most_common())
        cells = [
            textwrap.wrap(f"{name}: {attack.title}", WIDTH),
            [str(tries.refused.total() + len(tries.through))],
            textwrap.wrap(ways, WIDTH) or ["nothing"],
            textwrap.wrap("; ".join(tries.controls), WIDTH) or ["none"],
            ["yes" if tries.good else "NO"],
        ]
        rows.append((cells, [] if tries.good else tries.explain().splitlines()))
    widths = [max(len(line) for cells, _ in rows for line in cells[column]) for column in range(len(HEADINGS))]
    told = []
    for cells, below in rows:
        for at in range(max(map(len, cells))):
            line = (cell[at] if at < len(cell) else "" for cell in cells)
            told.append("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
        told += [f"  !! {text}" for text in below]
    return "\n".join(told)
