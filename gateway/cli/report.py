"""`gateway report`: what the ledger adds up to."""

from __future__ import annotations

import os
from pathlib import Path

import click
import orjson

from gateway.cli.serve import settings_or_exit
from gateway.errors import GatewayError
from gateway.store.sqlite import SqliteStore


@click.command()
@click.option(
    "--days", type=click.FloatRange(0, 3660, min_open=True), default=30, show_default=True, help="How far back."
)
@click.option("--db", help="The ledger. [GATEWAY_DB; default: gateway.db]")
@click.option("--json", "as_json", is_flag=True, help="The whole summary as JSON.")
def report(days: float, db: str | None, as_json: bool) -> None:
    """Sum up spending, baseline and savings."""
    path = db or settings_or_exit(os.environ).db
    if not Path(path).exists():
        raise click.ClickException(f"There is no ledger at {path}. Name one with --db or GATEWAY_DB.")
    try:
        store = SqliteStore(path)
        summary = store.summary(days=days)
        patterns = store.patterns(days=days)
        store.close()
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    if as_json:
        click.echo(orjson.dumps({**summary, "patterns": patterns}, option=orjson.OPT_INDENT_2).decode())
        return
    click.echo(f"Last {days:g} days, {path}")
    for name, value in summary.items():
        if isinstance(value, int | float) or value is None:
            click.echo(f"  {name:<24} {_shown(name, value)}")
    for row in patterns:
        click.echo(
            f"  {row['pattern'] or '-':<16} {row['model']:<36} {row['count']:>6}  avg saved {_shown('savings', row['avg_savings'])}"
        )


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if name.endswith("pct"):
        return f"{value:.1f} %"
    return f"${value:.6f}" if isinstance(value, float) else str(value)
