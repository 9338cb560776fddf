"""The other gateways on a ledger."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gateway.store.opening import open_store


def test_a_file_has_no_replicas(tmp_path: Path) -> None:
    """A ledger in a file is used by one machine, whose processes share what they count in other ways."""
    with closing(open_store(tmp_path / "gateway.db")) as store:
        assert store.replicas is None
