"""A row's end, however its request ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.accounts.budgets import Balance, Budget, Hold
from gateway.completion import Chunk, Completion, Usage
from gateway.errors import LedgerUnavailable, UpstreamOverloaded
from gateway.proxy import ChatError, transaction_state
from gateway.proxy.request_end import End
from gateway.proxy.settlement import ReceivedAnswer
from gateway.proxy.transaction import RequestTransaction
from gateway.proxy.transaction_state import TRANSITIONS, State
from gateway.resilience import Candidate
from gateway.routing import PricedOption, Reservation
from gateway.routing.feedback.labels import AnswerFacts
from gateway.store import StoredOutcome
from gateway.store.sqlite import SqliteStore
from tests.conftest import MakeGateway
from tests.proxy.transactions import HAIKU, NoOutcomes, transaction_on
from tests.upstreams import failing

CLAUDE = "claude/claude-haiku-5-5"
SONNET = Candidate("claude", "claude-sonnet-5-5")


def broken(request: httpx2.Request) -> httpx2.Response:
    raise RuntimeError("a mistake of ours")


def test_a_mistake_of_ours(make_gateway: MakeGateway) -> None:
    """When our own code fails on a request the client gets a 500 without its words, and the row is closed."""
    gateway = make_gateway(broken)
    response = gateway.ask(model=CLAUDE)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "mistake" not in response.text
    (row,) = gateway.rows
    assert (row["status"], row["error_code"]) == ("error", "internal_error")


def test_nobody_was_called(make_gateway: MakeGateway) -> None:
    """A request that is refused because its provider asked for a rest costs nothing, and its attempt says so."""
    gateway = make_gateway(failing(429, "claude", headers={"retry-after": "60"}))
    assert gateway.ask(model=CLAUDE).status_code == 429
    assert gateway.ask(model=CLAUDE).status_code == 429
    (row,) = gateway.rows[1:]
    assert [attempt["status"] for attempt in row["attempts"]] == ["failed_free"]
    assert row["actual_cost"] == 0


@pytest.mark.parametrize("kept", [True, False])
def test_features_can_be_left_out(make_gateway: MakeGateway, kept: bool) -> None:
    """With `record_features: false` a row has none of the numbers that the router saw, and no outcome has them."""
    gateway = make_gateway(config=f"record_features: {str(kept).lower()}\n")
    assert gateway.ask().status_code == 200
    (row,) = gateway.rows
    assert bool(row["features"]) is kept
    assert all(bool(outcome.features) is kept for outcome in gateway.store.outcomes())


def test_observers_hear_of_every_row(make_gateway: MakeGateway) -> None:
    """Answered or refused, each committed row is counted once."""
    gateway = make_gateway(failing(503, "claude"))
    gateway.ask(model=CLAUDE)
    gateway.ask(model="gemini/gemini-3.8-flash")
    text = gateway.client.get("/metrics").text
    counted = [line for line in text.splitlines() if line.startswith("gateway_requests_total{")]
    assert [line.rpartition(" ")[2] for line in counted] == ["1.0", "1.0"]


class FailingOutcomes(NoOutcomes):
    def on_settled(self, *_: Any, **__: Any) -> Sequence[StoredOutcome]:
        raise RuntimeError("a bug")


USAGE = Usage(prompt_tokens=9, completion_tokens=1)
WHOLE = End.completed(ReceivedAnswer(USAGE), AnswerFacts())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        yield store


def row_of(store: SqliteStore) -> Any:
    return store.request("req_1")


async def test_a_mistake_in_learning(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    """When collecting outcomes fails because of a bug, the row is settled and the answer given all the same."""
    async with transaction_on(store, outcomes=FailingOutcomes()) as transaction:
        await transaction.begin()
        await transaction.call(HAIKU)
        assert (await transaction.finish(WHOLE)).status == "ok"
    assert row_of(store)["status"] == "ok"
    assert "nothing is learned from req_1" in caplog.text


class UnreadableStore(SqliteStore):
    def balance(self, account: str, period: str) -> Balance:
        raise LedgerUnavailable("No reads.")


def with_session_budget(transaction: RequestTransaction, *, limit_nano: int) -> RequestTransaction:
    hold = Hold("session:s", Budget(limit_nano), (1,), datetime(2026, 11, 29, tzinfo=UTC))
    transaction.plan = replace(transaction.plan, reservation=Reservation((PricedOption((HAIKU,), 1),), (hold,)))
    return transaction


async def test_spent_session_budget_is_logged_and_settled(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    """From 80 % on each request of the session has a line in the log."""
    for name in ("req_1", "req_2"):
        transaction = with_session_budget(transaction_on(store), limit_nano=10**6)
        transaction.record = transaction.record._replace(request_id=name)
        async with transaction:
            await transaction.begin()
            await transaction.call(HAIKU)
            usage = ReceivedAnswer(Usage(prompt_tokens=9, reported_cost=Decimal("0.0009")))
            await transaction.finish(End.completed(usage, AnswerFacts()))
    assert [record.getMessage() for record in caplog.records] == ["the session None has spent 90 % of its budget"]


async def test_unreadable_balance_refuses_nothing(tmp_path: Path) -> None:
    """The money is held already: only the spent share is not told."""
    with closing(UnreadableStore(tmp_path / "gateway.db")) as store:
        async with with_session_budget(transaction_on(store), limit_nano=10**6) as transaction:
            await transaction.begin()
            await transaction.call(HAIKU)
            assert (await transaction.finish(WHOLE)).status == "ok"
        assert transaction.record.session_spending is None


def test_the_drawn_table_is_the_table() -> None:
    """The table of states in the module's docstring says what the code allows."""
    lines = (transaction_state.__doc__ or "").splitlines()
    events, *rows = [line.split() for line in lines if line.startswith("    ") and "->" not in line]
    drawn = {
        State[name]: {event: State[target] for event, target in zip(events, targets, strict=True) if target != "-"}
        for name, *targets in rows
    }
    assert drawn == TRANSITIONS


