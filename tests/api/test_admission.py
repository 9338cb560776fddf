"""Admission: whatever comes, waits and leaves, places are neither lost nor given twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.api.admission import ConcurrencyLimiter, StartPacer
from gateway.errors import Overloaded

PLACES, QUEUE = 3, 2


class Timer:
    """Goes off when the test says so."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Line(RuleBasedStateMachine):
    """Requests come, finish, leave and lose patience in any order; a model knows who should be where."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.timers: dict[int, Timer] = {}
        self.admission = ConcurrencyLimiter(in_flight=PLACES, queue=QUEUE, wait=7, call_later=self.call_later)
        self.tasks: dict[int, asyncio.Task[str]] = {}
        self.finished: dict[int, asyncio.Event] = {}
        self.inside: list[int] = []
        self.served: list[int] = []
        self.waiting: list[int] = []
        self.count = 0

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        assert seconds == 7
        return self.timers.setdefault(self.count, Timer(action))

    async def request(self, number: int) -> str:
        try:
            async with self.admission:
                self.inside.append(number)
                await self.finished[number].wait()
                return "served"
        except Overloaded:
            return "refused"
        finally:
            if number in self.inside:
                self.inside.remove(number)

    def turns(self) -> None:
        async def some() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(some())

    def advance(self) -> None:
        """The model's move: the places that are free go to the head of the line."""
        while self.waiting and len(self.served) < PLACES:
            self.served.append(self.waiting.pop(0))

    @rule()
    def comes(self) -> None:
        self.count += 1
        refused = len(self.served) == PLACES and len(self.waiting) == QUEUE
        self.finished[self.count] = asyncio.Event()
        self.tasks[self.count] = self.loop.create_task(self.request(self.count))
        self.turns()
        if refused:
            assert self.tasks[self.count].result() == "refused"
        else:
            self.waiting.append(self.count)
            self.advance()

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def is_done(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.served))
        self.finished[number].set()
        self.turns()
        assert self.tasks[number].result() == "served"
        self.served.remove(number)
        self.advance()

    @precondition(lambda self: self.served or self.waiting)
    @rule(data=st.data())
    def goes(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.served + self.waiting))
        self.tasks[number].cancel()
        self.turns()
        assert self.tasks[number].cancelled()
        (self.served if number in self.served else self.waiting).remove(number)
        self.advance()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def loses_patience(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.waiting))
        self.timers[number].action()
        self.turns()
        assert self.tasks[number].result() == "refused"
        self.waiting.remove(number)

    @precondition(lambda self: self.served and self.waiting)
    @rule(patient=st.booleans())
    def goes_as_its_turn_comes(self, patient: bool) -> None:
        """In the same turn of the loop: one is done, the head of the line leaves, and its time may be up too."""
        done, first = self.served[0], self.waiting[0]
        self.finished[done].set()
        self.loop.call_soon(self.tasks[first].cancel)
        if patient:
            self.loop.call_soon(self.timers[first].action)
        self.turns()
        assert self.tasks[first].cancelled()
        self.served.remove(done)
        self.waiting.remove(first)
        self.advance()

    @precondition(lambda self: self.waiting)
    @rule()
    def goes_as_its_time_is_up(self) -> None:
        first = self.waiting.pop(0)
        self.timers[first].action()
        self.tasks[first].cancel()
        self.turns()

    @precondition(lambda self: self.served and self.waiting)
    @rule()
    def goes_before_its_turn_is_noticed(self) -> None:
        """The head of the line is cancelled, and before it can say so the place comes free."""
        done, first = self.served[0], self.waiting[0]
        self.tasks[first].cancel()
        self.tasks[done].cancel()
        self.turns()
        self.served.remove(done)
        self.waiting.remove(first)
        self.advance()

    @invariant()
    def as_the_model_says(self) -> None:
        assert sorted(self.inside) == sorted(self.served)
        assert self.admission.in_flight == len(self.served) <= PLACES
        assert self.admission.waiting == len(self.waiting) <= QUEUE
        assert all(timer.cancelled for number, timer in self.timers.items() if number not in self.waiting)

    def teardown(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        self.turns()
        assert (self.admission.in_flight, self.admission.waiting) == (0, 0)
        self.loop.close()


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=15, stateful_step_count=25, derandomize=True, deadline=None)


async def test_full_means_not_even_read() -> None:
    """Once places and line are taken a newcomer is told so before anything is read; how often is counted."""
    admission = ConcurrencyLimiter(in_flight=1, queue=0, wait=1)
    admission.check_capacity()
    async with admission:
        with pytest.raises(Overloaded) as refused:
            admission.check_capacity()
    assert (refused.value.status, refused.value.retry_after, admission.refused) == (503, 1.0, 1)
    admission.check_capacity()


async def test_wait_for_admission_is_bounded() -> None:
    """By the event loop's own clock too, whoever waits long enough is refused."""
    admission = ConcurrencyLimiter(in_flight=1, queue=1, wait=0)
    async with admission:
        with pytest.raises(Overloaded):
            async with admission:
                pytest.fail("there is one place")


class Burst:
    """Requests that arrive at the same moment; `iterations` says in which iteration of the loop each started."""

    def __init__(self, number: int, start_pacer: StartPacer) -> None:
        self.iteration = 0
        self.iterations: dict[int, int] = {}
        self.start_pacer = start_pacer
        self.tasks = [asyncio.create_task(self.request(index)) for index in range(number)]

    async def request(self, number: int) -> None:
        await self.start_pacer.wait()
        self.iterations[number] = self.iteration

    async def over(self) -> None:
        while not all(task.done() for task in self.tasks):
            await asyncio.sleep(0)
            self.iteration += 1


async def test_burst_starts_one_request_per_loop_iteration() -> None:
    """The requests of a burst start in the order of their arrival, one in each iteration of the loop."""
    burst = Burst(20, StartPacer())
    await burst.over()
    assert list(burst.iterations) == list(range(20))
    assert len(set(burst.iterations.values())) == 20


async def test_single_request_starts_without_wait() -> None:
    """A request that arrives alone starts at once, each time."""
    start_pacer = StartPacer()
    for _ in range(3):
        waiting = start_pacer.wait()
        with pytest.raises(StopIteration):
            waiting.send(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_cancelled_request_takes_no_iteration() -> None:
    """A request that was cancelled while it waited leaves its iteration to the next one."""
    burst = Burst(5, StartPacer())
    await asyncio.sleep(0)
    burst.tasks[1].cancel()
    burst.tasks[2].cancel()
    await burst.over()
    assert list(burst.iterations) == [0, 3, 4]
