"""A database and gateways on it, each a process of its own, in front of one upstream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import drop_database, new_database
from tests.soak.processes import upstream
from tests.soak.replicas import Replicas


@pytest.fixture(scope="session")
def upstream_port() -> Iterator[int]:
    with upstream() as port:
        yield port


@pytest.fixture
def replicas(tmp_path: Path, upstream_port: int) -> Iterator[Replicas]:
    """None is started yet; all end with the test."""
    database = new_database()
    replicas = Replicas(tmp_path, url=database, upstream_port=upstream_port)
    yield replicas
    replicas.end()
    drop_database(database)
