"""The picture of a soak: each process's memory over time."""

from html import escape

from bench.table_chart import FAINT, STYLE
from tests.soak.run import Soaked
from tests.soak.samples import Series

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 380, 60, 190, 64, 40
COLOURS = ("#2f7d5b", "#5aa684", "#2563a8", "#b4532a", "#d18a5f", "#7b4fa3", "#c2255c", "#e8799f")
POINTS = 400


def draw(soaked: Soaked) -> str:
    """As SVG. A line stays below the limit that the table states."""
    series = list(soaked.series.values())
    highest = 1.1 * max(one.peak("memory") for one in series)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / max(soaked.seconds, 1)

    def y(memory: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * memory / highest

    load = f"{soaked.acknowledged:,} acknowledged requests in {soaked.seconds / 60:.0f} minutes"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Memory of each process over time">',
        f"<style>{STYLE}</style>",
        '<text x="12" y="26" class="title">resident memory of each process, MiB</text>',
        f'<text x="12" y="46" class="faint">{load}, {soaked.spells} floods and slow spells among them</text>',
    ]
    step = next(step for step in (10, 20, 50, 100, 200, 500, 1000) if highest / step <= 6)
    parts += [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="{FAINT}" '
        f'stroke-opacity="0.4"/>'
        f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" class="faint">{tick}</text>'
        for tick in range(0, int(highest) + 1, step)
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = share * soaked.seconds
        parts.append(
            f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" class="faint">'
            f"{at / 60:.0f} min</text>"
        )
    label_y = 0.0
    for number, one in sorted(enumerate(series), key=lambda item: -item[1].samples[-1].memory):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(at):.1f},{y(memory):.1f}" for at, memory in _thinned(one))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        # Labels stand apart even where lines end together.
        label_y = max(label_y + 18, y(one.samples[-1].memory) + 4)
        text = f"{one.name}, {one.samples[-1].memory:.0f}"
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label_y:.1f}" style="fill:{colour}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _thinned(series: Series) -> list[tuple[float, float]]:
    """Few enough points for a picture; of each stretch the highest, so that no peak is hidden."""
    stretch = max(1, len(series.samples) // POINTS)
    parts = [series.samples[at : at + stretch] for at in range(0, len(series.samples), stretch)]
    return [(part[0].at, max(sample.memory for sample in part)) for part in parts]
