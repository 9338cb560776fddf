"""`gateway report`: totals of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import orjson

from gateway.catalog import plain_numbers, usd_text
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.terminal import echo
from gateway.store.opening import ledger_name

COUNT, USD, PERCENT, SHARE, SECONDS = "{}", "$", "{:.1f} %", "{:.1%} of the baseline", "{:.2f} s"
# The lines of the text, with how each figure is written; --json has every figure.
SHOWN: Mapping[str, str] = {
    "total_requests": COUNT,
    "open_requests": COUNT,
    "total_cost": USD,
    "total_baseline_cost": USD,
    "total_savings": USD,
    "saved_share": SHARE,
    "auto_routed_count": COUNT,
    "experimental_count": COUNT,
    "fallback_count": COUNT,
    "error_count": COUNT,
    "cancelled_count": COUNT,
    "estimated_count": COUNT,
    "unpriced_requests": COUNT,
    "prompt_tokens": COUNT,
    "completion_tokens": COUNT,
    "cached_tokens": COUNT,
    "feedback_count": COUNT,
    "avg_quality": "{:.2f}",
    "avg_duration": SECONDS,
}

SHADOWED: Mapping[str, str] = {
    "shadow_requests": COUNT,
    "same_choice": COUNT,
    "total_cost": USD,
    "total_shadow_cost": USD,
    "total_would_save": USD,
    "would_save_pct": PERCENT,
    "unpriced_requests": COUNT,
}


@click.command()
@click.option(
    "--days", type=click.FloatRange(0, 3660, min_open=True), default=30, show_default=True, help="How far back."
)
@READ_DB
@click.option("--json", "as_json", is_flag=True, help="The whole summary as JSON.")
@click.option("--shadow", is_flag=True, help="What `auto` would have cost in shadow mode.")
def report(days: float, db: str | None, as_json: bool, shadow: bool) -> None:
    """Sum up spending, baseline and savings."""
    path = ledger_to_read(db)
    name = ledger_name(path)
    with reading(path) as store:
        if shadow:
            print_shadow(store.shadow(days=days), path=name, as_json=as_json)
            return
        summary, patterns = store.summary(days=days), store.patterns(days=days)
    if as_json:
        echo(orjson.dumps(plain_numbers({**summary, "patterns": patterns}), option=orjson.OPT_INDENT_2).decode())
        return
    echo(f"Last {days:g} days of {name}")
    for name, unit in SHOWN.items():
        echo(f"  {name:<24} {_with_unit(summary[name], unit)}")
    for row in summary["by_model"]:
        name = f"{row['provider']}/{row['model']}"
        echo(f"  {name:<48} {row['total_requests']:>8}  {_with_unit(row['total_cost'], USD)}")
    for row in patterns:
        saved = _with_unit(row["avg_savings"], USD)
        echo(f"  {row['pattern'] or '-':<16} {row['model']:<36} {row['count']:>6}  avg saved {saved}")


def print_shadow(shadow: Mapping[str, Any], *, path: str, as_json: bool) -> None:
    """What shadow mode recorded."""
    if as_json:
        echo(orjson.dumps(plain_numbers(shadow), option=orjson.OPT_INDENT_2).decode())
        return
    echo(f"Last {shadow['days']:g} days of {path}, requests in shadow mode")
    for name, unit in SHADOWED.items():
        echo(f"  {name:<24} {_with_unit(shadow[name], unit)}")
    for row in shadow["by_model"]:
        name = f"{row['provider']}/{row['model']}"
        saved = _with_unit(row["total_would_save"], USD)
        echo(f"  {name:<48} {row['shadow_requests']:>8}  would save {saved}")


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return "unknown"
    return usd_text(value) if unit == USD else unit.format(value)
