"""`gateway prune`: deletes old rows of the ledger and keeps their sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from gateway.cli.interruption import interruptible
from gateway.cli.ledgers import DB, alone, changing
from gateway.cli.period import PointInTime

# Answers can be rated for 30 days, and monthly limits add up the rows of their month.
LEAST_DAYS = 31
# Rows of one transaction: some milliseconds, for which a running gateway's commits may have to wait.
PAGE = 100


@click.command()
@click.option("--older-than", type=PointInTime(), required=True, help="90d, 12w, a date, or a time; at least 31d.")
@DB
def prune(older_than: str, db: str | None) -> None:
    """Delete old requests from the ledger, and keep their sums.

    Closed rows go, with their attempts, ratings, old figures, and the outcomes that are learned. Reports by hour and day,
    budgets, keys and what was learned stay. A gateway may run meanwhile. After an interruption, run it again.
    """
    latest = (datetime.now(UTC) - timedelta(days=LEAST_DAYS)).isoformat(timespec="milliseconds")
    if older_than > latest:
        raise click.UsageError(
            f"--older-than must be at least {LEAST_DAYS}d: answers are rated for 30 days, and monthly limits add up rows."
        )
    requests = outcomes = 0
    with (
        changing(db) as store,
        interruptible(
            lambda: (
                f"{requests:,} requests and {outcomes:,} outcomes are deleted, their sums are kept. Run it again for the rest."
            )
        ),
    ):
        alone(store, "prune")
        while deleted := store.prune_requests(before=older_than, limit=PAGE):
            requests += deleted
        while deleted := store.prune_outcomes(before=older_than, limit=PAGE):
            outcomes += deleted
    click.echo(
        f"Deleted {requests:,} requests and {outcomes:,} outcomes from before {older_than}. Their sums are kept."
    )
