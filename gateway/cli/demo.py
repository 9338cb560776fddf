"""`gateway demo`: the same server against simulated upstreams, with no key and no network."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from gateway.cli.serve import create_app_or_exit, listening_options, run, settings_or_exit
from gateway.logs import logging_to
from gateway.settings import start_up_lines
from gateway.simulator import Simulator

KEYS = ("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY")


@click.command()
@listening_options
@click.option(
    "--seed", type=int, default=0, show_default=True, help="What the simulated models' answers are drawn from."
)
def demo(
    host: str | None, port: int | None, config: Path | None, db: str | None, workers: int | None, seed: int
) -> None:
    """Serve simulated Gemini, Claude and OpenRouter models behind the real gateway.

    Every response says `x-gateway-demo: true`. Without --db or GATEWAY_DB the ledger is a temporary file.
    """
    flags = {"GATEWAY_HOST": host, "GATEWAY_PORT": port, "GATEWAY_CONFIG": config, "GATEWAY_DB": db}
    environment = {**os.environ, **{name: str(value) for name, value in flags.items() if value is not None}}
    if workers not in (None, 1):
        raise click.ClickException("The demo runs in one process; leave --workers out.")
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder, logging_to(sys.stderr):
        environment.setdefault("GATEWAY_DB", str(Path(folder) / "demo.db"))
        simulator = Simulator(seed=seed)
        environment |= simulator.start()
        environment |= dict.fromkeys(KEYS, "simulated")
        try:
            settings = settings_or_exit(environment)
            for line in start_up_lines(settings):
                click.echo(line, err=True)
            click.echo(f"demo: simulated upstreams at {simulator.url}, ledger in {settings.db}", err=True)
            run(create_app_or_exit(settings, demo=True), settings)
        finally:
            simulator.stop()
