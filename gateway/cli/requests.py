"""`gateway requests`: the ledger's rows, one line each, and new ones as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
import orjson

from gateway.api.reports import MAX_ROWS
from gateway.catalog import plain_numbers, usd_text
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.row_filters import chosen_filters, row_filters
from gateway.cli.terminal import echo

POLL_SECONDS = 1.0
Row = Mapping[str, Any]


@click.command()
@click.option("--limit", type=click.IntRange(1, MAX_ROWS), default=20, show_default=True, help="How many rows.")
@row_filters
@click.option("--follow", "-f", is_flag=True, help="Go on with each request that ends, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each row.")
@READ_DB
def requests(limit: int, follow: bool, as_json: bool, db: str | None, **given: Any) -> None:
    """List the newest requests of the ledger, the newest last.

    `gateway explain` tells more about one of them. --follow looks once a second and shows up to 500 requests each time.
    """
    filters, path = chosen_filters(given), ledger_to_read(db)
    rows = _read(path, limit=MAX_ROWS if follow else limit, filters=filters)
    _show(rows[-limit:], as_json=as_json)
    if follow:
        try:
            for ended in following(path, rows, filters=filters):
                _show(ended, as_json=as_json)
        except KeyboardInterrupt:
            return
    elif not rows:
        click.echo(f"The ledger {path} has no such request." if filters else f"The ledger {path} is empty.", err=True)


def following(
    path: str, rows: Sequence[Row], *, filters: Mapping[str, object], sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[Row]]:
    """The rows that have ended since the last look, without end; `rows` are those of the first look.

    Only the newest `MAX_ROWS` are looked at, so what is remembered is bounded.
    """
    known = {row["id"] for row in rows if row["status"] != "open"}
    while True:
        sleep(POLL_SECONDS)
        ended = [row for row in _read(path, limit=MAX_ROWS, filters=filters) if row["status"] != "open"]
        yield [row for row in ended if row["id"] not in known]
        known = {row["id"] for row in ended}


def _read(path: str, *, limit: int, filters: Mapping[str, object]) -> list[Row]:
    """Rows, oldest first. The ledger is opened for each look: a file without a running gateway is read as it was at the opening."""
    with reading(path) as store:
        return list(reversed(store.requests(limit=limit, filters=filters)))


def _show(rows: Sequence[Row], *, as_json: bool) -> None:
    for row in rows:
        echo(orjson.dumps(plain_numbers(row), default=str).decode() if as_json else _line(row))


def _line(row: Row) -> str:
    cost, saved = (
        usd_text(row[name]) if row[name] is not None else "unknown" for name in ("actual_cost", "cost_savings")
    )
    model = f"{row['selected_provider']}/{row['selected_model']}"
    when = (row["timestamp"] or "")[:19]
    error = f" {row['error_code']}" if row["error_code"] else ""
    return (
        f"{when:<19}  {row['status']:<11}  {model:<36}  {cost:>9}  saved {saved:>9}  {row['strategy_used']:<10}  "
        f"{row['request_id']}{error}"
    )
