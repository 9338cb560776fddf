"""`gateway models`: the catalogue with its prices."""

from __future__ import annotations

import click
import orjson

from gateway.cli.configuration import environment, settings_or_exit


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object a model.")
def models(as_json: bool) -> None:
    """List the models that `auto` chooses from; prices are USD per million tokens."""
    settings = settings_or_exit(environment())
    enabled = {entry.name for entry in settings.providers}
    for model in settings.catalog:
        facts = {
            "model": model.full_name,
            "tier": model.tier,
            "input_price": model.input_price,
            "output_price": model.output_price,
            "context_window": model.context_window,
            "enabled": model.provider in enabled,
        }
        if as_json:
            click.echo(orjson.dumps(facts).decode())
        else:
            mark = " " if model.provider in enabled else "-"
            price = f"{model.input_price:>8.3f} {model.output_price:>8.3f}"
            click.echo(f"{mark} {model.full_name:<48} {model.tier:<9} {price} {model.context_window or '?':>9}")
    if not as_json:
        click.echo(f"Prices of {settings.prices.version}; `-`: that provider's key is not set.")
