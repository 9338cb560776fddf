"""`gateway demo`: the same server against simulated upstreams, with no key and no network."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.cli.serve import create_app_or_exit, ledger_or_exit, listening_options, run, settings_or_exit
from gateway.logs import logging_to
from gateway.packaged import load_catalog
from gateway.settings import Settings, load, start_up_lines
from gateway.simulator import Simulator
from gateway.simulator.simulation import Simulation
from gateway.simulator.users import Users

GRACE = 5.0  # seconds that open answers have after the first signal: whoever started a demo wants it gone soon
KEYS = ("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY")


@click.command()
@listening_options
@click.option(
    "--seed", type=int, default=0, show_default=True, help="What the simulated models' answers are drawn from."
)
@click.option(
    "--traffic",
    type=click.IntRange(0, 1_000_000),
    default=0,
    show_default=True,
    metavar="N",
    help="Requests that simulated users make, so that there is something to see.",
)
def demo(
    host: str | None,
    port: int | None,
    config: Path | None,
    db: str | None,
    workers: int | None,
    accept_lost_keys: bool,
    seed: int,
    traffic: int,
) -> None:
    """Serve simulated Gemini, Claude and OpenRouter models behind the real gateway.

    Every response says `x-gateway-demo: true`. Without --db or GATEWAY_DB the ledger is a temporary file.
    """
    if workers not in (None, 1):
        raise click.ClickException("The demo runs in one process; leave --workers out.")
    simulation = Simulation(seed=seed, prices=listed_prices())
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder, Simulator(simulation) as urls:
        environment = {**os.environ, **urls, **dict.fromkeys(KEYS, "simulated")}
        flags: dict[str, Any] = {"host": host, "port": port, "config": config, "db": db}
        settings = adapted(settings_or_exit(environment, **flags), ledger=Path(folder) / "demo.db")
        for line in start_up_lines(settings):
            click.echo(line, err=True)
        click.echo(f"demo: every upstream is simulated; the ledger is {settings.db}", err=True)
        key = settings.client_keys[0].value if settings.client_keys else None
        users = Users(requests=traffic, seed=seed, api_key=key)
        with logging_to(sys.stderr):
            store = ledger_or_exit(settings, accept_lost_keys=accept_lost_keys)
            try:
                run(
                    create_app_or_exit(settings, store=store, demo=True),
                    settings,
                    read=lambda: adapted(load(environment, **flags), ledger=Path(folder) / "demo.db"),
                    started=users.start,
                )
            finally:
                users.stop()


def adapted(settings: Settings, *, ledger: Path) -> Settings:
    """The settings of a demo: `ledger` unless one was asked for at the start, and a short end, for nobody balances load to it."""
    settings = replace(settings, drain_delay=0.0, grace=min(settings.grace, GRACE))
    if settings.sources.get("db") in ("--db", "GATEWAY_DB"):
        return settings
    sources = {name: source for name, source in settings.sources.items() if name != "db"}
    return replace(settings, db=str(ledger), sources=sources)


def listed_prices() -> dict[str, tuple[float, float]]:
    """What OpenRouter's models cost by the catalogue, so that the costs it reports are the list prices."""
    return {
        model.name: (model.input_price, model.output_price)
        for model in load_catalog()
        if model.provider == "openrouter"
    }
