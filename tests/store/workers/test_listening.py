"""The socket at which workers find the writer process."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.workers import listen_for_workers


def test_workers_find_the_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A worker can connect before the writer process has taken anybody in."""
    path = tmp_path_factory.mktemp("w") / "w"
    with listen_for_workers(path), socket.socket(socket.AF_UNIX) as worker:
        worker.connect(str(path))


def test_a_path_that_is_too_long_is_a_clear_error(tmp_path: Path) -> None:
    """A Unix socket has a path of about a hundred bytes; the error says what to do."""
    with pytest.raises(LedgerUnavailable, match="set TMPDIR to a folder"):
        listen_for_workers(tmp_path / ("long" * 40))
