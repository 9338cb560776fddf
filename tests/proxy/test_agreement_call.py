"""What becomes of two calls at once when the client leaves, one hangs, or the ledger refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog import ModelKey
from gateway.completion import ChatRequest, Completion, Usage
from gateway.errors import InvalidRequest, LedgerUnavailable, UpstreamOverloaded, UpstreamTimeout
from gateway.proxy import ChatError
from gateway.proxy.agreement import AgreementCall
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.request_end import End
from gateway.proxy.settlement import received
from gateway.proxy.transaction import RequestTransaction
from gateway.proxy.upstream import UpstreamStream
from gateway.resilience import AttemptSequence, Candidate, FailoverPolicy, UpstreamHealth
from gateway.routing import Plan, Ranking, RoutingContext, RoutingMode
from gateway.routing.strategies.agreement import AgreementPlan
from gateway.store import UpsertAttempt
from gateway.store.mutations import CommitCallback, Mutation
from gateway.store.sqlite import SqliteStore
from tests.proxy.transactions import transaction_for
from tests.resilience.clocks import Clock

FIRST = Candidate("claude", "claude-haiku-5-5")
PARTNER = Candidate("gemini", "gemini-3.8-flash")
BETTER = Candidate("claude", "claude-sonnet-5-5")
FIRST_KEY, PARTNER_KEY, BETTER_KEY = (ModelKey(each.provider, each.model) for each in (FIRST, PARTNER, BETTER))
PLAN = Plan(
    Ranking(
        FIRST_KEY,
        "hybrid",
        "low",
        "It will do.",
        agreement=AgreementPlan(FIRST_KEY, PARTNER_KEY, BETTER_KEY, quality=0.9, cost=0.001, agreement=0.8),
    ),
    (FIRST, BETTER, PARTNER),
    FIRST_KEY,
    RoutingContext(prompt="2+2?"),
    RoutingMode.AUTO,
)
Behaviour = Callable[[], Awaitable[Completion]]


def says(text: str) -> Completion:
    message = {"role": "assistant", "content": text}
    return Completion([{"index": 0, "finish_reason": "stop", "message": message}], Usage(10, 5))


async def four() -> Completion:
    return says("4")


async def five() -> Completion:
    return says("5")


async def never() -> Completion:
    await asyncio.Event().wait()
    raise AssertionError


def failing(error: Exception) -> Behaviour:
    async def fail() -> Completion:
        raise error

    return fail


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        yield store


class Run:
    """A run whose models behave as told, in the order first, partner, better one."""

    def __init__(self, store: SqliteStore, *behaviours: Behaviour, **options: Any) -> None:
        clock = Clock()
        policy = FailoverPolicy(UpstreamHealth(clock), clock=clock, uniform=lambda low, high: low)
        self.store = store
        self.transaction = transaction_for(PLAN, store)
        self.called: list[Candidate] = []
        self.answered: list[Candidate] = []
        self._changed = asyncio.Event()
        self._behaviours = dict(zip((FIRST, PARTNER, BETTER), behaviours, strict=False))
        self._run = AgreementCall(
            self.transaction,
            policy.begin(PLAN.candidates, pinned=False),
            call=self._call,
            call_until_answered=self._call_until_answered,
            worker=BodyExecutor(),
            **options,
        )

    async def serve(self) -> Completion:
        async with self.transaction as transaction:
            await transaction.begin()
            completion, _ = await self._run.answer()
            await transaction.finish(End.completed(received(completion)))
        return completion

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _call(
        self,
        transaction: RequestTransaction,
        candidate: Candidate,
        request: ChatRequest,
        *,
        remaining: float,
        attempt: int | None = None,
    ) -> Completion:
        self.called.append(candidate)
        self._changed.set()
        completion = await self._behaviours[candidate]()
        self.answered.append(candidate)
        self._changed.set()
        return completion

    async def _call_until_answered(
        self, transaction: RequestTransaction, attempts: AttemptSequence
    ) -> Completion | UpstreamStream:
        candidate = attempts.next()
        if candidate is None:
            raise attempts.exhausted()
        try:
            completion = await self._call(transaction, candidate, await transaction.call(candidate), remaining=1.0)
        except UpstreamOverloaded as error:
            transaction.call_failed(error)
            attempts.failed(error)
            raise
        transaction.first_byte(completion)
        return completion

    def row(self) -> dict[str, Any]:
        row = self.store.request("req_1")
        assert row is not None
        return row

    def statuses(self) -> Sequence[str]:
        return [attempt["status"] for attempt in self.row()["attempts"]]


async def leave(run: Run, *, after: Callable[[], bool]) -> None:
    task = asyncio.create_task(run.serve())
    await run.until(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run.store.flush()  # nobody waits for the commit


async def test_client_leaves_while_one_is_asked(store: SqliteStore) -> None:
    """The answer that came is in the row with its cost, the call under way by estimate."""
    run = Run(store, four, never)
    await leave(run, after=lambda: run.answered == [FIRST])
    assert (run.row()["status"], run.statuses()) == ("cancelled", ["settled", "cancelled_estimated"])
    assert run.row()["actual_cost"] > run.row()["attempts"][1]["cost"] > 0


async def test_client_leaves_while_both_are_asked(store: SqliteStore) -> None:
    """Both calls are in the row by estimate."""
    run = Run(store, never, never)
    await leave(run, after=lambda: len(run.called) == 2)
    assert (run.row()["status"], run.statuses()) == ("cancelled", ["cancelled_estimated"] * 2)


async def test_client_leaves_while_the_better_model_is_asked(store: SqliteStore) -> None:
    """Two answers are paid for, the third by estimate."""
    run = Run(store, four, five, never)
    await leave(run, after=lambda: len(run.called) == 3)
    assert (run.row()["status"], run.statuses()) == ("cancelled", ["settled", "settled", "cancelled_estimated"])
    assert run.row()["actual_cost"] == pytest.approx(sum(each["cost"] for each in run.row()["attempts"]))


async def test_model_that_hangs_is_not_waited_for(store: SqliteStore) -> None:
    """An answer that is there is given in time; what the other call may cost is estimated."""
    run = Run(store, four, never, least_patience=0.0)
    completion = await run.serve()
    assert completion.choices[0]["message"]["content"] == "4"
    assert (run.row()["status"], run.statuses()) == ("ok", ["settled", "cancelled_estimated"])
    assert run.row()["agreement"]["agreed"] is None


async def test_second_model_is_waited_for_while_no_answer_came(store: SqliteStore) -> None:
    """A failure is no answer: the other call has all its time."""

    async def slow() -> Completion:
        for _ in range(10):
            await asyncio.sleep(0)
        return says("4")

    run = Run(store, failing(UpstreamTimeout("late", provider="claude")), slow, least_patience=0.0)
    assert (await run.serve()).choices[0]["message"]["content"] == "4"
    assert run.statuses() == ["unknown_estimated", "settled"]


async def test_request_that_a_dialect_cannot_express(store: SqliteStore) -> None:
    """One model cannot be sent the request: the other one answers alone."""
    run = Run(store, four, failing(InvalidRequest("no audio")))
    await run.serve()
    assert run.statuses() == ["settled", "failed_free"]


class RefusingStore(SqliteStore):
    """Has no room for a second attempt."""

    def write(self, mutation: Mutation[Any], *, then: CommitCallback | None = None) -> asyncio.Future[Any]:
        if isinstance(mutation, UpsertAttempt):
            raise LedgerUnavailable("The disk is full.")
        return super().write(mutation, then=then)


async def test_ledger_that_refuses_the_second_call(tmp_path: Path) -> None:
    """Nothing is called that is not in the ledger."""
    with closing(RefusingStore(tmp_path / "gateway.db")) as store:
        run = Run(store, four, four)
        with pytest.raises(LedgerUnavailable):
            await run.serve()
        assert run.called == []
        store.flush()
        assert (run.row()["status"], run.statuses()) == ("error", ["failed_free", "failed_free"])


async def test_mistake_of_ours_closes_both_calls(store: SqliteStore) -> None:
    """A bug in one call ends the other; the row is settled."""
    run = Run(store, failing(RuntimeError("a bug")), never)
    with pytest.raises(RuntimeError):
        await run.serve()
    assert run.row()["status"] == "error"
    assert "reserved" not in run.statuses()


async def test_neither_answers_and_nothing_is_left(store: SqliteStore) -> None:
    """The client gets the error of all attempts, with its row."""
    busy = failing(UpstreamOverloaded("busy", provider="claude"))
    run = Run(store, busy, busy, busy)
    with pytest.raises(ChatError):
        await run.serve()
    assert (run.row()["status"], len(run.row()["attempts"])) == ("error", 3)
