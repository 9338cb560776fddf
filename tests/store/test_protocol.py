"""The contract of `Store`, run on every implementation. It uses nothing but the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from gateway.accounts.budgets import Balance, Budget, Hold
from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.errors import BudgetExceeded, Conflict, GatewayError, InvalidRequest, LedgerUnavailable, NotFound
from gateway.records import Attempt, Feedback, Repricing
from gateway.store import (
    Checkpoint,
    DeleteExpiredResponses,
    DeleteResponse,
    InsertAdminKey,
    InsertCheckpoint,
    InsertFeedback,
    InsertOutcome,
    InsertRequest,
    InsertResponse,
    InsertVirtualKey,
    Mutation,
    RejectCheckpoint,
    ReplaceAdminKey,
    RevokeVirtualKey,
    RotateVirtualKey,
    SettleRequest,
    Store,
    StoredOutcome,
    StoredResponse,
    UpdateCosts,
    UpsertAttempt,
)
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.store import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.postgres import database_of
from tests.store.cases import NOW, begun, ended
from tests.store.workers.running import Writers

# Each opens a store in a folder: a second call on the same folder opens the same ledger. `NOW` is its time of day.
STORES: Mapping[str, Callable[[Path], Store]] = MappingProxyType(
    {
        "sqlite": lambda folder: SqliteStore(folder / "gateway.db", now=lambda: NOW),
        "postgres": lambda folder: PostgresStore(PostgresAddress.parse(database_of(folder)), now=lambda: NOW),
        "worker": partial(Writers().open, now=lambda: NOW),
    }
)
OUTCOME = StoredOutcome("gemini", "flash", "code", 0.2, quality=0.9)
RESERVED = Attempt(1, "gemini", "flash")
KEY = VirtualKey("k1", "team", digest_of("gw-one"), "-one", NOW)
ADMIN_KEY = AdminKey(digest_of("gw-admin-one"), "-one", NOW)
HOLD = Hold("k1", Budget(10_000_000, "day"), (20_000_000, 6_000_000), NOW)


@pytest.fixture(params=sorted(STORES))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    return lambda: STORES[request.param](tmp_path)


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Iterator[Store]:
    with closing(open_store()) as store:
        yield store


def checkpoint(learned_to: int = 5) -> Checkpoint:
    return Checkpoint("saved", "f1", learned_to=learned_to, outcomes=learned_to)


def row_of(store: Store, request_id: str = "r1") -> dict[str, Any]:
    row = store.request(request_id)
    assert row is not None
    return row


def test_closed_rows_are_priced_again_once(store: Store) -> None:
    """Closed rows are read with their attempts; new figures replace those that they were computed from, and only those."""
    store.submit(SettleRequest(ended("a"))).result()
    (row,) = store.priced_rows()
    assert ([attempt.number for attempt in row.attempts], list(store.priced_rows(after=row.id))) == ([1], [])
    new = Repricing(
        before=row,
        price_version="new",
        usage=None,
        evidence="modelled",
        actual_cost=Decimal("0.002"),
        baseline_cost=Decimal("0.008"),
        baseline_cost_low=None,
        baseline_cost_high=None,
        shadow_cost=None,
    )
    assert store.submit(UpdateCosts([new], "2026-11-23")).result() == 1
    assert store.submit(UpdateCosts([new], "2026-11-24")).result() == 0
    assert (row_of(store, "a")["actual_cost"], row_of(store, "a")["price_version"]) == (0.002, "new")
    assert store.summary(days=1)["total_cost"] == pytest.approx(0.002)


def test_request_from_insert_to_feedback(store: Store) -> None:
    """A request is inserted, attempted, settled and rated, and every report then shows it."""
    store.submit(InsertRequest(begun())).result()
    store.submit(UpsertAttempt("r1", RESERVED._replace(status="failed_free", cost=Decimal(0)))).result()
    store.submit(SettleRequest(ended())).result()
    store.submit(InsertFeedback(Feedback("r1", 1.0, "2026-11-22T10:01:00Z"))).result()

    row = row_of(store)
    assert (row["status"], row["attempts"][0]["status"], row["feedback"]["score"]) == ("ok", "failed_free", 1.0)
    assert store.summary(days=30)["total_requests"] == 1
    assert store.confidence() == {"high": 1}
    assert store.patterns()[0]["count"] == 1
    assert store.timeline(days=1)[0]["bucket"] == "2026-11-22T10"
    assert store.strong_share_by_key(newest=10)[0]["count"] == 1
    assert store.shadow(days=30)["shadow_requests"] == 0
    assert [found["request_id"] for found in store.requests(filters={"status": "ok"})] == ["r1"]
    assert store.requests(before=row["id"]) == []


def test_sums_for_the_report(store: Store) -> None:
    """Every store groups alike: by day or not, by session, by tags, with losses of caches, and ratings by the side of the draw."""
    miss = {"cache_miss": "switched_model", "cache_missed_tokens": 7, "cache_loss": Decimal("0.001")}
    rows = [
        ended("a", session_id="s1", holdback=False, **miss),
        ended("b", timestamp="2026-11-21T10:00:00.000+00:00", tags={"team": "x"}, key_id="k1", holdback=True),
    ]
    for row in rows:
        store.submit(SettleRequest(row)).result()
        store.submit(InsertFeedback(Feedback(row.request_id, 0.5, "2026-11-22T10:01:00Z"))).result()
    everything: dict[str, Any] = {"since": None, "until": None, "key_id": None}
    days = store.report_days(since=None, until=None, filters={})
    assert [(each["bucket"], each["lost_usd"], each["missed_tokens"]) for each in days] == [
        ("2026-11-21", 0.0, 0),
        ("2026-11-22", 0.001, 7),
    ]
    groups = store.report_groups(**everything)
    assert sorted((each["cache_miss"], each["missed_usd"]) for each in groups) == [("", 0.0), ("switched_model", 0.001)]
    assert [each["requests"] for each in store.report_groups(**everything | {"key_id": "k1"})] == [1]
    sessions, tags = (store.report_groups_by(column, **everything) for column in ("session_id", "tags"))
    assert [(each["value"], each["requests"]) for each in (*sessions, *tags)] == [("s1", 1), ('{"team":"x"}', 1)]
    assert store.report_labels(**everything) == [(0.5, False), (0.5, True)]


def test_settlement_is_idempotent(store: Store) -> None:
    """The first settlement stands; later ones and late attempts change nothing."""
    store.submit(InsertRequest(begun())).result()
    store.submit(SettleRequest(ended())).result()
    settled = row_of(store)

    store.submit(SettleRequest(ended(status="error", actual_cost=Decimal(1)))).result()
    store.submit(UpsertAttempt("r1", RESERVED._replace(number=2))).result()

    assert row_of(store) == settled
    assert store.summary(days=30)["total_cost"] == pytest.approx(0.001)


def test_settlement_inserts_a_missing_row(store: Store) -> None:
    """A settlement without an insert stores the whole row, with its outcomes."""
    store.submit(SettleRequest(ended(), [OUTCOME._replace(timestamp="2026-11-22T10:00:00Z")])).result()

    assert row_of(store)["status"] == "ok"
    assert [outcome.quality for outcome in store.outcomes()] == [0.9]


@pytest.mark.parametrize(
    ("mutation", "error"),
    [
        (InsertRequest(begun()), Conflict),
        (UpsertAttempt("unknown", RESERVED), NotFound),
        (InsertFeedback(Feedback("unknown", 1.0, "2026-11-22T10:01:00Z")), NotFound),
        (InsertFeedback(Feedback("r1", 1.5, "2026-11-22T10:01:00Z")), InvalidRequest),
        (InsertFeedback(Feedback("r1", 1.0, "2026-12-24T10:01:00Z")), Conflict),
        (InsertVirtualKey(VirtualKey("k2", "team", digest_of("gw-two"), "-two", NOW)), Conflict),
        (RotateVirtualKey("unknown", digest=digest_of("gw-two"), last4="-two"), NotFound),
        (RevokeVirtualKey("unknown", at=NOW), NotFound),
        (InsertRequest(begun("r2"), (HOLD,)), BudgetExceeded),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Mutation) else value.__name__,
)
def test_refused_mutation_changes_nothing(store: Store, mutation: Mutation[Any], error: type[GatewayError]) -> None:
    """A refusal is the future's exception; the mutations around it are committed."""
    store.submit(InsertVirtualKey(KEY)).result()
    assert store.submit(InsertRequest(begun(), (HOLD,))).result() == 1  # the second amount fits, and leaves too little

    refused = store.submit(mutation)
    after = store.submit(InsertOutcome(OUTCOME))

    assert isinstance(refused.exception(), error)
    assert after.result() > 0
    assert [row["status"] for row in store.requests()] == ["open"]
    assert list(store.virtual_keys()) == [KEY]


