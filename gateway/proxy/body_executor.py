"""Large bodies are parsed, translated and written in a thread, so that the event loop goes on serving everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# Bytes from which the work on a body may take longer than the event loop may be held: a tool's schema takes up to 80 ns a byte.
LARGE = 131_072

Result = TypeVar("Result")


class BodyExecutor:
    """One thread, in which large bodies take turns: more would share the same interpreter's lock with the event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-bodies")

    async def run(self, size: int, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises; it is done at once where `size` bytes are few. Must not touch what the loop changes."""
        return work() if size <= LARGE else await self.run_in_thread(work)

    async def run_in_thread(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises, done in the thread whatever its size."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Nothing new is begun; what is under way ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)
