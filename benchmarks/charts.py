"""Line charts as SVG, one panel above the other, without a drawing library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, PANEL_HEIGHT, LEFT, RIGHT, TOP, GAP = 860, 260, 70, 200, 40, 60
COLOURS = ("#0b6e4f", "#c0392b", "#8e6c00", "#5b5b5b", "#2c5aa0", "#7b3f98")


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines by name, each a value for each step; `log` scales the values by their logarithm."""

    title: str
    lines: Mapping[str, Sequence[float]]
    ticks: Sequence[float]
    label: Callable[[float], str] = field(default=lambda value: f"{value:g}")
    log: bool = False

    def height(self, value: float) -> float:
        """Where a value stands between the lowest tick (0) and the highest (1)."""
        low, high, at = (math.log(each) if self.log else each for each in (self.ticks[0], self.ticks[-1], value))
        return min(1.0, max(0.0, (at - low) / (high - low)))


def svg(panels: Sequence[Panel], *, steps: Sequence[float], caption: str) -> str:
    """The panels over the same steps; `caption` stands below."""
    height = TOP + len(panels) * (PANEL_HEIGHT + GAP) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(caption)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, steps=steps, top=TOP + number * (PANEL_HEIGHT + GAP))
    parts.append(f'<text x="{LEFT}" y="{height - 14}" fill="#444444">{escape(caption)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, *, steps: Sequence[float], top: float) -> list[str]:
    right, bottom = WIDTH - RIGHT, top + PANEL_HEIGHT

    def x(step: float) -> float:
        return LEFT + (right - LEFT) * (step - steps[0]) / (steps[-1] - steps[0])

    def y(value: float) -> float:
        return bottom - PANEL_HEIGHT * panel.height(value)

    parts = [f'<text x="{LEFT}" y="{top - 12}" font-size="14" font-weight="bold">{escape(panel.title)}</text>']
    for tick in panel.ticks:
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{escape(panel.label(tick))}</text>')
    parts += [
        f'<text x="{x(step):.1f}" y="{bottom + 18}" text-anchor="middle">{step:.0f}</text>'
        for step in (steps[0], *(steps[-1] * part / 4 for part in (1, 2, 3)), steps[-1])
    ]
    ends: list[float] = []
    for (name, values), colour in zip(panel.lines.items(), COLOURS, strict=False):
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in zip(steps, values, strict=True))
        width = 3 if colour == COLOURS[0] else 1.5
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        end = _free(y(values[-1]) + 4, ends)
        ends.append(end)
        parts.append(f'<text x="{right + 8}" y="{end:.1f}" fill="{colour}">{escape(name)}</text>')
    return parts


def _free(wanted: float, taken: Sequence[float]) -> float:
    """The nearest height at which a label does not lie over another."""
    offsets = (sign * step for step in range(0, 200, 2) for sign in (1, -1))
    return next(wanted + offset for offset in offsets if all(abs(wanted + offset - other) >= 14 for other in taken))