ENDS = {
    "cancelled": (asyncio.CancelledError(), asyncio.CancelledError, ("cancelled", 499, None)),
    "upstream": (UpstreamOverloaded("Busy.", provider="claude"), ChatError, ("error", 503, "upstream_overloaded")),
    "ledger": (LedgerUnavailable("No room."), LedgerUnavailable, ("error", 503, "ledger_unavailable")),
    "bug": (RuntimeError("a bug"), RuntimeError, ("error", 500, "internal_error")),
}


@pytest.mark.parametrize(("error", "raised", "expected"), ENDS.values(), ids=ENDS)
async def test_an_exception_that_leaves_the_block_settles(
    store: SqliteStore, error: BaseException, raised: type[BaseException], expected: tuple[object, ...]
) -> None:
    """Each exception has its end: status, HTTP status and error code of the row."""
    transaction = transaction_on(store)

    async def serve() -> None:
        async with transaction:
            await transaction.begin()
            await transaction.call(HAIKU)
            if isinstance(error, UpstreamOverloaded):
                transaction.call_failed(error)
            raise error

    with pytest.raises(raised):
        await serve()
    record = transaction.record
    assert (record.status, record.http_status, record.error_code) == expected


class Half:
    received = ReceivedAnswer(None, 400)


@pytest.mark.parametrize("error", [UpstreamOverloaded("Busy."), RuntimeError("a bug")], ids=["upstream", "bug"])
async def test_an_answer_that_breaks_is_charged_by_estimate(store: SqliteStore, error: Exception) -> None:
    """After the first byte, what was received is charged, whatever broke."""
    transaction = transaction_on(store, stream=True)

    async def serve() -> None:
        async with transaction:
            await transaction.begin()
            await transaction.call(HAIKU)
            transaction.first_byte(Chunk())
            transaction.receive_from(Half())
            raise error

    with pytest.raises((ChatError, RuntimeError)):
        await serve()
    (attempt,) = transaction.record.attempts
    assert (transaction.record.status, transaction.record.http_status) == ("error", 200)
    assert (attempt.status, attempt.usage and attempt.usage.completion_tokens) == ("unknown_estimated", 100)
    assert transaction.record.estimated


async def test_a_request_is_settled_once(store: SqliteStore) -> None:
    """After the settlement `abandon` does nothing, and a second end is a bug."""
    async with transaction_on(store) as transaction:
        await transaction.begin()
        await transaction.call(HAIKU)
        await transaction.finish(WHOLE)
        transaction.abandon()
        assert transaction.record.status == "ok"
        with pytest.raises(RuntimeError, match="settled has no transition 'settle'"):
            transaction.settle(WHOLE)


async def test_a_rejected_answer_is_kept_when_the_ledger_takes_no_further_attempt(store: SqliteStore) -> None:
    """The answer that failed validation is given and priced; the attempt that was not made is closed and free."""
    async with transaction_on(store) as transaction:
        await transaction.begin()
        await transaction.call(HAIKU)
        transaction.first_byte(Chunk())
        transaction.reject(Completion([{"message": {"content": "x"}}], USAGE))
        await transaction.call(SONNET)
        transaction.keep_rejected(LedgerUnavailable("No room."))
        record = await transaction.finish(End.completed(ReceivedAnswer(USAGE), AnswerFacts()))
    assert (record.status, record.selected_model, record.usage) == ("ok", HAIKU.model, USAGE)
    assert [(attempt.status, attempt.error) for attempt in record.attempts] == [
        ("settled", "failed_validation"),
        ("failed_free", "ledger_unavailable"),
    ]
