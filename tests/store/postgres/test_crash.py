"""Replicas that are killed while they write one PostgreSQL ledger."""

from __future__ import annotations

from itertools import islice

from tests.postgres import execute, rows
from tests.store.postgres.conftest import MakeStore
from tests.store.test_crash import writing

STATUSES = "SELECT request_id, status FROM routing_metrics"


def test_killed_replicas_lose_no_acknowledged_row(url: str, make_store: MakeStore) -> None:
    """Of two replicas that are killed, every row that they acknowledged is there; another replica closes those left open."""
    with writing(url, "a") as first, writing(url, "b") as second:
        assert first.stdout is not None
        assert second.stdout is not None
        lines = [*islice(first.stdout, 41), *islice(second.stdout, 41)]
        survivor = make_store()
        assert survivor.close_orphans(now="2026-11-22T11:00:00Z") == 0
        first.kill()
        second.kill()
        lines += [*first.stdout, *second.stdout]

    said: dict[str, str] = {}  # of each row the last that was said
    for line in lines:
        word, name = line.split()
        said[name] = word
    execute(url, "DELETE FROM process_leases")  # as after the time of a lease
    closed = survivor.close_orphans(now="2026-11-22T11:00:00Z")
    statuses = dict(rows(url, STATUSES))
    assert closed <= 2
    assert {"a", "b"} == {name[0] for name in said}
    assert {name for name, word in said.items() if word == "ended" and statuses.get(name) != "ok"} == set()
    assert {
        name for name, word in said.items() if word == "begun" and statuses.get(name) not in ("ok", "interrupted")
    } == set()
    assert list(statuses.values()).count("interrupted") == closed
