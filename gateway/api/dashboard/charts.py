"""The dashboard's pictures as plain numbers: where each bar of an SVG stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.catalog import usd_text

WIDTH, HEIGHT = 720.0, 180.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One time bucket: `spent` beside `baseline`, each `width` wide, as heights from the bottom; USD in the label."""

    x: float
    width: float
    spent: float
    baseline: float
    label: str


@dataclass(frozen=True, slots=True)
class Share:
    """One row of a horizontal chart; `part` is 0 to 1 of the whole."""

    name: str
    count: int
    part: float
    note: str


def cost_bars(timeline: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """A bar for each bucket, scaled to the highest cost."""
    top = max((max(row["total_cost"], row["total_baseline_cost"]) for row in timeline), default=0.0) or 1.0
    step = WIDTH / max(len(timeline), 12)
    return [
        Bar(
            x=round(index * step, 2),
            width=round(step * 0.4, 2),
            spent=round(HEIGHT * row["total_cost"] / top, 2),
            baseline=round(HEIGHT * row["total_baseline_cost"] / top, 2),
            label=f"{row['bucket']}: spent {usd(row['total_cost'])}, baseline {usd(row['total_baseline_cost'])}, saved {usd(row['total_savings'])}",
        )
        for index, row in enumerate(timeline)
    ]


def shares(counts: Mapping[str, tuple[int, str]]) -> list[Share]:
    """Largest first; `counts` maps a name to how many and a note."""
    total = sum(count for count, _ in counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
    return [Share(name, count, count / total, note) for name, (count, note) in ordered]


def usd(amount: float | None) -> str:
    """USD for people: cents where there are any, else as many digits as it takes."""
    if amount is None:
        return "unknown"
    if amount == 0 or abs(amount) >= 0.01:
        return f"${amount:,.2f}" if amount >= 0 else f"-${-amount:,.2f}"
    return usd_text(amount)
