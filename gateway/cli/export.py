"""`gateway export`: all rows of the ledger that filters leave, for a spreadsheet or another program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.api.reports import MAX_ROWS
from gateway.api.rows_csv import csv_text
from gateway.catalog import plain_numbers
from gateway.cli.interruption import interruptible
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.row_filters import chosen_filters, row_filters
from gateway.cli.terminal import echo
from gateway.store.database_store import DatabaseStore


@click.command()
@click.option("--csv", "form", flag_value="csv", default="csv", help="Lines of CSV; the default.")
@click.option("--json", "form", flag_value="json", help="One JSON object for each row.")
@click.option("--parquet", type=click.Path(path_type=Path, dir_okay=False), help="Write this Parquet file instead.")
@row_filters
@READ_DB
def export(form: str, parquet: Path | None, db: str | None, **given: Any) -> None:
    """Write the requests of the ledger to standard output or to a Parquet file, the newest first.

    The columns are those of `/v1/routing/requests`; no row has a prompt or an answer. It reads 500 rows at a time, so a
    ledger of any size can be exported while gateways use it.
    """
    filters, path = chosen_filters(given), ledger_to_read(db)
    if parquet is not None:
        _write_parquet(parquet, path, filters)
        return
    names: list[str] = []
    with reading(path) as store, interruptible(lambda: "the output is not complete."):
        for page in pages(store, filters):
            if form == "json":
                echo("\n".join(orjson.dumps(plain_numbers(row), default=str).decode() for row in page))
            else:
                header, names = not names, names or list(page[0])
                echo(csv_text(names, page, header=header).removesuffix("\n"))


def _write_parquet(file: Path, path: str, filters: Mapping[str, object]) -> None:
    try:
        from gateway.cli.parquet_file import write_parquet
    except ModuleNotFoundError:
        raise click.ClickException(
            "Parquet needs the extra `parquet`: pip install 'auto-gateway[parquet]'. --csv and --json need nothing."
        ) from None
    with reading(path) as store:
        try:
            count = write_parquet(file, pages(store, filters))
        except (
            OSError,
            ValueError,
        ) as error:  # a full disk, or a value of another tool that is not of its column's type
            raise click.ClickException(f"{file} cannot be written: {error}") from None
    click.echo(f"{file}: {count:,} requests", err=True)


def pages(
    store: DatabaseStore, filters: Mapping[str, object], *, size: int = MAX_ROWS
) -> Iterator[list[dict[str, Any]]]:
    """The rows, newest first, `size` at a time; no page is empty."""
    before: int | None = None
    while page := store.requests(limit=size, before=before, filters=filters):
        yield page
        before = page[-1]["id"]
