"""kill -9 of the whole gateway under load; the soak does the same for longer."""

from __future__ import annotations

from pathlib import Path

from tests.soak.kills import kill_rounds, worker_kill_rounds
from tests.soak.processes import upstream


async def test_what_clients_saw_is_in_the_ledger(tmp_path: Path) -> None:
    """However the process ends, every answer that a client saw finish has its one settled row, and every cut one has a row.

    Slow: a real process under a second of load, killed and started again. Nothing else shows what SIGKILL leaves.
    """
    with upstream() as port:
        came = await kill_rounds(tmp_path, upstream_port=port, rounds=1, clients=40, seconds=1.0)
    assert (came.finished > 40, came.cut > 0, came.interrupted > 0) == (True, True, True)
    assert (came.lost, came.rowless, came.repeated, came.settlement_retries) == ([], [], 0, 0)


async def test_what_clients_of_workers_saw_is_in_the_ledger(tmp_path: Path) -> None:
    """So it is when one of two workers is killed, or the process that writes the ledger for them, which the requests outlive.

    Slow: real processes under load, each killed and replaced. Nothing else shows what SIGKILL leaves.
    """
    with upstream() as port:
        came = await worker_kill_rounds(tmp_path, upstream_port=port, rounds=2, clients=20, seconds=1.2)
    assert (came.rounds, came.finished > 40) == (2, True)
    assert (came.lost, came.rowless, came.repeated, came.settlement_retries) == ([], [], 0, 0)
