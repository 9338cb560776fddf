"""A ledger with its writer process, and the stores of workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.process_lease import ProcessLease
from gateway.store.sqlite import SqliteStore
from gateway.store.workers import WorkerStore
from tests.store.cases import NOW
from tests.store.workers.running import RunningWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def owner(path: Path) -> Iterator[ProcessLease]:
    owner = ProcessLease(path)
    yield owner
    owner.release()


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteStore]:
    """The ledger itself, for a look at what was written."""
    with closing(SqliteStore(path, now=lambda: NOW)) as ledger:
        yield ledger


@pytest.fixture
def writer(ledger: SqliteStore) -> Iterator[RunningWriter]:
    with closing(RunningWriter(ledger.path)) as writer:
        yield writer


@pytest.fixture
def store(writer: RunningWriter) -> Iterator[WorkerStore]:
    with closing(WorkerStore(writer.ledger, writer=writer.path, now=lambda: NOW)) as store:
        yield store
