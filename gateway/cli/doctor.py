"""`gateway doctor`: what is wrong, or will be, with this configuration and machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import apsw
import click

from gateway.cli.configuration import KEY_VARIABLES, environment, settings_or_exit
from gateway.cli.ledgers import DEMO_LEDGER
from gateway.errors import GatewayError
from gateway.settings import Settings, start_up_lines
from gateway.store.opening import ledger_name, open_read_only
from gateway.store.postgres.address import is_postgres
from gateway.store.read_only import LedgerOutdated, ReadOnlyStore

Severity = Literal["wrong", "warning", "note"]
LOCK_TIMEOUT = 0.5  # seconds to wait for a ledger that another process has locked


@click.command()
def doctor() -> None:
    """Check configuration, keys, ledger, prices and SQLite, without calling an upstream or writing anything. Exits with 1
    when something has to be fixed."""
    settings = settings_or_exit(environment())
    for line in start_up_lines(settings):
        click.echo(line)
    wrong = 0
    for severity, finding in config_problems(settings):
        wrong += severity == "wrong"
        click.echo(f"{severity}: {finding}")
    click.echo("nothing has to be fixed" if not wrong else f"{wrong} to be fixed")
    raise SystemExit(1 if wrong else 0)


def config_problems(settings: Settings) -> Iterator[tuple[Severity, str]]:
    """What was found beyond the settings' own warnings."""
    if not settings.providers:
        names = f"{', '.join(KEY_VARIABLES[:-1])} or {KEY_VARIABLES[-1]}"
        yield (
            "warning",
            f"no provider can be used, so `make run` runs the demo; for real models set {names}, here or in .env",
        )
    listed = {model.provider for model in settings.catalog}
    for entry in settings.providers:
        if entry.name not in listed:
            yield "note", f"{entry.name} has no model in the catalogue: `auto` never chooses it"
    if is_postgres(settings.db):
        yield from _of_the_database(settings.db)
        return
    yield "note", f"the ledger is written with SQLite {apsw.sqlite_lib_version()}, which comes with the gateway"
    if settings.providers or Path(settings.db).exists() or not DEMO_LEDGER.exists():
        yield from _of_the_ledger(Path(settings.db))
    else:
        yield from _of_the_ledger(DEMO_LEDGER)


def _of_the_database(url: str) -> Iterator[tuple[Severity, str]]:
    try:
        with closing(open_read_only(url)) as store:
            store.check()
    except LedgerOutdated as error:
        yield "note", error.message
    except GatewayError as error:
        yield "wrong", error.message
    else:
        yield "note", f"the ledger is {ledger_name(url)}"


def _of_the_ledger(path: Path) -> Iterator[tuple[Severity, str]]:
    """Reads the whole file for damage; creates none where there is none yet."""
    if not path.exists():
        able = os.access(path.absolute().parent, os.W_OK | os.X_OK)
        if able:
            yield "note", f"the ledger {path} is new"
        else:
            yield "wrong", f"the ledger {path} is new, and its directory cannot be written"
        return
    try:
        with closing(ReadOnlyStore(path, busy_timeout=LOCK_TIMEOUT)) as store:
            store.check()
            if not store.could_be_written():
                yield "wrong", f"the ledger {path} cannot be written"
    except LedgerOutdated as error:
        yield "note", error.message
    except GatewayError as error:
        yield "wrong", error.message