def test_holds_become_costs(store: Store) -> None:
    """Money held for a request is replaced by its cost when it is settled."""
    store.submit(InsertRequest(begun(), (HOLD,))).result()
    assert store.balance("k1", HOLD.period) == Balance(held_nano=6_000_000)

    store.submit(SettleRequest(ended())).result()

    assert store.balance("k1", HOLD.period) == Balance(used_nano=1_000_000)
    assert store.balance("unknown", HOLD.period) == Balance()


def test_keys(store: Store) -> None:
    """A rotated key keeps its id; a revoked one stays listed and frees its name."""
    store.submit(InsertVirtualKey(KEY)).result()
    store.submit(RotateVirtualKey("k1", digest=digest_of("gw-new"), last4="-new")).result()
    store.submit(RevokeVirtualKey("k1", at=NOW)).result()
    store.submit(InsertVirtualKey(VirtualKey("k2", "team", digest_of("gw-two"), "-two", NOW))).result()

    assert [(key.id, key.last4, key.revoked) for key in store.virtual_keys()] == [
        ("k1", "-new", NOW),
        ("k2", "-two", None),
    ]


def test_one_admin_key(store: Store) -> None:
    """There is at most one admin key: an insert keeps the existing one, a replacement does not."""
    other = AdminKey(digest_of("gw-admin-two"), "-two", NOW)
    assert store.admin_key() is None
    assert store.submit(InsertAdminKey(ADMIN_KEY)).result() is True
    assert store.submit(InsertAdminKey(other)).result() is False
    assert store.admin_key() == ADMIN_KEY

    store.submit(ReplaceAdminKey(other)).result()

    assert store.admin_key() == other


