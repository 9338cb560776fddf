"""The turnstile."""

from __future__ import annotations

import asyncio

from gateway.api.fair_start import StartPacer


class Rush:
    """Requests that come at the same moment; `turns` says in which turn of the loop each began."""

    def __init__(self, number: int, start_pacer: StartPacer) -> None:
        self.turn = 0
        self.turns: dict[int, int] = {}
        self.start_pacer = start_pacer
        self.tasks = [asyncio.create_task(self.request(each)) for each in range(number)]

    async def request(self, number: int) -> None:
        await self.start_pacer.wait()
        self.turns[number] = self.turn

    async def over(self) -> None:
        while not all(task.done() for task in self.tasks):
            await asyncio.sleep(0)
            self.turn += 1


async def test_one_request_starts_per_loop_iteration() -> None:
    """In a rush requests begin in the order they came in, one in each turn of the loop."""
    rush = Rush(20, StartPacer())
    await rush.over()
    assert list(rush.turns) == list(range(20))
    assert len(set(rush.turns.values())) == 20


async def test_single_request_starts_at_once() -> None:
    """One at a time begins at once, again and again."""
    start_pacer = StartPacer()
    for _ in range(3):
        entering = start_pacer.wait()
        try:
            entering.send(None)
        except StopIteration:
            began = True
        assert began
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_who_leaves_takes_no_turn() -> None:
    """A request that is gone before its turn leaves it to the next one."""
    rush = Rush(5, StartPacer())
    await asyncio.sleep(0)
    rush.tasks[1].cancel()
    rush.tasks[2].cancel()
    await rush.over()
    assert list(rush.turns) == [0, 3, 4]


async def test_second_burst_starts_like_the_first() -> None:
    """When a rush is over the next one is let in the same way."""
    start_pacer = StartPacer()
    for _ in range(2):
        rush = Rush(4, start_pacer)
        await rush.over()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(rush.turns) == 4
