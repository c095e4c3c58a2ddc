"""The picture of growth: how long each question takes while sessions and events become a thousand times as many."""

import re
from collections.abc import Sequence
from html import escape

from bench.rows import Row
from bench.table_chart import FAINT, STYLE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 340, 60, 210, 50, 50
COLOURS = ("#2f7d5b", "#2563a8", "#b4532a", "#7b4fa3")
_FIGURES = re.compile(r"[\d.]+")


def _series(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Each question's times by size; a row of growth says them in its note."""
    growth = [row for row in rows if row.id.startswith("growth_")]
    return {row.what.partition(",")[0]: _numbers(row.note) for row in growth}


def _numbers(note: str) -> list[float]:
    return [float(number) for number in _FIGURES.findall(note)]


def draw_growth(rows: Sequence[Row]) -> str:
    """The picture as SVG; a flat line is what is wanted."""
    series = _series(rows)
    longest = max((max(values) for values in series.values()), default=1.0)
    steps = max((len(values) for values in series.values()), default=1)

    def x(step: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / max(steps - 1, 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / (1.15 * longest)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Milliseconds of each question as sessions and events grow">',
        f"<style>{STYLE}</style>",
        '<text x="12" y="26" class="title">ms of each question, median, from few to many sessions and events</text>',
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="{FAINT}"/>',
    ]
    for tick in (0.0, 0.5, 1.0):
        value = tick * longest
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" class="faint">{value:.1f}</text>')
    sizes = _sizes(rows)
    for step, size in enumerate(sizes[:steps]):
        for line, part in enumerate(size.split(", ")):
            place = f'x="{x(step):.1f}" y="{HEIGHT - 30 + 16 * line}" text-anchor="{_anchor(step, steps)}"'
            parts.append(f'<text {place} class="faint">{escape(part)}</text>')
    # Labels stand apart even where lines end together.
    ends = sorted(series.items(), key=lambda item: -item[1][-1])
    label_y = 0.0
    for number, (name, values) in enumerate(ends):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        label_y = max(label_y + 18, y(values[-1]) + 4)
        text = f"{name}, {values[-1]:.2f} ms"
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label_y:.1f}" style="fill:{colour}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _anchor(step: int, steps: int) -> str:
    return "start" if step == 0 else "end" if step == steps - 1 else "middle"


def _sizes(rows: Sequence[Row]) -> list[str]:
    growth = next((row for row in rows if row.id == "memory_event"), None)
    return growth.note.split("; ") if growth is not None else []
