"""`gateway doctor`: what is wrong, or will be, with this configuration and machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click

from gateway.cli.serve import settings_or_exit
from gateway.errors import GatewayError
from gateway.settings import Settings, start_up_lines
from gateway.store.sqlite import SqliteStore

FIXED_SQLITE = (3, 51, 3)  # the first without the WAL-reset bug: https://sqlite.org/wal.html#walresetbug


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
    """What was found, each with whether it has to be mended."""
    for warning in settings.warnings:
        yield False, warning
    if not settings.providers:
        yield True, "no provider key is set: set GEMINI_API_KEY, ANTHROPIC_API_KEY or OPENROUTER_API_KEY"
    listed = {model.provider for model in settings.catalog}
    for entry in settings.providers:
        if entry.name not in listed:
            yield False, f"{entry.name} has no model in the catalogue: `auto` never chooses it"
    if sqlite3.sqlite_version_info < FIXED_SQLITE:
        yield (
            False,
            f"SQLite {sqlite3.sqlite_version} can corrupt a WAL file that several processes write; the gateway's single writer avoids it",
        )
    existed = Path(settings.db).exists()
    try:
        store = SqliteStore(settings.db)
        writable = store.writable()
        store.close()
    except GatewayError as error:
        yield True, error.message
        return
    if not writable:
        yield True, f"the ledger {settings.db} cannot be written"
    elif not existed:
        yield False, f"the ledger {settings.db} is new"
