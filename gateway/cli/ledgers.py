"""Finds and opens the ledger of a command, for reading or for changes; exits with a sentence when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from gateway.cli.configuration import environment, settings_or_exit
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store.database_store import DatabaseStore
from gateway.store.opening import open_read_only, open_store
from gateway.store.postgres.address import is_postgres

DEMO_LEDGER = Path("gateway-demo.db")
DB = click.option("--db", help="The ledger. [GATEWAY_DB; default: gateway.db]")
# A command that only reads looks at the last demo's ledger where no other is named or there.
READ_DB = click.option("--db", help="The ledger. [GATEWAY_DB; default: gateway.db, else the demo's gateway-demo.db]")


@contextmanager
def reading(path: str) -> Iterator[DatabaseStore]:
    """The ledger, opened so that nothing is written or created; a refusal ends the command with its message."""
    try:
        with closing(open_read_only(path)) as store:
            yield store
    except GatewayError as error:
        raise click.ClickException(error.message) from None


@contextmanager
def changing(db: str | None, *, create: bool = False) -> Iterator[DatabaseStore]:
    """The ledger, opened for changes. With `create` it is created if missing.

    What is committed waits for the disk (`full`): a key that was shown is there after a power cut, or the next start would not know of it.
    """
    path = db or settings_or_exit(environment()).db
    if not create:
        path = existing(path)
    try:
        with closing(open_store(path, durability="full")) as store:
            yield store
    except GatewayError as error:
        raise click.ClickException(error.message) from None


def alone(store: DatabaseStore, job: str) -> None:
    """Takes a job for this command; ends the command where another process does it on the same database."""
    if store.replicas is not None and not store.replicas.leads(job):
        raise click.ClickException(
            f"Another process does the same on this ledger ({job}). Wait for its end; if it was killed, half a minute."
        )


def ledger_to_read(db: str | None) -> str:
    """The path of the ledger that is named or set, else of the one that the last demo left here. Ends the command where there is none."""
    if db is not None:
        return existing(db)
    settings = settings_or_exit(environment())
    return existing(demo_ledger(settings) or settings.db)


def demo_ledger(settings: Settings) -> str | None:
    """The last demo's ledger, where no ledger is set and there is none at the default path; says so on standard error."""
    if "db" in settings.sources or is_postgres(settings.db) or Path(settings.db).exists() or not DEMO_LEDGER.exists():
        return None
    click.echo(f"There is no {settings.db} here yet: this is the demo's ledger, {DEMO_LEDGER}.", err=True)
    return str(DEMO_LEDGER)


def existing(path: str) -> str:
    """`path`, when there is a file; opening a PostgreSQL ledger says itself when there is none."""
    if not is_postgres(path) and not Path(path).exists():
        raise click.ClickException(f"There is no ledger at {path}. Name one with --db or GATEWAY_DB.")
    return path
