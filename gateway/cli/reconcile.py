"""`gateway reconcile`: a provider's own export or invoice against the ledger. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.catalog import cost, plain_numbers, usd_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.terminal import echo
from gateway.completion import Usage
from gateway.records import PricedRow
from gateway.savings.call_matching import MARGIN, ledger_calls
from gateway.savings.provider_export import ExportError, ProviderExport, read_export
from gateway.savings.reconcile import reconcile as compare
from gateway.savings.reconcile import summary
from gateway.store import Store

MAX_ROWS = 2_000_000  # of the ledger, in the period of the file
PAGE = 1_000
_SHOWN = 20  # differences in the text
_LISTED = 1_000  # differences in the JSON
_TITLES = {
    "matched": "the same in both",
    "different": "different",
    "only_there": "only in the file",
    "only_here": "only in the ledger",
}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--provider", help="The provider that FILE is from. [default: by its format; plain files: all providers]")
@READ_DB
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the 1000 largest differences.")
def reconcile(file: Path, provider: str | None, db: str | None, as_json: bool) -> None:
    """Compare FILE, a provider's usage export or invoice, with the ledger; nothing is changed.

    Reads the CSV of OpenRouter's activity page, the usage and the cost CSV of Anthropic's console, and plain CSV with the
    columns timestamp, model, input_tokens, output_tokens, cost_usd and perhaps request_id.
    """
    settings = settings_or_exit(environment(), db=db)
    export = _export(file)
    name = provider or export.provider
    with reading(ledger_to_read(db)) as store:
        rows = at_most(MAX_ROWS, _rows(store, export))
    calls = ledger_calls(rows, provider=name)
    if provider is not None and not calls and provider not in settings.catalog.providers:
        known = ", ".join(settings.catalog.providers)
        raise click.ClickException(f"The ledger has no call of {provider!r} in that period. Providers are: {known}.")

    def price(usage: Usage, model: str, at: datetime) -> Decimal | None:
        return cost(usage, settings.prices.price(name, model, at)) if name is not None else None

    result = {
        "file": str(file),
        "format": export.format,
        "provider": name,
        "from": export.first.isoformat(timespec="seconds"),
        "to": export.last.isoformat(timespec="seconds"),
        "by": "day and model" if export.daily else "request",
        **summary(compare(export, calls, price=price), rows=_LISTED),
    }
    if as_json:
        echo(orjson.dumps(plain_numbers(result), option=orjson.OPT_INDENT_2).decode())
    else:
        echo("\n".join(_lines(result)))


def _export(file: Path) -> ProviderExport:
    """Ends the command with what is wrong with the file."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return read_export(lines)
    except ExportError as error:
        raise click.ClickException(f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is no UTF-8 text. Export it as CSV, not as a spreadsheet or PDF.") from None
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from None


def at_most(number: int, rows: Iterable[PricedRow]) -> list[PricedRow]:
    """The rows; ends the command where there are more."""
    found = list(islice(rows, number + 1))
    if len(found) > number:
        raise click.ClickException(f"The ledger has more than {number:,} rows in that period. Export a shorter one.")
    return found


def _rows(store: Store, export: ProviderExport) -> Iterator[PricedRow]:
    """The ledger's rows of the export's period."""
    since, until = ((export.first - MARGIN), (export.last + MARGIN))
    first, last = (moment.isoformat(timespec="milliseconds") for moment in (since, until))
    after = 0
    while page := store.priced_rows(after=after, since=first, limit=PAGE):
        after = page[-1].id
        yield from (row for row in page if row.timestamp <= last)
        if page[0].timestamp > last:
            return


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"{result['file']}: {result['format']}, {result['from'][:10]} to {result['to'][:10]}, by {result['by']}"
    yield f"  {'':<20} {'count':>8} {'provider':>14} {'ledger':>14} {'difference':>14}"
    for kind, title in _TITLES.items():
        yield _line(title, result[kind], count=result[kind]["count"])
    yield _line("in all", result, count=sum(result[kind]["count"] for kind in _TITLES))
    for reason in result["reasons"]:
        yield f"  {_TITLES[reason['kind']]}, {reason['count']}: {reason['reason']} ({_signed(reason['difference_usd'])})"
    shown = result["rows"][:_SHOWN]
    if shown:
        yield "The largest differences:"
    for row in shown:
        where = f"line {row['lines'][0]}" if row["lines"] else row["request_ids"][0]
        yield f"  {row['timestamp']} {row['model']:<40} {_signed(row['difference_usd']):>14}  {_TITLES[row['kind']]}, {where}"


def _line(title: str, sums: Mapping[str, Any], *, count: int) -> str:
    amounts = (usd_text(sums["provider_usd"]), usd_text(sums["ledger_usd"]), _signed(sums["difference_usd"]))
    return f"  {title:<20} {count:>8} " + " ".join(f"{amount:>14}" for amount in amounts)


def _signed(amount: float) -> str:
    return f"{'-' if amount < 0 else '+'}{usd_text(abs(amount))}" if amount else usd_text(0)
