"""`gateway reprice`: costs computed again from raw usage, after a price or a parser has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click
import orjson

from gateway.catalog import plain_numbers, usd_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.ledgers import DB, alone, changing, existing, reading
from gateway.cli.period import PointInTime
from gateway.cli.terminal import echo, interruptible
from gateway.completion import Usage
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.plugins import provider_kinds
from gateway.records import Repricing
from gateway.savings.reprice import KEPT_REASONS, RepricingError, RepricingTotals, UsageParser
from gateway.savings.reprice import reprice as new_figures
from gateway.settings import Settings
from gateway.store import Store, UpdateCosts

# Rows of one transaction: some milliseconds, for which a running gateway's commits may have to wait.
PAGE = 50


@click.command()
@click.option("--since", type=PointInTime(), help="Only requests from then on: 24h, 7d, 2026-11-01.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@DB
@click.option("--json", "as_json", is_flag=True, help="The sums as JSON.")
def reprice(since: str | None, dry_run: bool, db: str | None, as_json: bool) -> None:
    """Compute the costs of past requests again, from the usage that the providers sent and today's price files.

    Each request is priced by the price that was in force at its time. The old figures go to the table cost_history. A
    gateway may run meanwhile. After an interruption, run it again: what was done stays done.
    """
    settings = settings_or_exit(environment(), db=db)
    path = existing(settings.db)
    totals = RepricingTotals()
    if dry_run:
        with interruptible(lambda: "Nothing was changed."), reading(path) as ledger:
            for _ in _repriced(ledger, since, totals, settings=settings):
                pass
    else:
        repriced = datetime.now(UTC).isoformat(timespec="microseconds")
        with interruptible(lambda: so_far(totals)), changing(path) as store:
            alone(store, "reprice")
            for repricings in _repriced(store, since, totals, settings=settings):
                store.submit(UpdateCosts(repricings, repriced)).result()
    summary = {"price_version": settings.prices.version, "dry_run": dry_run, **totals.summary()}
    if as_json:
        echo(orjson.dumps(plain_numbers(summary), option=orjson.OPT_INDENT_2).decode())
    else:
        echo("\n".join(_lines(summary, path=path)))


def usage_parser(settings: Settings) -> UsageParser:
    """Reads usage objects as the providers of the settings do; built-in ones also when their key is not set."""
    kinds = provider_kinds()
    names = {name: name for name in kinds} | {entry.name: entry.kind for entry in settings.providers}
    providers = {name: kinds[kind](UpstreamEndpoint("", ""), name=name) for name, kind in names.items()}

    def parse(provider: str, raw: Mapping[str, Any]) -> Usage | None:
        return providers[provider].usage(raw) if provider in providers else None

    return parse


def _repriced(
    store: Store, since: str | None, totals: RepricingTotals, *, settings: Settings
) -> Iterator[list[Repricing]]:
    """The new figures, page after page; each page is one transaction, so an interruption leaves whole rows only."""
    parse = usage_parser(settings)
    after = 0
    while page := store.priced_rows(after=after, since=since or "", limit=PAGE):
        after = page[-1].id
        repricings = []
        for row in page:
            repricing = None
            try:
                repricing = new_figures(row, prices=settings.prices, parse=parse)
            except RepricingError as refusal:
                totals.kept[refusal.reason] += 1
            totals.add(row, repricing)
            if repricing is not None:
                repricings.append(repricing)
        if repricings:
            yield repricings


def so_far(totals: RepricingTotals) -> str:
    """The last page may or may not have been committed."""
    return (
        f"Of {totals.requests} requests that were looked at, about {totals.changed} have new figures, each row as a whole. "
        "Run the command again for the rest."
    )


def _lines(summary: Mapping[str, Any], *, path: str) -> Iterator[str]:
    changed = "would change" if summary["dry_run"] else "changed"
    yield f"{path}, prices of {summary['price_version']}: {summary['requests']} requests, {summary['changed']} {changed}"
    for title, name in (("cost", "spent_usd"), ("baseline", "baseline_usd")):
        figures = summary[name]
        yield f"  {title:<10} {usd_text(figures['before'])} -> {usd_text(figures['after'])}"
    if summary["newly_priced"]:
        yield f"  {summary['newly_priced']} had no known price before"
    for row in summary["by_model"]:
        costs = f"{usd_text(row['before'])} -> {usd_text(row['after'])}"
        yield f"  {row['model']:<48} {row['requests']:>8}  {costs}"
    for reason, number in summary["kept"].items():
        yield f"  {number} kept as they were: {KEPT_REASONS[reason]}"
