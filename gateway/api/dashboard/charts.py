"""Positions in the pages' charts, which the templates draw as SVG. Pure: figures in, figures out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.api.dashboard.figures import usd

WIDTH, HEIGHT = 720.0, 180.0
BROADEST = WIDTH / 30  # a bar, where there are few buckets


class CostBar(NamedTuple):
    """One bucket of time: `spent` beside `baseline` as heights from the bottom, each `width` wide; USD in the label."""

    x: float
    width: float
    spent: float
    baseline: float
    label: str


class CostChart(NamedTuple):
    """`top` is the USD of the highest bar; `first` and `last` are the names of the buckets at the ends."""

    bars: Sequence[CostBar]
    top: float
    first: str
    last: str


class Band(NamedTuple):
    """An interval on a scale of 0 to 100: where it begins, how wide it is, where the estimate and zero lie."""

    x: float
    width: float
    mark: float
    zero: float


class Point(NamedTuple):
    """One model in a plane of cost and quality; `answered` is true where requests were routed to it."""

    x: float
    y: float
    radius: float
    name: str
    label: str
    answered: bool


class Scatter(NamedTuple):
    points: Sequence[Point]
    costs: tuple[float, float]
    qualities: tuple[float, float]


def cost_chart(rows: Sequence[Mapping[str, Any]], buckets: Sequence[str]) -> CostChart:
    """`rows` have `bucket`, `spent_usd` and `baseline_usd`; `buckets` are all of the period, so that time is to scale."""
    found = {row["bucket"]: row for row in rows}
    top = max((max(row["spent_usd"], row["baseline_usd"]) for row in rows), default=0.0)
    step = WIDTH / max(1, len(buckets))
    width = round(min(step * 0.4, BROADEST), 2)
    bars = []
    for index, bucket in enumerate(buckets):
        row = found.get(bucket)
        if row is None:
            continue
        spent, baseline = row["spent_usd"], row["baseline_usd"]
        scale = HEIGHT / (top or 1.0)
        label = f"{bucket}: spent {usd(spent)}, baseline {usd(baseline)}"
        bars.append(
            CostBar(
                round((index + 0.5) * step - width, 2),
                width,
                round(spent * scale, 2),
                round(baseline * scale, 2),
                label,
            )
        )
    return CostChart(bars, top, buckets[0] if buckets else "", buckets[-1] if buckets else "")


def band(low: float | None, middle: float | None, high: float | None) -> Band | None:
    """Shares (1.0 is all of the baseline) on a scale from 0 to 1, or from -1 where one of them is negative; None where one is unknown."""
    if low is None or middle is None or high is None:
        return None
    start = -1.0 if min(low, middle) < 0 else 0.0

    def at(share: float) -> float:
        return round(100 * (min(1.0, max(start, share)) - start) / (1.0 - start), 1)

    return Band(at(low), max(1.0, round(at(high) - at(low), 1)), at(middle), at(0.0))


def scatter(models: Iterable[Mapping[str, Any]]) -> Scatter | None:
    """`models` have `model`, `cost` (USD of one request, above 0), `quality` (0 to 1) and `requests`. Cost is on a logarithmic scale."""
    known = [model for model in models if model["cost"] and model["cost"] > 0 and model["quality"] is not None]
    if not known:
        return None
    costs = _ends([math.log10(model["cost"]) for model in known])
    qualities = _ends([model["quality"] for model in known])
    most = max(model["requests"] for model in known) or 1
    points = [
        Point(
            x=_on(math.log10(model["cost"]), costs, WIDTH),
            y=round(HEIGHT - _on(model["quality"], qualities, HEIGHT), 1),
            radius=round(4 + 10 * math.sqrt(model["requests"] / most), 1),
            name=model["model"],
            label=f"{model['model']}: quality {model['quality']:.2f}, {usd(model['cost'])} a request, {model['requests']} requests",
            answered=model["requests"] > 0,
        )
        for model in known
    ]
    return Scatter(sorted(points, key=_by_radius), (10 ** costs[0], 10 ** costs[1]), qualities)


def _by_radius(point: Point) -> float:
    return -point.radius


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis, with some space around the values."""
    low, high = min(values), max(values)
    space = (high - low) * 0.1 or 0.1
    return low - space, high + space


def _on(value: float, ends: tuple[float, float], length: float) -> float:
    return round(length * (value - ends[0]) / (ends[1] - ends[0]), 1)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile (share 0 to 1) of ascending values; None without any."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else None


def largest(rows: Iterable[Mapping[str, Any]], size: Callable[[Mapping[str, Any]], float]) -> list[dict[str, Any]]:
    """The rows with their `part` (0 to 1) of the total of `size`, largest first."""
    rows = list(rows)
    total = sum(size(row) for row in rows) or 1.0
    return sorted(({**row, "part": size(row) / total} for row in rows), key=lambda row: -float(row["part"]))
