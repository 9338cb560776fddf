"""Runs the work on large bodies (parse, translate, encode) in a thread, so that it does not block the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# Bytes; the work on a larger body would block the event loop too long: a tool's schema takes up to 80 ns a byte.
LARGE = 131_072

Result = TypeVar("Result")


class BodyExecutor:
    """One thread for all large bodies: more threads would compete with the event loop for the interpreter lock."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-bodies")

    async def run(self, size: int, work: Callable[[], Result]) -> Result:
        """Run `work`, in the thread if `size` exceeds LARGE bytes, and return its result.

        `work` must not use anything that the event loop changes meanwhile.
        """
        return work() if size <= LARGE else await self.run_in_thread(work)

    async def run_in_thread(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the thread and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Start no further work; work that is running is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)
