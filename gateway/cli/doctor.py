"""`gateway doctor`: what is wrong, or will be, with this configuration and machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import click

from gateway.cli.serve import settings_or_exit
from gateway.errors import GatewayError
from gateway.settings import Settings, start_up_lines
from gateway.store.sqlite import SqliteStore

PATIENCE = 0.5  # seconds to wait for a ledger that another process has locked


@click.command()
def doctor() -> None:
    """Check configuration, keys, ledger, prices and SQLite; call nobody. Ends with 1 when something has to be mended."""
    settings = settings_or_exit(os.environ)
    for line in start_up_lines(settings):
        click.echo(line)
    wrong = 0
    for grave, finding in findings(settings):
        wrong += grave
        click.echo(f"{'wrong' if grave else 'note'}: {finding}")
    click.echo("nothing has to be mended" if not wrong else f"{wrong} to be mended")
    raise SystemExit(1 if wrong else 0)


def findings(settings: Settings) -> Iterator[tuple[bool, str]]:
    """What was found beyond the settings' own warnings, each with whether it has to be mended."""
    if not settings.providers:
        yield True, "no provider key is set: set GEMINI_API_KEY, ANTHROPIC_API_KEY or OPENROUTER_API_KEY"
    listed = {model.provider for model in settings.catalog}
    for entry in settings.providers:
        if entry.name not in listed:
            yield False, f"{entry.name} has no model in the catalogue: `auto` never chooses it"
    yield False, f"the ledger is written with SQLite {apsw.sqlite_lib_version()}, which comes with the gateway"
    yield from _of_the_ledger(Path(settings.db))


def _of_the_ledger(path: Path) -> Iterator[tuple[bool, str]]:
    """Reads the whole file for damage; makes none where there is none yet."""
    if not path.exists():
        able = os.access(path.absolute().parent, os.W_OK | os.X_OK)
        yield not able, f"the ledger {path} is new" + ("" if able else ", and its directory cannot be written")
        return
    try:
        with closing(SqliteStore(path, busy_timeout=PATIENCE)) as store:
            store.check()
            if not store.writable():
                yield True, f"the ledger {path} cannot be written"
    except GatewayError as error:
        yield True, error.message
