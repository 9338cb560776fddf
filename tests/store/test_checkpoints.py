"""Checkpoints as rows: bodies, checksums and which ones remain."""

from __future__ import annotations

from pathlib import Path

import apsw

from gateway.store import Checkpoint, InsertCheckpoint, RejectCheckpoint
from gateway.store.checkpoints import MAX_CHECKPOINTS
from gateway.store.sqlite import SqliteStore


def state(learned_to: int = 5, *, origin: str = "saved") -> Checkpoint:
    return Checkpoint(origin, "f1", learned_to=learned_to, outcomes=learned_to)


def test_a_state_is_kept_with_its_body(tmp_path: Path) -> None:
    """What was added is listed, and read again from the file by a later start."""
    store = SqliteStore(tmp_path / "gateway.db")
    number = store.submit(InsertCheckpoint(state(7), b"body")).result()
    store.close()

    later = SqliteStore(tmp_path / "gateway.db")
    (listed,) = later.states()
    assert (listed.id, listed.origin, listed.format, listed.learned_to, listed.outcomes) == (
        number,
        "saved",
        "f1",
        7,
        7,
    )
    assert listed.timestamp
    assert later.state_body(number) == b"body"
    assert later.state_body(99) is None
    later.close()


def test_a_changed_body_is_not_given_out(tmp_path: Path) -> None:
    """The checksum tells damage."""
    path = tmp_path / "gateway.db"
    store = SqliteStore(path)
    number = store.submit(InsertCheckpoint(state(), b"body")).result()
    with apsw.Connection(str(path)) as connection:
        connection.execute("UPDATE checkpoints SET body = x'00'")

    assert store.state_body(number) is None
    store.close()


def test_the_newest_sound_ones_are_kept_and_all_refused_ones(tmp_path: Path) -> None:
    """Old states go; one that could not be used stays for whoever asks why."""
    store = SqliteStore(tmp_path / "gateway.db")
    first = store.submit(InsertCheckpoint(state(), b"bad")).result()
    store.submit(RejectCheckpoint(first, "its checksum is wrong")).result()
    for i in range(MAX_CHECKPOINTS + 3):
        store.submit(InsertCheckpoint(state(i), b"body")).result()

    listed = store.states()
    assert [each.problem for each in listed if each.id == first] == ["its checksum is wrong"]
    assert [each.learned_to for each in listed if each.problem is None] == list(range(3, MAX_CHECKPOINTS + 3))
    store.close()
