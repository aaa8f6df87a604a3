#!/usr/bin/python3 -B
"""Draws docs/benchmarks-alloc.svg from the results of bench/alloc/run: time against memory."""
import json
import math
import sys

from figures import BASE, Figures
from table import BLOCK, report

PLOT = report.ROOT / "docs/benchmarks-alloc.svg"
WIDTH, HEIGHT = 760, 520
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 56, 56
# Each readable on white and on black.
COLOURS = ("#d55e00", "#2f7fd0", "#1a9b76", "#b664a8", "#a8842c", "#6c7a89")
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 11px; fill: #6e7781; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #8c959f; stroke-opacity: .25; }
  .base { stroke: #8c959f; stroke-dasharray: 4 3; }
  .halo { stroke: #ffffff; stroke-width: 3; paint-order: stroke; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; } .halo { stroke: #0d1117; }
  }
"""


class Scale:
    """A logarithmic axis from low to high, between two places on the page."""

    def __init__(self, values, begin, end):
        self.low = min(0.5, *values) / 1.1
        self.high = max(1.5, *values) * 1.1
        self.begin, self.end = begin, end

    def __call__(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + part * (self.end - self.begin)

    def ticks(self):
        steps = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30)
        return [step for step in steps if self.low <= step <= self.high]


def axes(x, y):
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for tick in x.ticks():
        kind = "base" if tick == 1 else "grid"
        yield f'<line class="{kind}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}"/>'
        yield f'<text class="small" text-anchor="middle" x="{x(tick):.1f}" y="{bottom + 17}">{tick:g}</text>'
    for tick in y.ticks():
        kind = "base" if tick == 1 else "grid"
        yield f'<line class="{kind}" x1="{LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        yield f'<text class="small" text-anchor="end" x="{LEFT - 7}" y="{y(tick) + 4:.1f}">{tick:g}</text>'
    yield (f'<text text-anchor="middle" x="{(LEFT + right) / 2}" y="{HEIGHT - 14}">'
           "time over glibc (faster to the left)</text>")
    yield (f'<text text-anchor="middle" transform="translate(17 {(TOP + bottom) / 2}) rotate(-90)">'
           "peak RSS over glibc (leaner below)</text>")


def spread(places, height=17):
    """Moves labels apart that would lie on one another: (x, y) each, top to bottom."""
    moved = {}
    for name, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        while any(abs(x - other_x) < 90 and abs(y - other_y) < height for other_x, other_y in moved.values()):
            y += 2
        moved[name] = x, y
    return moved


def marks(figures, dots, means, x, y):
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dots)}
    for name, points in dots.items():
        for row, (time, memory) in points.items():
            yield (f'<circle cx="{x(time):.1f}" cy="{y(memory):.1f}" r="2.6" fill="{colours[name]}" '
                   f'fill-opacity=".45"><title>{name}, {row}: {time:.2f} / {memory:.2f}</title></circle>')
    for name, (time, memory) in means.items():
        yield (f'<circle cx="{x(time):.1f}" cy="{y(memory):.1f}" r="8" fill="{colours[name]}" '
               f'stroke="#ffffff" stroke-width="1.5"/>')
    labels = spread({name: (x(time) + 13, y(memory) + 5) for name, (time, memory) in means.items()})
    for name, (left, top) in labels.items():
        time, memory = means[name]
        yield (f'<text class="halo" x="{left:.1f}" y="{top:.1f}" style="fill:{colours[name]}">'
               f"{name} {time:.2f} / {memory:.2f}</text>")


def render(results):
    figures = Figures(results)
    others = [name for name in figures.allocators if name != BASE]
    dots, means = {}, {}
    for name in others:
        time, memory = (figures.ratios("all", name, key) for key in ("wall_s", "peak_rss_kib"))
        dots[name] = {row: (time[row], memory[row]) for row in time}
        if dots[name]:
            means[name] = (figures.mean("all", name, "wall_s"), figures.mean("all", name, "peak_rss_kib"))
    points = [point for of_one in dots.values() for point in of_one.values()] or [(1, 1)]
    x = Scale([time for time, _ in points], LEFT, WIDTH - RIGHT)
    y = Scale([memory for _, memory in points], HEIGHT - BOTTOM, TOP)
    count = len(figures.rows("all"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="Time and memory of allocators over glibc">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="24">Allocators over glibc: time and peak memory</text>',
        f'<text class="small" x="{LEFT}" y="42">Large: geometric mean of {count} rows. Small: one row. '
        f"Logarithmic. {results['date']}</text>",
        *axes(x, y), *marks(figures, dots, means, x, y), "</svg>"]) + "\n"


if __name__ == "__main__":
    PLOT.write_text(render(json.loads(BLOCK.results.read_text())))
    sys.exit(0)