def test_outcomes(store: Store) -> None:
    """The result of an insert is the outcome's id; its time is now unless it has one."""
    first = store.submit(InsertOutcome(OUTCOME)).result()
    second = store.submit(InsertOutcome(OUTCOME._replace(timestamp="2026-01-01T00:00:00Z"))).result()

    assert [outcome.id for outcome in store.outcomes()] == [first, second]
    assert store.newest_outcome() == second
    assert store.outcomes()[0].timestamp == "2026-11-22T10:30:00.000+00:00"
    assert store.outcomes(after=first)[0].timestamp == "2026-01-01T00:00:00Z"


def test_outcomes_of_a_settlement_have_the_features_of_their_row(store: Store) -> None:
    """What the row has is stored once; other features stay those of the outcome."""
    own = StoredOutcome("gemini", "flash", "code", 0.2, request_id="r1", quality=0.9, features={"words": 12.0})
    other = own._replace(quality=0.1, features={"words": 7.0})
    settlement = SettleRequest(ended(), (own, other))
    store.submit(InsertRequest(begun())).result()
    store.submit(settlement).result()
    store.submit(InsertOutcome(own._replace(request_id="gone", features=None))).result()
    assert [outcome.features for outcome in store.outcomes()] == [{"words": 12.0}, {"words": 7.0}, None]


def test_checkpoints(open_store: Callable[[], Store]) -> None:
    """Checkpoints and their bodies survive a restart. The ten newest usable ones remain, and all rejected ones."""
    with closing(open_store()) as store:
        bad = store.submit(InsertCheckpoint(checkpoint(), b"bad")).result()
        store.submit(RejectCheckpoint(bad, "its checksum is wrong")).result()
        ids = [store.submit(InsertCheckpoint(checkpoint(number), b"body")).result() for number in range(12)]

    with closing(open_store()) as store:
        listed = store.states()
        assert [listed[0].problem, *(each.learned_to for each in listed[1:])] == [
            "its checksum is wrong",
            *range(2, 12),
        ]
        assert listed[1].timestamp == "2026-11-22T10:30:00.000+00:00"
        assert store.state_body(ids[-1]) == b"body"
        assert store.state_body(ids[0]) is None


