"""The picture of the table: for each row how it stands to its target, drawn without any library."""

from collections.abc import Sequence
from html import escape
from math import log10

from bench.report import cells, wanted
from bench.rows import Row

WIDTH, LINE, LABEL, BAR = 940, 26, 510, 250
TOP = 64
# A bar ends at a tenth and at thirty times the target.
LOW, HIGH = -1.0, 1.5
MET, MISSED, INK, FAINT = "#2f7d5b", "#b4532a", "#24292f", "#8b949e"

STYLE = f"""
text {{ font: 13px system-ui, sans-serif; fill: {INK}; }}
.faint {{ fill: {FAINT}; }}
.title {{ font-size: 16px; font-weight: 600; }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3; }} .faint {{ fill: #9198a1; }} }}
"""


def advantage(row: Row) -> float:
    """How many times better than its target a row is; below 1, worse."""
    if row.better == "higher":
        return row.value / row.target if row.target else 1.0
    if row.value <= 0:
        return 10**HIGH
    return row.target / row.value if row.target else 0.1


def _place(times: float) -> float:
    share = (min(max(log10(max(times, 1e-9)), LOW), HIGH) - LOW) / (HIGH - LOW)
    return LABEL + share * BAR


def _line(number: int, row: Row) -> str:
    y = TOP + number * LINE
    middle, end = _place(1.0), _place(advantage(row))
    texts = cells(row)
    label = escape(row.what if len(row.what) <= 74 else f"{row.what[:73]}…")
    return (
        f'<text x="12" y="{y + 17}"><title>{escape(row.what)}</title>{label}</text>'
        f'<rect x="{min(middle, end):.1f}" y="{y + 6}" width="{max(abs(end - middle), 2):.1f}" height="14" rx="2" '
        f'fill="{MET if row.met else MISSED}"/>'
        f'<text x="{LABEL + BAR + 12}" y="{y + 17}">{escape(texts[4])}</text>'
        f'<text x="{WIDTH - 12}" y="{y + 17}" text-anchor="end" class="faint">{escape(wanted(row))}</text>'
    )


def draw_table(rows: Sequence[Row]) -> str:
    """The picture as SVG."""
    height = TOP + len(rows) * LINE + 16
    middle = _place(1.0)
    met = sum(row.met for row in rows)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Benchmarks: {met} of {len(rows)} targets met">',
        f"<style>{STYLE}</style>",
        f'<text x="12" y="26" class="title">{met} of {len(rows)} targets met</text>',
        f'<text x="{middle:.1f}" y="50" text-anchor="middle" class="faint">target</text>',
        f'<text x="{LABEL + BAR}" y="50" text-anchor="end" class="faint">better →</text>',
        f'<text x="{LABEL + BAR + 12}" y="50" class="faint">measured</text>',
        f'<text x="{WIDTH - 12}" y="50" text-anchor="end" class="faint">wanted</text>',
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{TOP - 6}" y2="{height - 12}" stroke="{FAINT}"/>',
        *(_line(number, row) for number, row in enumerate(rows)),
        "</svg>\n",
    ])  # fmt: skip
