"""Databases of the tests' PostgreSQL server, and stores on them that are closed when their test ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.store import PostgresStore
from tests.postgres import PostgresServer, drop_database, new_database, required

MakeStore = Callable[..., PostgresStore]


def until_writable(store: PostgresStore) -> None:
    """Wait until the database is back."""
    deadline = time.monotonic() + 10
    while not store.writable():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def url() -> Iterator[str]:
    """A database with the ledger's tables."""
    database = new_database()
    yield database
    drop_database(database)


@pytest.fixture
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    """Opens stores on the database of `url`, or on another one."""
    opened: list[PostgresStore] = []

    def make(url: str | None = None, **settings: Any) -> PostgresStore:
        address = PostgresAddress.parse(url or request.getfixturevalue("url"))
        opened.append(PostgresStore(address, **settings))
        return opened[-1]

    yield make
    for store in opened:
        with suppress(LedgerUnavailable):
            store.close()


@pytest.fixture(scope="package")
def server() -> Iterator[PostgresServer]:
    """A server that the tests may stop and kill; each test leaves it running."""
    required()
    server = PostgresServer()
    yield server
    server.close()