def test_responses_are_kept_until_they_expire(store: Store) -> None:
    """A response is read as it was written until its key deletes it or it expires; what it continues is kept as long."""
    first = StoredResponse("resp_1", "k1", 1.0, 10.0, None, b"{}", b"[]", b"[1]")
    second = first._replace(id="resp_2", previous="resp_1", expires=20.0)
    for response in (first, second):
        store.submit(InsertResponse(response)).result()
    assert store.response("resp_1") == first._replace(expires=20.0)
    assert [store.submit(DeleteResponse("resp_1", key)).result() for key in ("k2", "k1", "k1")] == [False, True, False]
    store.submit(DeleteExpiredResponses(20.0)).result()
    assert store.response("resp_2") is None


def test_orphans_are_closed(open_store: Callable[[], Store]) -> None:
    """Rows that a closed store left open become `interrupted`, and their holds are charged; rows of a live store stay open."""
    with closing(open_store()) as first:
        first.submit(InsertRequest(begun("dead"), (HOLD,))).result()
    with closing(open_store()) as second, closing(open_store()) as third:
        second.submit(InsertRequest(begun("alive"))).result()

        assert third.close_orphans(now="2026-11-22T11:00:00Z") == 1
        assert third.close_orphans(now="2026-11-22T11:00:00Z") == 0
        assert (row_of(third, "dead")["status"], row_of(third, "alive")["status"]) == ("interrupted", "open")
        assert third.balance("k1", HOLD.period) == Balance(used_nano=6_000_000)


def test_flush(store: Store) -> None:
    """After a flush every earlier write is visible to reports."""
    futures = [store.submit(SettleRequest(ended(str(number)))) for number in range(100)]
    store.flush()

    assert all(future.done() for future in futures)
    assert store.summary(days=30)["total_requests"] == 100


def test_writes_from_many_threads(store: Store) -> None:
    """Writes from several threads are all committed."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: store.submit(SettleRequest(ended(str(number)))).result(), range(40)))

    assert len(store.requests(limit=100)) == 40


def test_reports_during_writes(store: Store) -> None:
    """A report sees whole commits, however much is written meanwhile."""
    futures = [store.submit(SettleRequest(ended(str(number)))) for number in range(300)]
    summaries = [store.summary(days=30) for _ in range(20)]
    for future in futures:
        future.result()

    assert all(summary["total_cost"] == pytest.approx(summary["total_requests"] / 1000) for summary in summaries)
    assert store.summary(days=30)["total_requests"] == 300


async def test_write_in_an_event_loop(store: Store) -> None:
    """An awaited write returns its result or raises its refusal; `then` is called with the error or None."""
    errors: list[BaseException | None] = []

    assert await store.write(InsertRequest(begun())) == 0
    await store.write(UpsertAttempt("r1", Attempt(2, "claude", "haiku")))
    with pytest.raises(Conflict):
        await store.write(InsertRequest(begun()), then=errors.append)
    await store.write(SettleRequest(ended()), then=errors.append)

    assert [type(error) for error in errors] == [Conflict, type(None)]
    assert [row["status"] for row in store.requests()] == ["ok"]


async def test_cancelled_write_is_committed(store: Store) -> None:
    """Cancelling the future does not undo the write."""
    future = store.write(SettleRequest(ended()))
    future.cancel()
    await store.write(InsertOutcome(OUTCOME))

    assert row_of(store)["status"] == "ok"


def test_checks(store: Store) -> None:
    """A sound ledger passes the integrity check and is writable."""
    store.submit(SettleRequest(ended())).result()

    store.check()
    assert store.writable()


def test_closed_store(store: Store) -> None:
    """A closed store refuses writes; closing twice is harmless."""
    store.close()
    store.close()

    assert isinstance(store.submit(SettleRequest(ended())).exception(), LedgerUnavailable)
    store.flush()
