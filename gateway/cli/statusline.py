"""`gateway statusline`: one line on a session, for the status line of Claude Code."""

from __future__ import annotations

import sys

import click
import orjson

from gateway.catalog import usd_text
from gateway.cli.ledgers import READ_DB, ledger_to_read, reading
from gateway.cli.terminal import echo

MAX_INPUT = 1_000_000  # characters


@click.command()
@READ_DB
def statusline(db: str | None) -> None:
    """Print what a session has spent and saved, and which model answered last.

    Standard input is the JSON that Claude Code gives to its status line's command; only `session_id` is read. While there
    is no ledger, or it cannot be read, the line says so: the reason is on standard error, and the exit status is 0.
    """
    session = _session_id(sys.stdin.read(MAX_INPUT))
    try:
        with reading(ledger_to_read(db)) as store:
            totals = store.session_totals(session)
            answered = store.requests(limit=1, filters={"session": session, "status": "ok"})
    except click.ClickException as error:  # a status line stays, whatever is away
        echo("no ledger")
        error.show()
        return
    if not totals["requests"]:
        echo("no requests yet")
        return
    facts = [f"{usd_text(totals['spent_usd'])} spent", f"{usd_text(totals['saved_usd'])} saved"]
    facts += [f"{row['selected_provider']}/{row['selected_model']}" for row in answered]
    echo(", ".join(facts))


def _session_id(text: str) -> str:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        given = None
    session = given.get("session_id") if isinstance(given, dict) else None
    if not (session and isinstance(session, str)):
        raise click.UsageError('Standard input must be JSON with a session: {"session_id": "..."}.')
    return session
