"""The figures of one run: as JSON, as a table, and against those of another run."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from bench.rows import Row

# Machines are noisy: less than this share is not worth a line.
NOTICEABLE = 0.2
TABLE_BEGINS, TABLE_ENDS = "<!-- table -->", "<!-- end of table -->"
HEADINGS = ("id", "what", "ours", "theirs", "value", "target", "met", "spread")


@dataclass(frozen=True, slots=True)
class Report:
    """The rows, and the machine that they were measured on."""

    machine: dict[str, object]
    rows: list[Row]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The report in a file; None if there is none. Fields that this version does not know are left alone."""
        if not path.is_file():
            return None
        known = {field.name for field in fields(Row)}
        found = json.loads(path.read_text("utf-8"))
        rows = [Row(**{name: value for name, value in row.items() if name in known}) for row in found["rows"]]
        return cls(found["machine"], rows)

    def as_json(self) -> str:
        """The report as it is kept."""
        rows = [{name: _rounded(value) for name, value in asdict(row).items()} for row in self.rows]
        return json.dumps({"machine": self.machine, "rows": rows}, indent=2, ensure_ascii=False) + "\n"


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def figure(value: float) -> str:
    """A number with three digits that count, and commas."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def wanted(row: Row) -> str:
    """The target, as it reads."""
    return f"{'≥' if row.better == 'higher' else '≤'} {figure(row.target)}"


def cells(row: Row) -> tuple[str, ...]:
    """A row's texts under the headings."""
    theirs = figure(row.theirs) if row.theirs else ""
    unit = "" if row.unit == "x" else f" {row.unit}"
    return (
        row.id, row.what, figure(row.ours), theirs, f"{figure(row.value)}{unit}", wanted(row),
        "yes" if row.met else "NO", f"{row.spread:.0%}",
    )  # fmt: skip


def table(rows: Iterable[Row]) -> str:
    """All rows, aligned, each with its note below."""
    rows = list(rows)
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    texts = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = ["", *(f"{' ' * widths[0]}  ({row.note})" if row.note else "" for row in rows)]
    return "\n".join(line for pair in zip(texts, notes, strict=True) for line in pair if line)


def markdown(rows: Iterable[Row]) -> str:
    """The table for a document, with the notes as a last column."""
    lines = ["| what | ours | theirs | ratio or value | wanted | met | spread | |", "|---|--:|--:|--:|--:|---|--:|---|"]
    for row in rows:
        _, what, *others = cells(row)
        lines.append(f"| {' | '.join([what, *others, row.note])} |")
    return "\n".join(lines)


def put_table(document: str, rows: Iterable[Row]) -> str:
    """The document with its table replaced: what stands between the two marks."""
    head, _, rest = document.partition(TABLE_BEGINS)
    _, ends, tail = rest.partition(TABLE_ENDS)
    if not ends:
        raise ValueError(f"the document needs the marks {TABLE_BEGINS} and {TABLE_ENDS}")
    return f"{head}{TABLE_BEGINS}\n{markdown(rows)}\n{TABLE_ENDS}{tail}"


def moved(before: Sequence[Row], after: Sequence[Row]) -> Iterator[str]:
    """What changed noticeably since another run. Values are compared, never times: machines differ."""
    old = {row.id: row for row in before}
    for row in after:
        if (was := old.get(row.id)) is None or not was.value or row.unit not in ("x", "messages"):
            continue
        change = row.value / was.value - 1
        if abs(change) > NOTICEABLE:
            better = (change > 0) == (row.better == "higher")
            yield f"{row.id} is {'better' if better else 'WORSE'}: {figure(was.value)} → {figure(row.value)}"
