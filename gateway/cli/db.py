"""`gateway db`: work on whole ledgers."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson

from gateway.catalog import usd_text
from gateway.cli.terminal import echo
from gateway.errors import GatewayError
from gateway.store.copying import LedgerCopy
from gateway.store.lost_keys import LostKeys
from gateway.store.opening import ledger_name
from gateway.store.postgres.address import is_postgres

NANO = 10**9


@click.group()
def db() -> None:
    """Copy a ledger from SQLite to PostgreSQL, or back."""


@db.command()
@click.argument("source")
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="The copied tables as JSON.")
def copy(source: str, target: str, as_json: bool) -> None:
    """Copy the ledger SOURCE into TARGET: each a file or a postgresql:// URL.

    TARGET is created, or is a copy that was interrupted and is continued. Rows, keys, budgets, sums and what was learned are copied
    and afterwards counted and summed on both sides. Stop the gateways on SOURCE first: a request that ends later is not in TARGET.
    """
    if not is_postgres(source) and not Path(source).exists():
        raise click.ClickException(f"There is no ledger at {source}.")
    _refuse_same(source, target)
    _refuse_lost_keys(source)
    ledgers = LedgerCopy(source, target)
    label = f"{ledger_name(source)} -> {ledger_name(target)}"
    try:
        with click.progressbar(length=ledgers.count(), label=label, file=sys.stderr) as bar:
            tables = ledgers.run(bar.update)
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    if as_json:
        rows = [{"table": each.name, "rows": each.rows, "spent_usd": each.spent_nano / NANO} for each in tables]
        echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    echo(f"{label}: counts and sums are equal")
    for each in tables:
        spent = f"  spent {usd_text(each.spent_nano / NANO)}" if each.spent_nano else ""
        echo(f"  {each.name:<16} {each.rows:>12,} rows{spent}")


def _refuse_same(source: str, target: str) -> None:
    if is_postgres(source) or is_postgres(target):
        same = ledger_name(source) == ledger_name(target)
    else:
        same = Path(source).absolute() == Path(target).absolute()
    if same:
        raise click.ClickException(f"{ledger_name(source)} is both SOURCE and TARGET: name another TARGET.")


def _refuse_lost_keys(source: str) -> None:
    """The marker of lost keys stands beside a file; a copy without it would be open to everybody."""
    if not is_postgres(source) and (lost := LostKeys(Path(source))).is_set:
        raise click.ClickException(
            f"Keys were lost with an earlier ledger ({lost.path}): start `gateway serve --accept-lost-keys` on {source} once, "
            "which says that nobody needs them, and copy then."
        )
