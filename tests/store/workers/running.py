"""A writer process as a thread of the test, one for each folder, as long as any of its stores is open."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from gateway.store.connection import DatabaseFile
from gateway.store.workers import WorkerStore, WriterProcess, listen_for_workers


class RunningWriter:
    """The writer process of the ledger in a folder. It can be ended, and another one take its place at the same socket."""

    def __init__(self, ledger: Path, *, busy_timeout: float = 5.0, **options: Any) -> None:
        self.ledger = ledger
        self._source = DatabaseFile(ledger, busy_timeout=busy_timeout)
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="writer-")
        self.path = Path(self._folder.name) / "writer"
        self.listening: socket.socket = listen_for_workers(self.path)
        self.start()

    def start(self) -> None:
        self.process = WriterProcess(self._source, self.listening, **self._options)
        self._thread = threading.Thread(target=self.process.run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self.process.stop()
        self.join()

    def close(self) -> None:
        if self._thread.is_alive():
            self.stop()
        self.listening.close()
        self._folder.cleanup()


class Writers:
    """The running writers by folder."""

    def __init__(self) -> None:
        self._running: dict[Path, RunningWriter] = {}
        self._users: Counter[Path] = Counter()

    def open(self, folder: Path, **options: Any) -> WorkerStore:
        """A store on the folder's ledger. The last that is closed ends the writer."""
        ledger = folder / "gateway.db"
        if not self._users[folder]:
            self._running[folder] = RunningWriter(ledger)
        self._users[folder] += 1
        store = _CountedStore(ledger, writer=self._running[folder].path, **options)
        store.closed_in = (self, folder)
        return store

    def closed(self, folder: Path) -> None:
        self._users[folder] -= 1
        if not self._users[folder]:
            self._running.pop(folder).close()


class _CountedStore(WorkerStore):
    closed_in: tuple[Writers, Path] | None = None

    def close(self) -> None:
        super().close()
        if self.closed_in is not None:
            (writers, folder), self.closed_in = self.closed_in, None
            writers.closed(folder)
