"""`gateway backup`: a copy of an SQLite ledger, beside a running gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.interruption import interruptible
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.errors import GatewayError
from gateway.store.backup import back_up
from gateway.store.opening import ledger_name
from gateway.store.postgres.address import is_postgres


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@READ_DB
def backup(file: Path, db: str | None) -> None:
    """Copy the SQLite ledger to FILE, a new file, while gateways use it.

    The copy is complete and checked. To restore it, stop the gateway, put FILE in the ledger's place and remove the ledger's -wal
    and -shm files. Use pg_dump for a ledger in PostgreSQL.
    """
    path = ledger_to_read(db)
    if is_postgres(path):
        raise click.ClickException(
            f"The ledger {ledger_name(path)} is in PostgreSQL: back it up with `pg_dump --format=custom --file={file} URL`."
        )
    with reading(path):
        pass  # says what is wrong with a file that is no ledger
    try:
        with (
            interruptible(lambda: f"{file} was not written, and the ledger is as it was."),
            click.progressbar(length=100, label=f"Copying {path}", file=sys.stderr) as bar,
        ):
            size = back_up(Path(path), file, progress=lambda done, pages: bar.update(100 * done // pages - bar.pos))
    except GatewayError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"{path} is copied to {file}: {size / 1e6:,.1f} MB, checked.")
