"""Ledgers in temporary directories, closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from gateway.store.connection import DatabaseFile
from gateway.store.process_lease import ProcessLease
from gateway.store.sqlite import SqliteStore
from tests.store.cases import NOW

MakeLedger = Callable[..., SqliteStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def make_ledger(path: Path) -> Iterator[MakeLedger]:
    opened: list[SqliteStore] = []

    def make(**settings: Any) -> SqliteStore:
        opened.append(SqliteStore(path, **{"now": lambda: NOW, **settings}))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> SqliteStore:
    return make_ledger()


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    with closing(DatabaseFile(path).open()) as connection:
        yield connection


@pytest.fixture
def owner(path: Path) -> Iterator[ProcessLease]:
    owner = ProcessLease(path)
    yield owner
    owner.release()
