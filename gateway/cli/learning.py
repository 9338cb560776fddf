"""`gateway learning`: lists, rolls back or resets what routing has learned."""

from __future__ import annotations

import click

from gateway.cli.ledgers import DB, READ_DB, changing, ledger_to_read, reading
from gateway.routing.estimation.snapshot import FORMAT, READABLE_FORMATS, CheckpointError
from gateway.routing.estimation.trainer import RESET, ROLLBACK, read_state
from gateway.store import Checkpoint, InsertCheckpoint


@click.group()
def learning() -> None:
    """Show what routing has learned, roll back to an earlier state, or reset it.

    A running gateway on the same ledger follows within seconds. Outcomes stay in the ledger, but those after the restored
    state are not learned again.
    """


@learning.command()
@READ_DB
def show(db: str | None) -> None:
    """List the stored states, oldest first. A start continues from the last usable one. If a judge rates answers, its agreement
    with people's feedback follows.
    """
    with reading(ledger_to_read(db)) as store:
        found = store.states()
        if not found:
            click.echo("No state is stored yet: the first one is stored after 1,000 outcomes.", err=True)
        for state in found:
            foreign = state.format not in READABLE_FORMATS and "of another version"
            problem = state.problem or foreign or "sound"
            click.echo(f"{state.id} {state.timestamp} {state.origin:<8} {state.outcomes} outcomes: {problem}")
        judged = store.judge_agreement()
        if judged["answers"]:
            click.echo(
                f"Of {judged['answers']} answers rated by the judge and by people, {judged['agreement']:.0%} got the same verdict; "
                f"the judge's ratings are {judged['difference']:+.2f} on average."
            )


@learning.command()
@click.argument("state", type=int)
@DB
def rollback(state: int, db: str | None) -> None:
    """Go back to STATE, a number that `gateway learning show` lists."""
    with changing(db) as store:
        found = next((each for each in store.states() if each.id == state), None)
        if found is None:
            raise click.ClickException(f"There is no state {state}; `gateway learning show` lists them.")
        try:
            read_state(store, found)
        except CheckpointError as error:
            raise click.ClickException(f"State {state} cannot be used: {error}.") from error
        origin = RESET if found.origin == RESET else ROLLBACK
        ordered = Checkpoint(origin, found.format, learned_to=store.newest_outcome(), outcomes=found.outcomes)
        store.submit(InsertCheckpoint(ordered, store.state_body(state) or b"")).result()
    click.echo(f"Routing continues from state {state}, of {found.outcomes} outcomes.")


@learning.command()
@DB
def reset(db: str | None) -> None:
    """Forget everything that was learned: estimates start from the tiers' priors again."""
    with changing(db) as store:
        store.submit(
            InsertCheckpoint(Checkpoint(RESET, FORMAT, learned_to=store.newest_outcome(), outcomes=0), b"")
        ).result()
    click.echo("Routing starts anew.")
