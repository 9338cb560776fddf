"""A copy of a ledger has every row of it, whichever database they are in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.budgets import Budget, Hold
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.errors import LedgerUnavailable
from gateway.records import Feedback
from gateway.store import InsertFeedback, InsertOutcome, InsertRequest, InsertVirtualKey, SettleRequest
from gateway.store.copying import LedgerCopy, copied_tables
from gateway.store.ledger_tables import ledger_tables
from gateway.store.mutations import (
    Checkpoint,
    InsertCheckpoint,
    InsertContent,
    InsertResponse,
    StoredContent,
    StoredOutcome,
    StoredResponse,
)
from gateway.store.opening import open_read_only, open_store
from tests.postgres import drop_database, new_database
from tests.store.cases import NOW, begun, ended

REPORTED = 3_650.0


@pytest.fixture
def databases() -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def make() -> str:
        made.append(new_database())
        return made[-1]

    yield make
    for url in made:
        drop_database(url)


def outcome(number: int) -> StoredOutcome:
    return StoredOutcome(
        request_id=f"r{number:03}", provider="gemini", model="flash", pattern="code", complexity=0.25, quality=0.5,
        features=None, source="explicit", weight=1.0, cost=None, input_tokens=3, output_tokens=None, latency=0.5, error=None,
        timestamp="",
    )  # fmt: skip


def filled(db: str) -> str:
    """A ledger with rows in every table that is copied; 20 requests, one of them open."""
    with closing(open_store(db, now=lambda: NOW)) as store:
        limit = Budget(10**12, "total")
        store.submit(
            InsertVirtualKey(
                VirtualKey(id="k1", name="team ä", digest=digest_of("sk-1"), last4="sk-1", created=NOW, budget=limit)
            )
        ).result()
        for number in range(20):
            hold = Hold("k1", limit, (5_000_000,), NOW)
            store.submit(InsertRequest(begun(f"r{number:03}", key_id="k1"), (hold,))).result()
            if number:
                store.submit(SettleRequest(ended(f"r{number:03}", key_id="k1"), (outcome(number),))).result()
        store.submit(InsertOutcome(outcome(99))).result()
        store.submit(InsertFeedback(Feedback("r001", 0.75, timestamp=NOW.isoformat(), key_id="k1"), keys=1)).result()
        checkpoint = Checkpoint("saved", format="1", learned_to=20, outcomes=20)
        for _ in range(7):
            store.submit(InsertCheckpoint(checkpoint, b"state")).result()
        response = StoredResponse(
            id="resp_1", key_id="k1", created=1.0, expires=9e9, previous=None, response=b"{}", input=b"[]", output=b"[]"
        )
        store.submit(InsertResponse(response)).result()
        store.submit(InsertContent(StoredContent("r001", NOW.isoformat(), "2+2?", "four"))).result()
    return db


def copy(source: str, target: str, *, page: int = 6) -> Sequence[Any]:
    return LedgerCopy(source, target, page=page).run(lambda _: None)


def contents(db: str) -> dict[str, list[tuple[Any, ...]]]:
    with closing(open_read_only(db)) as store, store.reading() as connection:
        return {
            table.name: connection.execute(f"{table.rows}{table.grouping} ORDER BY {', '.join(table.key)}").fetchall()
            for table in copied_tables()
        }


def reports(db: str) -> tuple[Any, ...]:
    with closing(open_read_only(db)) as store:
        return store.summary(days=REPORTED), store.patterns(days=REPORTED), store.timeline(days=REPORTED)


def test_every_table_is_copied() -> None:
    """Only the table of the write probe is left out, and the tables of keys come first."""
    names = [table.name for table in copied_tables()]
    assert {table.name for table in ledger_tables()} - set(names) == {"write_probe"}
    assert (names[:2], names[-1]) == (["admin_key", "virtual_keys"], "rollup")


@pytest.mark.parametrize("way", ["file to file", "there and back", "database to database"])
def test_copy_has_every_row(way: str, databases: Callable[[], str], tmp_path: Path) -> None:
    """Rows, ids, keys, budgets, sums and checkpoints are the same in the copy, and so are its reports."""
    first = filled(databases() if way.startswith("database") else str(tmp_path / "a.db"))
    stops = {"file to file": [], "there and back": [databases()], "database to database": [databases()]}[way]
    stops += [] if way.startswith("database") else [str(tmp_path / "b.db")]
    source = first
    for target in stops:
        tables = {each.name: each for each in copy(source, target)}
        assert contents(target) == contents(first)
        assert (tables["routing_metrics"].rows, tables["routing_metrics"].spent_nano) == (20, 19_000_000)
        source = target
    assert reports(source) == reports(first)


def test_new_rows_follow_the_copied_ones(databases: Callable[[], str], tmp_path: Path) -> None:
    """The next id in a copy is behind the copied ones, and a held budget is charged there."""
    target = databases()
    copy(filled(str(tmp_path / "a.db")), target)
    with closing(open_store(target)) as store:
        assert store.submit(InsertOutcome(outcome(100))).result() == 22
        store.submit(SettleRequest(ended("r000", actual_cost=Decimal("0.003")))).result()
        assert store.balance("k1", "total").held_nano == 0
        assert store.balance("k1", "total").used_nano == 22_000_000


@pytest.mark.parametrize("to_database", [False, True], ids=["file", "database"])
def test_interrupted_copy_is_continued(to_database: bool, databases: Callable[[], str], tmp_path: Path) -> None:
    """A copy that was interrupted after any page is completed by the next one, and its progress ends at the same number."""
    source = filled(str(tmp_path / "a.db"))
    ledgers = LedgerCopy(source, databases() if to_database else str(tmp_path / "b.db"), page=6)
    whole = ledgers.count()
    for pages in (1, 5, 14):
        seen: list[int] = []

        def interrupt(rows: int, seen: list[int] = seen, pages: int = pages) -> None:
            seen.append(rows)
            if len(seen) == pages:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ledgers.run(interrupt)
    done: list[int] = []
    ledgers.run(done.append)
    assert sum(done) == whole
    assert contents(ledgers._target) == contents(source)
    again: list[int] = []
    ledgers.run(again.append)
    assert sum(again) == whole


def test_target_with_other_rows_is_refused(tmp_path: Path) -> None:
    """Nothing is copied into a ledger that has rows of its own."""
    source, target = filled(str(tmp_path / "a.db")), str(tmp_path / "b.db")
    with closing(open_store(target)) as store:
        for number in range(3):
            store.submit(SettleRequest(ended(f"other{number}"))).result()
            store.submit(SettleRequest(ended(f"more{number}"))).result()
        store.submit(
            InsertVirtualKey(VirtualKey(id="z", name="z", digest=digest_of("z"), last4="z", created=NOW))
        ).result()
    before = contents(target)
    with pytest.raises(LedgerUnavailable, match=r"rows of virtual_keys that are not those of .*a\.db: name an empty"):
        copy(source, target)
    assert contents(target) == before


def test_change_of_copied_rows_is_noticed(tmp_path: Path) -> None:
    """A source that went on between two copies differs in the end, and the message says what to do."""
    source, target = filled(str(tmp_path / "a.db")), str(tmp_path / "b.db")
    copy(source, target)
    with closing(open_store(source)) as store:
        store.apply(
            lambda connection: connection.execute("UPDATE attempts SET cost_nano = 5 WHERE request_id = 'r007'")
        )
    with pytest.raises(
        LedgerUnavailable, match=r"differs .* in use or was changed between two copies: stop the gateways"
    ):
        copy(source, target)


def test_row_that_cannot_be_stored_is_named(databases: Callable[[], str], tmp_path: Path) -> None:
    """A value that PostgreSQL cannot store ends the copy with its table and place, and without the value."""
    source = filled(str(tmp_path / "a.db"))
    with closing(open_store(source)) as store:
        store.apply(
            lambda connection: connection.execute(
                "UPDATE routing_metrics SET reasoning = 's3cret' || char(0) WHERE id = 9"
            )
        )
    with pytest.raises(
        LedgerUnavailable, match=r"A row of routing_metrics with id from 7 to 12 cannot be stored"
    ) as error:
        copy(source, databases())
    assert not re.search("s3cret", str(error.value))


def test_values_of_other_tools_fit(databases: Callable[[], str], tmp_path: Path) -> None:
    """A whole number in a column of fractions, as SQLite allows it, is stored as a fraction."""
    source, target = filled(str(tmp_path / "a.db")), databases()
    with closing(open_store(source)) as store:
        store.apply(
            lambda connection: connection.execute("UPDATE routing_metrics SET duration = 2, reasoning = 5 WHERE id = 9")
        )
    copy(source, target)
    with closing(open_read_only(target)) as store:
        row = store.request("r008")
        assert row is not None
        assert (row["duration"], row["reasoning"]) == (2.0, "5")


def test_database_that_goes_away_ends_the_copy(databases: Callable[[], str], tmp_path: Path) -> None:
    """A database that is gone in the middle of a copy is the message of that database."""
    source, target = filled(str(tmp_path / "a.db")), databases()
    with pytest.raises(LedgerUnavailable, match="cannot be used"):
        LedgerCopy(source, target, page=6).run(lambda _: drop_database(target))


def test_target_that_fails_is_told(tmp_path: Path) -> None:
    """A target that cannot be written is the message of its ledger."""
    source = filled(str(tmp_path / "a.db"))
    with pytest.raises(LedgerUnavailable, match="its directory has to exist"):
        copy(source, str(tmp_path / "missing" / "b.db"))
