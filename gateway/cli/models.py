"""`gateway models`: the catalogue with its prices."""

from __future__ import annotations

import click
import orjson

from gateway.catalog.pool import pool_of
from gateway.cli.configuration import environment, settings_or_exit
from gateway.cli.price_update import update


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object a model.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models with their tier, public strength and prices (USD per million tokens)."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_or_exit(environment())
    enabled = {entry.name for entry in settings.providers}
    pool = {model.key for model in pool_of([model for model in settings.catalog if model.provider in enabled])}
    for model in settings.catalog:
        retires = settings.retirements.get(model.full_name)
        facts = {
            "model": model.full_name,
            "tier": model.tier,
            "strength": model.strength,
            "routed": model.key in pool,
            "input_price": model.input_price,
            "output_price": model.output_price,
            "context_window": model.context_window,
            "enabled": model.provider in enabled,
            "retires": retires,
        }
        if as_json:
            click.echo(orjson.dumps(facts).decode())
        else:
            mark = "-" if model.provider not in enabled else "*" if model.key in pool else " "
            strength = "     ?" if model.strength is None else f"{model.strength:>+6.2f}"
            price = f"{model.input_price:>8.3f} {model.output_price:>8.3f}"
            end = f"  retires {retires}" if retires else ""
            click.echo(
                f"{mark} {model.full_name:<48} {model.tier:<9} {strength} {price} {model.context_window or '?':>9}{end}"
            )
    if not as_json:
        click.echo(
            f"Prices of {settings.prices.version}; `*`: `auto` chooses among these; `-`: that provider's key is not set."
        )


models.add_command(update)
