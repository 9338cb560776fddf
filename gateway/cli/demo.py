"""`gateway demo`: the same server against simulated upstreams, with no key and no network."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.catalog.packaged import load_catalog
from gateway.cli.configuration import KEY_VARIABLES, environment, settings_or_exit
from gateway.cli.demo_history import history_process
from gateway.cli.launch import (
    build_gateway_or_exit,
    ledger_or_exit,
    listening_options,
    listening_or_exit,
    tell_ready,
    within_open_files,
)
from gateway.cli.ledgers import DEMO_LEDGER
from gateway.observability.logs import logging_to
from gateway.server.server import run
from gateway.settings import Settings, load, start_up_lines
from gateway.settings.environment import FILE
from gateway.store.opening import ledger_name
from llm_simulator import Simulator
from llm_simulator.simulation import Simulation
from llm_simulator.users import Users

GRACE = 5.0  # seconds that open answers have after the first signal: a demo should end soon


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
    help="Requests that simulated users send, so that the dashboard has data.",
)
@click.option(
    "--history",
    type=click.IntRange(0, 365),
    is_flag=False,
    flag_value=30,
    default=0,
    show_default=True,
    metavar="[DAYS]",
    help="Days of simulated users before the start; 30 without a number.",
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
    history: int,
) -> None:
    """Serve simulated Gemini, Claude and OpenRouter models behind the real gateway.

    Every response says `x-gateway-demo: true`. Without --db or GATEWAY_DB the ledger is gateway-demo.db, created again at
    each start.
    """
    if workers not in (None, 1):
        raise click.ClickException("The demo runs in one process; omit --workers.")
    flags: dict[str, Any] = {"host": host, "port": port, "config": config, "db": db}
    simulation = Simulation(seed=seed, prices=listed_prices())
    own = {**environment(), **dict.fromkeys((name + FILE for name in KEY_VARIABLES), "")}  # real keys are not even read
    with own_ledger() as ledger, Simulator(simulation) as urls:
        simulated = {**own, **urls, **dict.fromkeys(KEY_VARIABLES, "simulated")}
        settings = adapted(settings_or_exit(simulated, **flags), ledger=ledger)
        with listening_or_exit(settings) as listening:
            if settings.db == str(ledger):
                remove_ledger(ledger)
            for line in start_up_lines(settings):
                click.echo(line, err=True)
            click.echo(f"demo: every upstream is simulated; the ledger is {ledger_name(settings.db)}", err=True)
            key = settings.client_keys[0].value if settings.client_keys else None
            past = history_process(settings, days=history, seed=seed, prices=listed_prices()) if history else None
            users = Users(requests=traffic, seed=seed, api_key=key)

            def started(url: str) -> None:
                """The gateway serves: let the others take the processor."""
                tell_ready(url)
                users.start(url)
                if past is not None:
                    past.start()

            with logging_to(sys.stderr):
                store = ledger_or_exit(settings, accept_lost_keys=accept_lost_keys)
                try:
                    run(
                        build_gateway_or_exit(settings, store=store, demo=True),
                        settings,
                        read=lambda: within_open_files(adapted(load(simulated, **flags), ledger=ledger)),
                        started=started,
                        listening=listening,
                    )
                finally:
                    users.stop()
                    if past is not None and past.pid is not None:
                        past.terminate()
                        past.join()


@contextmanager
def own_ledger() -> Iterator[Path]:
    """Where a demo keeps its ledger: `gateway-demo.db` here, which stays after the demo.

    A temporary file is used instead if this directory cannot be written or another demo holds its lock.
    """
    here = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = os.access(".", os.W_OK | os.X_OK)
        except OSError:
            free = False
        if free:
            yield DEMO_LEDGER
            return
        with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
            yield Path(folder) / "demo.db"
    finally:
        os.close(here)


def remove_ledger(ledger: Path) -> None:
    """Remove what the last demo left."""
    for suffix in ("", "-wal", "-shm"):
        ledger.with_name(ledger.name + suffix).unlink(missing_ok=True)


def adapted(settings: Settings, *, ledger: Path) -> Settings:
    """The settings of a demo: `ledger` unless one was given, and a short shutdown, because no load balancer is in front of it."""
    settings = replace(settings, drain_delay=0.0, grace=min(settings.grace, GRACE))
    if settings.sources.get("db") in ("--db", "GATEWAY_DB", "GATEWAY_DB_FILE"):
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
