"""Charts as SVG text, drawn by hand: bars against their limits, and lines over a logarithmic scale. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 760
LEFT = 300
FONT = "font-family='system-ui, sans-serif' font-size='12'"
COLOURS = ("#3366cc", "#888888", "#dc7633", "#7d3c98", "#229954")


def _frame(height: float, title: str, parts: Sequence[str]) -> str:
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' role='img' {FONT}>"
    ground = f"<rect width='{WIDTH}' height='{height:.0f}' fill='white'/>"
    words = f"<text x='10' y='20' font-weight='bold'>{escape(title)}</text>"
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, words, *parts, "</svg>", ""])


def bars(title: str, rows: Sequence[tuple[str, float, float, float]]) -> str:
    """One bar per (label, value, must, goal), each drawn as a part of its must: the line at 100 % is the limit.

    For rows where less is better; the goal is a tick of its own.
    """
    parts = []
    scale = (WIDTH - LEFT - 90) / 1.5
    for number, (label, value, must, goal) in enumerate(rows):
        y = 40 + number * 26
        part = min(value / must, 1.5)
        tick = LEFT + goal / must * scale
        colour = "#229954" if value <= goal else "#3366cc" if value <= must else "#c0392b"
        parts += [
            f"<text x='{LEFT - 8}' y='{y + 13}' text-anchor='end'>{escape(label)}</text>",
            f"<rect x='{LEFT}' y='{y}' width='{max(part * scale, 1):.1f}' height='18' fill='{colour}'/>",
            f"<line x1='{tick:.1f}' x2='{tick:.1f}' y1='{y - 3}' y2='{y + 21}' stroke='black' stroke-dasharray='3 2'/>",
            f"<text x='{LEFT + max(part * scale, 1) + 6:.1f}' y='{y + 13}'>{value:.3g}x</text>",
        ]
    bottom = 40 + len(rows) * 26
    parts += [
        f"<line x1='{LEFT + scale:.1f}' x2='{LEFT + scale:.1f}' y1='34' y2='{bottom}' stroke='#c0392b'/>",
        f"<text x='{LEFT + scale:.1f}' y='{bottom + 14}' text-anchor='middle' fill='#c0392b'>must</text>",
        f"<text x='{LEFT}' y='{bottom + 14}'>dashed: goal</text>",
    ]
    return _frame(bottom + 24, title, parts)


def lines(title: str, xs: Sequence[float], series: Mapping[str, Sequence[float | None]], unit: str) -> str:
    """Points over `xs`, joined, on a logarithmic scale of `unit`; None and zero are left out."""
    values = [value for row in series.values() for value in row if value]
    if not values:
        return _frame(60, title, ["<text x='10' y='44'>nothing was measured</text>"])
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    left, top, width, height = 70, 40, WIDTH - 230, 220

    def across(number: int) -> float:
        return left + width * number / max(1, len(xs) - 1)

    def down(value: float) -> float:
        return top + height * (high - math.log10(value)) / (high - low)

    parts = []
    for power in range(low, high + 1):
        y = down(10.0**power)
        parts.append(f"<line x1='{left}' x2='{left + width}' y1='{y:.1f}' y2='{y:.1f}' stroke='#dddddd'/>")
        parts.append(f"<text x='{left - 6}' y='{y + 4:.1f}' text-anchor='end'>{10.0**power:g} {escape(unit)}</text>")
    for number, x in enumerate(xs):
        parts.append(f"<text x='{across(number):.1f}' y='{top + height + 18}' text-anchor='middle'>{x:,.0f}</text>")
    for (name, row), colour in zip(series.items(), COLOURS, strict=False):
        points = [(across(number), down(value)) for number, value in enumerate(row) if value]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>" for x, y in points]
        if points:
            x, y = points[-1]
            parts.append(f"<text x='{x + 8:.1f}' y='{y + 4:.1f}' fill='{colour}'>{escape(name)}</text>")
    return _frame(top + height + 30, title, parts)
