"""A thread with an event loop for everything but the writer: connections that only read, and the renewal of the lease."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from gateway.errors import LedgerUnavailable
from gateway.store.postgres import failures
from gateway.store.postgres.connection import PostgresConnection, PostgresSource, new_event_loop

# Reports take milliseconds; one that takes longer is ended, so that slow reports cannot accumulate.
READ_TIMEOUT = 10.0
# Connections of one process for reading, so that its replicas do not use up the server's.
MOST_READERS = 4
_GRACE_SECONDS = 1.0


class LoopThread:
    """An event loop in a daemon thread; it starts with the first call. Once closed it refuses: RuntimeError."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a coroutine that runs in the loop, from any other thread. Its own time limit has to end it."""
        return self.start(work).result()

    def start(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        with self._lock:
            if self._closed:
                work.close()
                raise RuntimeError("the event loop is closed")
            if self._loop is None:
                self._loop = new_event_loop()
                self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        with self._lock:
            loop, self._loop, self._closed = self._loop, None, True
        if loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not threading.current_thread():
            self._thread.join()

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class PostgresReaders:
    """At most `MOST_READERS` connections for reports; further reports wait."""

    def __init__(self, source: PostgresSource, thread: LoopThread, *, seconds: float = READ_TIMEOUT) -> None:
        self._source = source
        self._thread = thread
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(MOST_READERS)
        self._idle: deque[PostgresConnection] = deque()
        self._open: set[PostgresConnection] = set()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[PostgresConnection]:
        """A connection for one report, in one transaction: a consistent snapshot. Raises LedgerUnavailable, also after the timeout."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off"
        with self._connection(begin, seconds=self._seconds) as connection:
            yield connection

    @contextmanager
    def changing(self, *, seconds: float | None = None) -> Iterator[PostgresConnection]:
        """A connection for a change that is not the writer's, in one transaction. Raises LedgerUnavailable.

        A statement takes at most `seconds`, by default those of a report.
        """
        with self._connection("BEGIN", seconds=seconds or self._seconds) as connection:
            yield connection

    def close(self) -> None:
        self._closed = True
        self._idle.clear()
        for connection in tuple(self._open):
            self._drop(connection)
        self._thread.close()

    @contextmanager
    def _connection(self, begin: str, *, seconds: float) -> Iterator[PostgresConnection]:
        if not self._places.acquire(timeout=self._seconds):
            raise self._unavailable(TimeoutError("all connections for reports are in use"))
        try:
            connection = self._begun(f"{begin}; SET LOCAL statement_timeout = {int(1000 * seconds)}", seconds)
            try:
                yield connection
                connection.script("COMMIT")
            except BaseException:
                self._drop(connection)
                raise
            self._idle.append(connection)
        except Exception as error:
            if self._closed:
                raise LedgerUnavailable("The ledger is closed.") from error
            if isinstance(error, LedgerUnavailable) or not failures.concerns_database(error):
                raise
            raise self._unavailable(error) from error
        finally:
            self._places.release()

    def _begun(self, begin: str, seconds: float) -> PostgresConnection:
        """A connection in a transaction. An idle one that was lost meanwhile is replaced."""
        while self._idle:
            connection = self._idle.pop()
            connection.statement_seconds = seconds + _GRACE_SECONDS
            try:
                connection.script(begin)
            except Exception as error:
                self._drop(connection)
                if not failures.is_lost(error) or isinstance(error, TimeoutError):
                    raise
            else:
                return connection
        if self._closed:
            raise LedgerUnavailable("The ledger is closed.")
        driver = self._thread.run(self._source.connect())
        connection = PostgresConnection(driver, self._thread.run, statement_seconds=seconds + _GRACE_SECONDS)
        self._open.add(connection)
        try:
            connection.script(begin)
        except BaseException:
            self._drop(connection)
            raise
        return connection

    def _drop(self, connection: PostgresConnection) -> None:
        async def end() -> None:
            connection.driver.terminate()

        self._open.discard(connection)
        with suppress(RuntimeError):  # closed meanwhile, which ended the connection
            self._thread.run(end())

    def _unavailable(self, error: BaseException) -> LedgerUnavailable:
        return failures.unavailable(self._source.address, error)


async def run_every(seconds: float, work: Callable[[], object]) -> None:
    """Call `work` in a thread until cancelled; it has to handle its own errors."""
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(work)
