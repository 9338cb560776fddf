"""What remains known of keys when their ledger is lost."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.errors import LedgerUnavailable
from gateway.store import InsertAdminKey, InsertVirtualKey, ReplaceAdminKey, RevokeVirtualKey
from gateway.store.connection import DatabaseFile
from gateway.store.lost_keys import LostKeys, may_hold_keys
from gateway.store.sqlite import SqliteStore
from tests.store.cases import NOW
from tests.store.test_connection import damaged

KEY = VirtualKey(id="key_1", name="a", digest=digest_of("one"), last4="one", created=NOW)
ADMIN = AdminKey(digest_of("admin"), "dmin", NOW)


def test_the_marker_stays_until_it_is_cleared(path: Path) -> None:
    """The marker lies beside the ledger, keeps its first reason, says how to end it, and is removed on demand only."""
    lost = LostKeys(path)
    assert not lost.is_set
    lost.set("first")
    lost.set("second")
    assert LostKeys(path).is_set
    text = (path.parent / "gateway.db.keys-lost").read_text()
    assert text.startswith("first\n")
    assert "--accept-lost-keys" in text
    assert lost.clear()
    assert not lost.clear()
    assert not lost.is_set


def test_a_marker_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the marker cannot be written or removed that is an error, for the gateway would open at the next start."""
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        LostKeys(tmp_path / "nowhere" / "gateway.db").set("lost")
    lost = LostKeys(tmp_path / "gateway.db")
    lost.path.mkdir()
    assert lost.is_set
    with pytest.raises(LedgerUnavailable, match="by hand"):
        lost.clear()


def test_a_marker_that_cannot_be_looked_for(tmp_path: Path) -> None:
    """Where nobody can tell whether there is a marker, there is one."""
    (tmp_path / "file").touch()
    assert LostKeys(tmp_path / "file" / "gateway.db").is_set


def test_damaged_ledger_with_empty_key_tables_had_no_keys(path: Path) -> None:
    """A damaged ledger whose tables of keys are sound and empty had no keys; one of before there were such tables neither."""
    damaged(path)
    assert not may_hold_keys(path)
    with closing(DatabaseFile(path).open()) as connection:
        connection.execute("DROP TABLE admin_key")
    assert not may_hold_keys(path)


@pytest.mark.parametrize("kind", ["virtual", "revoked", "admin"])
def test_damaged_ledger_with_a_readable_key_had_keys(path: Path, kind: str) -> None:
    """A damaged ledger in which a key can be read had keys, whatever became of the key."""
    with closing(SqliteStore(path)) as store:
        if kind == "admin":
            store.submit(ReplaceAdminKey(ADMIN)).result()
        else:
            store.submit(InsertVirtualKey(KEY)).result()
        if kind == "revoked":
            store.submit(RevokeVirtualKey(KEY.id, at=NOW)).result()
    assert may_hold_keys(path)


def test_a_ledger_that_cannot_be_read(path: Path) -> None:
    """A ledger whose tables of keys cannot be read may have had keys."""
    SqliteStore(path).close()
    pages = os.path.getsize(path) - 4096
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * pages)
    assert may_hold_keys(path)
    path.write_bytes(b"no database at all" * 400)
    assert may_hold_keys(path)


def test_ledger_keeps_one_admin_key(path: Path) -> None:
    """The ledger keeps one admin key: the first is added, another only replaces it on demand."""
    with closing(SqliteStore(path)) as store:
        assert store.admin_key() is None
        assert store.submit(InsertAdminKey(ADMIN)).result()
        other = AdminKey(digest_of("other"), "ther", NOW)
        assert not store.submit(InsertAdminKey(other)).result()
        assert store.admin_key() == ADMIN
        store.submit(ReplaceAdminKey(other)).result()
        assert store.admin_key() == other
