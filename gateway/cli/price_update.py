"""`gateway models update`: renews the price snapshot from the public list."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import click
import orjson

from gateway.catalog import PriceTable
from gateway.catalog.packaged import packaged_file
from gateway.catalog.plain_decimals import plain_decimal
from gateway.catalog.price_changes import PriceChange, is_short, new_models, price_changes, with_kept
from gateway.catalog.price_feed import PriceFeed, snapshot_text
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.new_files import write_files
from gateway.cli.price_source import ADDRESS, price_list
from gateway.cli.terminal import echo, shown
from gateway.settings import Settings
from gateway.settings.load import DEFAULT_CONFIG

SHOWN = 20  # new models that are printed


@click.command()
@click.option("--from", "source", default=ADDRESS, help="Another https URL of the list, or a file with it.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--force", is_flag=True, help="Accept a list that has far fewer models, or prices that change tenfold.")
@click.option("--json", "as_json", is_flag=True, help="What changes, as one JSON object.")
def update(source: str, dry_run: bool, force: bool, as_json: bool) -> None:
    """Renew the prices from the public list of genai-prices.

    It writes prices.json beside the configuration in use; a running gateway reads it within seconds. It shows which prices
    of the catalogue change, which models retire, and which new ones have a price: these can be named, and `auto` chooses
    them once models.yaml lists them. This is the only command that calls a host that is not configured.
    """
    settings = settings_or_exit(environment())
    now = datetime.now(UTC)
    raw = price_list(source)
    try:
        feed = PriceFeed.loads(raw)
    except ValueError as error:
        raise click.ClickException(f"{source} is no price list: {error}. Nothing was changed.") from None
    old = settings.prices
    rows, kept = with_kept(feed.rows, old)
    version = f"{now.date().isoformat()}+genai-prices.{hashlib.sha256(raw).hexdigest()[:12]}"
    text = snapshot_text(rows, version=version)
    new = old.with_rows(PriceTable.loads(text.encode()))
    if lost := [model.full_name for model in settings.catalog if new.price(model.provider, model.name, now) is None]:
        raise click.ClickException(
            f"The list has no price for {', '.join(lost)} any more. Nothing was changed: give their `prices` in models.yaml first."
        )
    changes = price_changes(old, new, settings.catalog, at=now)
    added = new_models(old, feed.rows, at=now)
    _tell(settings, new, changes, added, deprecated=feed.deprecated, as_json=as_json)
    if feed.unread:
        click.echo(shown(f"not understood, old prices stay: {', '.join(feed.unread[:SHOWN])}"), err=True)
    if kept:
        click.echo(f"{kept} models are not in the list any more; their prices stay for past requests.", err=True)
    if not force and (doubt := _doubt(feed, old, changes)):
        raise click.ClickException(f"{doubt} Nothing was changed; --force accepts it.")
    if dry_run:
        click.echo("Nothing was changed (--dry-run).", err=True)
        return
    path = _write(settings, text)
    click.echo(f"Wrote {path}. A running gateway reads it within seconds.", err=True)


def _tell(
    settings: Settings,
    new: PriceTable,
    changes: list[PriceChange],
    added: list[tuple[str, str]],
    *,
    deprecated: frozenset[str],
    as_json: bool,
) -> None:
    """What changes for the catalogue, and what else is known."""
    ending = sorted(model.full_name for model in settings.catalog if model.full_name in deprecated)
    if as_json:
        facts = {
            "version_before": settings.prices.version,
            "version": new.version,
            "changed": [
                {"model": change.model, "before": [*map(float, change.before)], "after": [*map(float, change.after)]}
                for change in changes
            ],
            "new": [f"{provider}/{name}" for provider, name in added],
            "retires": dict(settings.retirements),
            "deprecated": ending,
        }
        echo(orjson.dumps(facts).decode())
        return
    echo(f"prices: {settings.prices.version} -> {new.version}")
    for change in changes:
        echo(
            f"changed: {change.model} {_pair(change.before)} -> {_pair(change.after)} USD per million tokens (input/output)"
        )
    for provider, name in added[:SHOWN]:
        echo(f"known, not routed to: {provider}/{name}")
    if len(added) > SHOWN:
        echo(f"known, not routed to: {len(added) - SHOWN} more")
    for name, day in settings.retirements.items():
        echo(f"retires: {name} on {day}")
    for name in ending:
        echo(f"deprecated by its provider: {name}")
    if not (changes or added):
        echo("no price of the catalogue changes, and no model is new")


def _pair(prices: tuple[Decimal, Decimal]) -> str:
    return "/".join(map(plain_decimal, prices))


def _doubt(feed: PriceFeed, old: PriceTable, changes: list[PriceChange]) -> str | None:
    """Why a list should be looked at before it is used."""
    if is_short(feed.rows, old):
        return "The list has far fewer models than the prices in use: it is old or cut off."
    suspects = [change.model for change in changes if change.is_suspect]
    return f"The prices of {', '.join(suspects)} change by more than a factor of ten." if suspects else None


def _write(settings: Settings, text: str) -> Path:
    """Write prices.json beside the configuration in use. Where that is the packaged one, a copy of it becomes one's own first."""
    config = settings.config
    if config == packaged_file("gateway.yaml"):
        config = DEFAULT_CONFIG
        write_files({config: packaged_file("gateway.yaml").read_text(encoding="utf-8")}, force=False)
        click.echo(f"Wrote {config}, a copy of the packaged one: prices.json belongs beside it.", err=True)
    path = config.parent / "prices.json"
    write_files({path: text}, force=True)
    return path
